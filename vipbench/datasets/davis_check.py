"""Everything wrong with a DAVIS folder on disk, split by split, with how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from vipbench.errors import Problem, ProblemError
from vipbench.pixels import probe
from vipbench.types import Frame, SegmentMap, Video

if TYPE_CHECKING:
    from vipbench.datasets.davis import Davis

UNPACK = "Unpack it again from the download"


def check(dataset: Davis, split: str) -> list[Problem]:
    """The problems of a split: its list, then each sequence. Raises UserError for no such split."""
    try:
        listed = dataset.listed(split)
    except ProblemError as error:
        return [error.problem]
    sequences = (_sequence(dataset, split, name, frames) for name, frames in listed.items())
    return list(chain.from_iterable(sequences))


def _sequence(dataset: Davis, split: str, name: str, frames: list[str]) -> list[Problem]:
    try:
        video = dataset.sequence(split, name, frames)
    except ProblemError as error:
        return [error.problem]
    problems = [*_images(dataset, video)]
    objects: list[SegmentMap] = []
    for frame in video.frames:
        try:
            objects.append(dataset.read(frame).layer("object"))
            problems += _sizes(dataset, frame, objects[-1])
        except ProblemError as error:
            problems.append(error.problem)
    return [*problems, *_objects(dataset, video, objects)]


def _images(dataset: Davis, video: Video) -> Iterator[Problem]:
    """Frames without an image: they can be scored, but not run."""
    absent = [frame.name for frame in video.frames if not frame.image.is_file()]
    if absent:
        got = f"{len(absent)} without one: {', '.join(absent[:5])}{', ...' if len(absent) > 5 else ''}"
        mend = "`score` does not need them; to `run` a method unpack JPEGImages"
        where = str(dataset.images / video.id)
        yield Problem(where, f"an image for each of {len(video.frames)} frames", got, mend, warning=True)


def _sizes(dataset: Davis, frame: Frame, annotation: SegmentMap) -> Iterator[Problem]:
    """An image of another size than its annotation."""
    if frame.image.is_file():
        size = probe(frame.image)[1]
        if size != annotation.size:
            where = str(dataset.label(frame))
            yield Problem(where, f"the size of its image, {size}", f"{annotation.size}", UNPACK)


def _objects(dataset: Davis, video: Video, objects: list[SegmentMap]) -> Iterator[Problem]:
    """A sequence without any object, which nothing can be scored against, and objects that come later."""
    where = str(dataset.annotations / video.id)
    found = {segment.id for layer in objects for segment in layer.segments}
    if objects and not found:
        yield Problem(where, "an object in some frame", "background alone", UNPACK)
        return
    first = {segment.id for segment in objects[0].segments} if objects else set()
    later = sorted(i for i in found if i > max(first, default=0))
    if dataset.year == 2017 and later:
        mend = "The protocol scores the objects of the first frame; nothing to mend if this is meant"
        expected = "the objects of the first frame"
        yield Problem(where, expected, f"{later} in later frames", mend, warning=True)
