"""Who made a prediction folder and how fast, as far as the run's notes still hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vipbench import runstate
from vipbench.folders import open_folder
from vipbench.types import Video

WITHOUT = ("decode", "write")
"""Stages that are not the method's own work."""


@dataclass(frozen=True)
class Origin:
    """method, options: of the run, else the name of the folder or zip file. timing: see `timing`.

    run: content of run.json. warnings: why the notes of a run are not believed.
    """

    method: str
    options: dict[str, str] = field(default_factory=dict)
    timing: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()


def origin(root: Path, videos: Sequence[Video]) -> Origin:
    """The origin of the predictions for the videos. Files changed since the run are not the run's.

    root: as `open_folder` takes it: a folder, one above it, a zip file or a JSON file.
    """
    home, name = open_folder(root).root, root.resolve().name.removesuffix(".zip").removesuffix(".json")
    run = runstate.read_settings(home)
    if run is None:
        return Origin(name)
    changed = runstate.changed(home, videos)
    if changed:
        some = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        lost = "its method, options and timing are not recorded"
        return Origin(name, warnings=(f"warning: {root}: not as `run` left it ({some}); {lost}",))
    return Origin(run["method"], run["options"], timing(home, videos), run)


def timing(root: Path, videos: Sequence[Video]) -> dict[str, Any] | None:
    """`speed` of the run that made a folder, from its notes; None if they lack one of the videos."""
    lines = {line.video: line for line in runstate.lines(root)}
    if not all(video.id in lines for video in videos):
        return None
    return speed([lines[video.id] for video in videos], videos)


def speed(lines: Sequence[runstate.Done], videos: Sequence[Video]) -> dict[str, Any]:
    """Frames a second over the videos: {"frames", "seconds", "stages", "fps", "fps_end_to_end"}.

    All figures are of the frames that tell the method's speed (`timing.steady`). fps leaves out the stages
    WITHOUT, as the papers do; fps_end_to_end leaves out nothing. Both are absent where no such frame is, and
    unless every frame of the videos was predicted, since a method may look at more frames than it yields.
    """
    done = [_counted(line) for line in lines]
    stages: dict[str, float] = {}
    for name, seconds in (item for part in done for item in part["stages"].items()):
        stages[name] = stages.get(name, 0.0) + seconds
    frames, total = sum(part["frames"] for part in done), sum(part["seconds"] for part in done)
    found: dict[str, Any] = {"frames": frames, "seconds": total, "stages": stages}
    if total > 0 and all(frame.annotated for video in videos for frame in video.frames):
        work = total - sum(stages.get(name, 0.0) for name in WITHOUT)
        found |= {"fps": frames / work if work > 0 else None, "fps_end_to_end": frames / total}
    return found


def _counted(line: runstate.Done) -> dict[str, Any]:
    return line.steady or {"frames": line.frames, "seconds": line.seconds, "stages": line.timing}
