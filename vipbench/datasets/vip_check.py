"""Everything wrong with a VIP folder on disk, split by split, with how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vipbench.datasets.vip_classes import flip_classes
from vipbench.errors import Problem, ProblemError
from vipbench.pixels import probe
from vipbench.segments import row_problems
from vipbench.types import Frame, Ids, SegmentMap, Video

if TYPE_CHECKING:
    from vipbench.datasets.vip import Vip

LABELS = ("Category_ids", "Human_ids", "Instance_ids")
UNPACK = "Unpack it again from the download"


def check(dataset: Vip, split: str) -> list[Problem]:
    """The problems of a split: its list, then the files of each frame. Raises UserError for no such split."""
    try:
        videos = dataset.videos(split)
    except ProblemError as error:
        return [error.problem]
    annotated = [frame for video in videos for frame in video.annotated]
    if annotated and not any(_labels(dataset, frame) for frame in annotated):
        return [_unlabelled(dataset, split)]
    frames = (_frame(dataset, frame) for frame in annotated)
    return [*chain.from_iterable(_neighbours(video) for video in videos), *chain.from_iterable(frames)]


def _labels(dataset: Vip, frame: Frame) -> list[Path]:
    paths = [dataset.files.label(kind, frame.video, frame.name) for kind in LABELS]
    return [path for path in paths if path.is_file()]


def _unlabelled(dataset: Vip, split: str) -> Problem:
    """The labels of the test split were never released, so that it can be run but not scored."""
    where = str(dataset.files.folder("Category_ids"))
    mend = "VIP's test labels are not public: score on val. For other splits unpack VIP_Fine here"
    return Problem(where, f"labels of {split}", "none at all", mend, warning=split == "test")


def _neighbours(video: Video) -> Iterator[Problem]:
    """Frames that a front or behind list names, without an image."""
    absent = [f.name for f in video.frames if not f.annotated and not f.image.is_file()]
    if absent:
        got = f"{len(absent)} without an image: {', '.join(absent[:5])}"
        mend = "Unpack VIP_Sequence, or decode the video into VIP_Videos/<video>/<12-digit number>.jpg"
        yield Problem(f"video {video.id}", "an image for each frame in the lists", got, mend, warning=True)


def _frame(dataset: Vip, frame: Frame) -> list[Problem]:
    """The image, the label maps, their sizes, and the part list of one annotated frame."""
    problems: list[Problem] = []
    sizes: dict[Path, tuple[int, int]] = {}
    maps: dict[str, Ids] = {}
    try:
        sizes[frame.image] = probe(frame.image)[1]
    except ProblemError as error:
        problems.append(error.problem)
    for kind in LABELS:
        try:
            maps[kind] = dataset.ids(kind, frame)
            sizes[dataset.files.label(kind, frame.video, frame.name)] = maps[kind].shape
        except ProblemError as error:
            problems.append(error.problem)
    return [*problems, *_sizes(sizes), *_classes(dataset, frame, maps), *_parts(dataset, frame, maps)]


def _sizes(sizes: dict[Path, tuple[int, int]]) -> Iterator[Problem]:
    """Layers of another size than the first that could be read."""
    first = next(iter(sizes), None)
    for path, size in sizes.items():
        if first and size != sizes[first]:
            yield Problem(str(path), f"the size of {first.name}, {sizes[first]}", f"{size}", UNPACK)


def _classes(dataset: Vip, frame: Frame, maps: dict[str, Ids]) -> Iterator[Problem]:
    """Class ids out of range, and a mirrored map that is not the mirror of the classes."""
    category = maps.get("Category_ids")
    if category is None:
        return
    where = str(dataset.files.label("Category_ids", frame.video, frame.name))
    outside = {int(i) for i in np.unique(category)} - {*range(len(dataset.classes)), dataset.void}
    if outside:
        expected = f"class ids 0..{len(dataset.classes) - 1}, or {dataset.void} for unlabelled"
        yield Problem(where, expected, f"{sorted(outside)}", UNPACK)
    mirrored = dataset.files.label("Category_rev_ids", frame.video, frame.name)
    if mirrored.is_file():
        yield from _mirrored(dataset, frame, category, mirrored)


def _mirrored(dataset: Vip, frame: Frame, category: Ids, path: Path) -> Iterator[Problem]:
    try:
        same = np.array_equal(dataset.ids("Category_rev_ids", frame), flip_classes(category))
    except ProblemError as error:
        yield error.problem
        return
    if not same:
        expected = "Category_ids mirrored with left and right swapped"
        yield Problem(str(path), expected, "something else", UNPACK)


def _parts(dataset: Vip, frame: Frame, maps: dict[str, Ids]) -> list[Problem]:
    """Rows and pixels of part instances that do not match, and rows of persons that are not there."""
    where = str(dataset.files.label("Instance_ids", frame.video, frame.name, ".txt"))
    try:
        rows = dataset.parts(frame)
    except ProblemError as error:
        return [error.problem]
    problems = []
    if "Instance_ids" in maps:
        problems = row_problems(where, SegmentMap(maps["Instance_ids"], rows), len(dataset.classes))
    if "Human_ids" in maps:
        persons = set(np.unique(maps["Human_ids"]).tolist())
        strangers = [row for row in rows if row.human not in persons - {0}]
        problems += [
            Problem(f"{where}: id {row.id}", "a person of Human_ids", f"person {row.human}", UNPACK)
            for row in strangers
        ]
    return problems
