"""Prediction folder x measures -> Record.

Per video: ground truth and prediction, frame by frame, into the states of every measure. States are kept in
a cache under the hash of all that they depend on; merged in data-set order they give the same numbers to the
bit, however the videos were distributed over processes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from vipbench import provenance, registry, runstate
from vipbench.checking import check_folder
from vipbench.errors import raise_first
from vipbench.folders import open_folder
from vipbench.metrics.measure import Measure, label
from vipbench.metrics.protocols import PROTOCOLS
from vipbench.parallel import each
from vipbench.records import Provenance, Record, Score
from vipbench.specs import DatasetSpec, select
from vipbench.states import Scored, VideoWork, measures
from vipbench.types import Dataset, Video
from vipbench.version import __version__

Progress = Callable[[str, int, int], None]
"""Called with what is being done ("check", then videos), how much is, and of how much."""


def score(
    root: Path,
    data: DatasetSpec,
    split: str,
    sequences: tuple[str, ...] | None = None,
    jobs: int = 1,
    cache: Path | None = None,
    method: str | None = None,
    strict_frames: bool = False,
    progress: Progress | None = None,
) -> Record:
    """Score the prediction folder `root` by the protocols of its data set.

    The folder is checked first; a frame without a prediction scores as an empty one and is listed in the
    Record's warnings. cache: a folder for the states of single videos, None for no cache. method: its name
    in the Record, by default what `run` noted, else the folder's name. Raises UserError for a faulty folder.
    """
    dataset = data.open()
    videos = select(dataset, split, sequences)
    known = measures(dataset)
    layout = open_folder(root).name
    problems = check_folder(root, data, split, sequences, jobs, strict_frames, progress)
    raise_first(problems)
    results = _observe(VideoWork(data, root, cache), videos, jobs, progress)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        finished = {text: _finish(measure, text, results) for text, measure in known.items()}
    run = runstate.read_settings(root)
    name, options = _method(root, run, method)
    return Record(
        method=name,
        options=options,
        dataset=dataset.name,
        split=split,
        protocols=_protocols(dataset, finished),
        scores=tuple(score for scores in finished.values() for score in scores),
        timing=timing(root, videos),
        provenance=Provenance(
            version=__version__,
            git=provenance.git_commit(),
            command=provenance.command(),
            created=provenance.now(),
            dataset_version=dataset.version,
            dataset_hash=_joined(f"{result.video} {result.truth}" for result in results),
            prediction_hash=_joined(f"{result.video} {result.prediction}" for result in results),
            device=provenance.device(),
            layout=layout,
            warnings=(*map(str, problems), *dict.fromkeys(f"warning: {w.message}" for w in caught)),
            run=run,
        ),
    )


def _observe(work: VideoWork, videos: list[Video], jobs: int, progress: Progress | None) -> list[Scored]:
    """The states of all videos, in data-set order."""
    scored: dict[str, Scored] = {}
    for result in each(work, videos, jobs):
        scored[result.video] = result
        if progress is not None:
            progress(result.video, len(scored), len(videos))
    return [scored[video.id] for video in videos]


def _finish(measure: Measure, text: str, results: Sequence[Scored]) -> list[Score]:
    merged = measure.empty()
    for result in results:
        merged = merged.merge(type(merged).from_json(result.states[text]))
    values = measure.finish(merged, [result.video for result in results])
    return [Score(label(measure, value.key), value.scope, float(value.value), value.n) for value in values]


def _protocols(dataset: Dataset, finished: dict[str, list[Score]]) -> dict[str, list[str]]:
    """The labels of each protocol's numbers, those of single classes, sequences and frames included."""
    return {
        protocol: list(dict.fromkeys(s.measure for m in PROTOCOLS[protocol] for s in finished[str(m)]))
        for protocol in dataset.protocols
    }


def _method(root: Path, run: dict[str, Any] | None, name: str | None) -> tuple[str, dict[str, str]]:
    if name is not None:
        return name, {}
    return (run["method"], run["options"]) if run else (root.resolve().name, {})


def timing(root: Path, videos: Sequence[Video]) -> dict[str, Any] | None:
    """Frames a second of the run that made a folder, from its notes; None if they lack one of the videos.

    fps leaves out decoding and writing, as the papers do; fps_end_to_end leaves out nothing. Both are absent
    unless every frame of the videos was predicted, since a method may look at more frames than it yields.
    """
    lines = {line.video: line for line in runstate.lines(root)}
    if not all(video.id in lines for video in videos):
        return None
    done = [lines[video.id] for video in videos]
    stages: dict[str, float] = {}
    for name, seconds in (item for line in done for item in line.timing.items()):
        stages[name] = stages.get(name, 0.0) + seconds
    frames, total = sum(line.frames for line in done), sum(line.seconds for line in done)
    found: dict[str, Any] = {"frames": frames, "stages": stages}
    if all(frame.annotated for video in videos for frame in video.frames):
        work = total - stages.get("decode", 0.0) - stages.get("write", 0.0)
        found |= {"fps": frames / work if work > 0 else None, "fps_end_to_end": frames / total}
    return found


def file_name(record: Record, data: DatasetSpec, sequences: tuple[str, ...] | None) -> str:
    """The Record's usual file name, <method>.<dataset>.<split>.json; for some of the videos another."""
    part = "" if sequences is None else f".{len(sequences)}-{_joined(sorted(sequences))[:8]}"
    return f"{registry.label(record.method, record.options)}.{data.label}.{record.split}{part}.json"


def _joined(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
