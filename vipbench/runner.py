"""Method x videos -> prediction folder: streaming, timed, resumed after a kill, never half a video.

A video's frames are written below `<out>/.vipbench/tmp`, its folder is renamed into place, and a line in
`<out>/.vipbench/done.jsonl` says that it is whole, with hashes of its files and of the images that they were
made from. A later run keeps the videos whose line holds and makes the others again, from their first frame.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from vipbench import registry, runstate
from vipbench.errors import UserError
from vipbench.folders.base import Folder
from vipbench.parallel import each
from vipbench.pipeline import behind
from vipbench.pixels import probe
from vipbench.runstate import Done
from vipbench.specs import DatasetSpec, MethodSpec, select
from vipbench.timing import steady, stopwatch
from vipbench.types import Dataset, Frame, Instances, Method, Parsing, SegmentMap, Video

Progress = Callable[[str, int, int], None]
"""Called with what is being worked on, how many frames are done, and of how many."""


def run(
    method: MethodSpec,
    data: DatasetSpec,
    split: str,
    out: Path,
    jobs: int = 1,
    sequences: tuple[str, ...] | None = None,
    progress: Progress | None = None,
) -> list[Done]:
    """Predict the videos of a split into the folder `out`; what an earlier run finished there is kept.

    Returns a line for every video asked for, in data-set order. Raises UserError for anything that the user
    can mend. Unknown names and options, an `out` that another run works on, that holds other files, or that
    was made with other settings end it before anything is written; a damaged image in the middle does not
    undo the videos before it, so that a run can go on from there.
    """
    work = Work(method, data, out)
    if hasattr(registry.load("folders", work.dataset.layout), "opens"):
        what = f"its predictions are a file in the layout {work.dataset.layout}"
        raise UserError(f"{work.dataset.name}: {what}, which `run` cannot write. Write it by other means")
    videos = select(work.dataset, split, sequences)
    settings = runstate.settings(method, data, work.dataset, split, work.method)
    with runstate.claimed(out, settings):
        done = runstate.finished(out, videos)
        todo = [video for video in videos if video.id not in done]
        for video in todo:
            shutil.rmtree(out / video.id, ignore_errors=True)
        count = _Count(progress, sum(len(v.annotated) for v in videos))
        count.add("resumed", sum(len(v.annotated) for v in videos if v.id in done))
        work.tick = count.add if jobs == 1 else None
        for line in each(work, todo, jobs):
            runstate.publish(out, line)
            done[line.video] = line
            count.add(line.video, line.frames if jobs > 1 else 0)
    return [done[video.id] for video in videos]


class _Count:
    """Counts frames for a progress display."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def add(self, what: str, frames: int) -> None:
        self.done += frames
        if self.progress is not None:
            self.progress(what, self.done, self.total)


@dataclass
class Work:
    """Predicts one video into the folder of unfinished videos, after a warm-up at its first call.

    Pickled as names: a worker builds its own data set and method.
    """

    spec: MethodSpec
    data: DatasetSpec
    out: Path
    tick: Callable[[str, int], None] | None = None
    warm: bool = False

    @cached_property
    def dataset(self) -> Dataset:
        return self.data.open()

    @cached_property
    def method(self) -> Method:
        return self.spec.build(self.dataset)

    def __reduce__(self) -> tuple[Any, ...]:
        return Work, (self.spec, self.data, self.out)

    def __call__(self, video: Video) -> Done:
        home = runstate.temporary(self.out)
        registry.load("folders", self.dataset.layout)  # so that what it raises is known here
        target = Target(self.spec.name, self.dataset.layers, self.dataset.layout, home)
        images = runstate.hash_input(video)
        self._warm_up(video)
        first, end = self._counted(video)
        with stopwatch() as watch, behind("write") as writing:
            readings = {0: watch.read()}
            for done, (frame, parsing) in enumerate(_due(self.spec.name, self.method, video), 1):
                layers = {name: getattr(parsing, name) for name in target.layers}
                writing(_write, target, (frame.video, frame.name), frame.image, layers)
                if self.tick is not None:
                    self.tick(video.id, 1)
                if done in (first, end):
                    writing.finish()
                    readings[done] = watch.read()
            writing.finish()
            total = watch.read()
        counted = {"frames": end - first, **asdict(readings[end].since(readings[first]))}
        sha256 = runstate.hash_files(home / video.id)
        return Done(video.id, len(video.annotated), sha256, total.seconds, total.stages, images, counted)

    def _warm_up(self, video: Video) -> None:
        """Two periods whose results nobody sees: the first calls of a network take longer than the rest, and
        a video's first frames may be worked on in other parts than the rest.

        Only for methods that say their `period`, in frames; others may not be fit to be asked twice.
        """
        period = 0 if self.warm else getattr(self.method, "period", 0)
        if period:
            for _ in islice(self.method.predict(video), 2 * period):
                pass
        self.warm = True

    def _counted(self, video: Video) -> tuple[int, int]:
        """Which of the video's annotated frames tell the method's speed, see `steady`."""
        method, frames = self.method, len(video.annotated)
        if frames < len(video.frames):  # a method may look at frames between them
            return 0, frames
        return steady(frames, getattr(method, "margin", 0), getattr(method, "period", 1))


def _due(name: str, method: Method, video: Video) -> Iterator[tuple[Frame, Parsing]]:
    """What the method yields, if it keeps to the contract of Method.predict: every frame, in order."""
    expected = iter(video.annotated)
    for frame, parsing in method.predict(video):
        wanted = next(expected, None)
        if frame != wanted:
            raise UserError(
                f"method {name!r}: {_named(wanted)} of {video.id} is due, it yielded {frame.name}"
            )
        yield frame, parsing
    wanted = next(expected, None)
    if wanted is not None:
        raise UserError(f"method {name!r}: ended before {_named(wanted)} of {video.id}. Yield every frame")


def _named(frame: Frame | None) -> str:
    return "no further frame" if frame is None else f"frame {frame.name}"


@dataclass(frozen=True)
class Target:
    """Where a method's parsings go, and with which layers."""

    method: str
    layers: tuple[str, ...]
    layout: str
    home: Path


def _write(
    target: Target, name: tuple[str, str], image: Path, layers: dict[str, SegmentMap | Instances | None]
) -> None:
    """Write a frame if it has the data set's layers at the frame's size. name: of the video and the frame."""
    size = probe(image)[1] if image.is_file() else None
    for layer, found in layers.items():
        where = f"method {target.method!r}: {'/'.join(name)}, layer {layer!r}"
        if found is None:
            raise UserError(f"{where}: expected a SegmentMap, got None. Predict all of {target.layers}")
        if size is not None and found.size != size:
            raise UserError(f"{where}: expected the frame's size {size}, got {found.size}")
    _folder(target.layout, target.home, name[0]).write(*name, Parsing(**layers))  # type: ignore[arg-type]


@lru_cache(1)
def _folder(layout: str, home: Path, video: str) -> Folder:
    """One for all frames of a video: a layout may gather them."""
    found: Folder = registry.load("folders", layout)(home)
    return found
