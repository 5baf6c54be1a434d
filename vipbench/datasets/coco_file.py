"""The content of one file of instances in COCO's JSON format."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from vipbench import instances
from vipbench.errors import Problem, ProblemError
from vipbench.rows import read_json
from vipbench.types import Instance

PREFIX = "instances_"
MOST_IDS = 65536
Row = dict[str, Any]


@dataclass(frozen=True)
class CocoFile:
    """path: of the file. data: its "images", "annotations" and "categories", lists of dicts."""

    path: Path
    data: dict[str, list[Row]]

    @cached_property
    def images(self) -> dict[str, Row]:
        """The images by id as text, in the order of the ids."""
        rows = sorted(self.data["images"], key=lambda row: _order(row.get("id")))
        return {str(row.get("id")): row for row in rows}

    @cached_property
    def annotations(self) -> dict[str, list[tuple[int, Row]]]:
        """The annotations of each image, in file order, with their place in the file."""
        found = defaultdict(list)
        for number, row in enumerate(self.data["annotations"]):
            found[str(row.get("image_id"))].append((number, row))
        return dict(found)

    @cached_property
    def names(self) -> dict[int, str]:
        """The categories by id, ascending; where two have the same name, the id is in it."""
        pairs = sorted((row["id"], str(row.get("name", row["id"]))) for row in self.data["categories"])
        times = Counter(name for _, name in pairs)
        return {i: name if times[name] == 1 else f"{name} {i}" for i, name in pairs}

    def size(self, image: str) -> tuple[int, int]:
        """(height, width) of an image. Raises UserError where the file does not say."""
        row = self.images[image]
        height, width = row.get("height"), row.get("width")
        if not isinstance(height, int) or not isinstance(width, int) or min(height, width) < 1:
            got, mend = f"{height!r} and {width!r}", "Write them in pixels"
            raise ProblemError(f"{self.path}: image {image}", 'a "height" and a "width"', got, mend)
        return height, width

    def instances(self, image: str) -> list[Instance]:
        """The annotations of an image. Raises UserError at one that is faulty."""
        size = self.size(image)
        return [self._instance(number, row, size) for number, row in self.annotations.get(image, ())]

    def faults(self, image: str) -> Iterator[Problem]:
        """What is wrong with an image and its annotations."""
        try:
            size = self.size(image)
        except ProblemError as error:
            yield error.problem
            return
        for number, row in self.annotations.get(image, ()):
            try:
                self._instance(number, row, size)
            except ProblemError as error:
                yield error.problem

    def _instance(self, number: int, row: Row, size: tuple[int, int]) -> Instance:
        where = self.where(number, row)
        if row.get("category_id") not in self.names:
            got, mend = f"category_id {row.get('category_id')!r}", 'Use the ids in "categories"'
            raise ProblemError(where, 'a category of "categories"', got, mend)
        return instances.truth(where, row, size)

    def where(self, number: int, row: Row) -> str:
        """How an annotation is called in a message."""
        return f"{self.path}: annotation {row.get('id', f'at place {number}')}, image {row.get('image_id')}"


def load(path: Path) -> CocoFile:
    """Read a file, once unless it changes. Raises UserError for anything but lists of images, ..."""
    return _load(path, path.stat().st_mtime_ns) if path.is_file() else _load(path, 0)


@lru_cache(maxsize=2)
def _load(path: Path, _: int) -> CocoFile:
    data = read_json(path)
    for name in ("images", "annotations", "categories"):
        rows = data.get(name) if isinstance(data, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            mend = "Pass COCO's instances_<split>.json, not its results, captions or keypoints"
            raise ProblemError(path, f'a list "{name}" of objects', "none", mend)
    if not all(isinstance(row.get("id"), int) and 0 < row["id"] < MOST_IDS for row in data["categories"]):
        expected = f'categories with an "id" in 1..{MOST_IDS - 1}'
        raise ProblemError(path, expected, "others", "Number them")
    return CocoFile(path, {name: data[name] for name in ("images", "annotations", "categories")})


def _order(image: Any) -> tuple[bool, Any]:
    """Numbers before texts."""
    return (False, image) if isinstance(image, int | float) else (True, str(image))
