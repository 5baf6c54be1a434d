"""What a prediction folder is: a folder of videos, each with files for its frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from vipbench.archive import names
from vipbench.errors import Problem
from vipbench.types import Frame, Parsing, SegmentMap

WHITE = 255
"""The object of a mask in black and white, or void."""

MOST_OBJECTS = 20
"""More objects than any frame has; as many proposals as DAVIS 2017 allows."""


class Folder(Protocol):
    """A prediction folder in one layout. A class with these members is a folder plug-in.

    name: of the layout. layers: what it holds of a frame. looks: a path in it, as told to a user. Names
    that start with a dot are never predictions.

    A layout of one file, in place of a folder, says which by a class method `opens(path) -> bool`. One that
    leaves out what is empty has `sparse = True`: what it lacks is no missing prediction.
    """

    name: str
    layers: tuple[str, ...]
    looks: str
    root: Path

    def __init__(self, root: Path) -> None: ...

    def videos(self) -> list[str]:
        """The video folders that are there, sorted."""

    def frames(self, video: str) -> list[str]:
        """The frames of a video that have any prediction file, sorted."""

    def files(self, video: str, frame: str) -> list[Path]:
        """The prediction files of a frame that are there."""

    def read(self, video: str, frame: str) -> Parsing:
        """The prediction for a frame. Raises UserError for a missing, damaged or contradictory file."""

    def write(self, video: str, frame: str, parsing: Parsing) -> None:
        """Write a frame. Raises UserError for a parsing whose rows and pixels contradict each other."""

    def examine(
        self, frame: Frame, size: tuple[int, int], classes: int
    ) -> tuple[Parsing | None, list[Problem]]:
        """The prediction for a frame, and everything wrong with its files, in one reading.

        size: (height, width); classes: what ids must be below. None where it cannot be read.
        """


def subfolders(root: Path) -> list[str]:
    """The folders directly below root, sorted, without hidden ones and those that macOS adds to zip files."""
    return sorted(p.name for p in root.iterdir() if is_visible(p.name) and p.is_dir())


def files_in(folder: Path) -> list[str]:
    """The names directly below a folder, sorted, without hidden ones; none if there is no such folder."""
    return sorted(filter(is_visible, names(folder)))


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name is the user's own."""
    return not name.startswith(".") and name != "__MACOSX"


def size_problems(path: Path, found: SegmentMap, size: tuple[int, int]) -> list[Problem]:
    """A map of another size than the ground truth: nothing is ever resized."""
    if found.size == size:
        return []
    (height, width), (h, w) = size, found.size
    mend = "Write predictions at the frame's own size; ids must never be interpolated"
    return [Problem(str(path), f"{width}x{height} pixels", f"{w}x{h}", mend)]


def id_problems(path: Path, found: SegmentMap, classes: int) -> list[Problem]:
    """Ids at or above `classes` in a map whose ids have no rows."""
    outside = [i for i in found.present if i >= classes]
    if not outside:
        return []
    mend = "Save the ids themselves, not gray values"
    if outside == [WHITE]:
        mend = "255 is no id here: write 0 where nothing is predicted, else the ids themselves"
    got = f"{len(outside)} others: {some(outside)}"
    return [Problem(str(path), f"ids 0..{classes - 1}", got, mend)]


def mask_problems(path: Path, found: SegmentMap) -> list[Problem]:
    """Values that a mask of a few objects does not have: smoothed edges, gray levels, void beside objects.

    found: with a row for each value that has pixels.
    """
    values = [segment.id for segment in found.segments]
    if len(values) <= MOST_OBJECTS and not (WHITE in values and len(values) > 1):
        return []
    got = f"{len(values)} values beside 0: {some(values)}"
    mend = "Each pixel that is not 0 counts as object: threshold smooth masks, and write 0 for void"
    return [Problem(str(path), "one value for each object", got, mend, warning=True)]


def some(values: Sequence[object]) -> str:
    """The first five of a list."""
    return ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")
