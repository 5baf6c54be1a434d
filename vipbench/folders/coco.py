"""COCO's result file: a JSON list of {image_id, category_id, score} with a segmentation, a bbox, or both."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property
from pathlib import Path
from typing import Any

from vipbench import instances
from vipbench.errors import Problem, ProblemError, UserError
from vipbench.rows import read_json
from vipbench.types import Frame, Instance, Instances, Parsing

MOST = 100
Row = dict[str, Any]
Detection = tuple[Instance, tuple[int, int] | None]


class CocoResults:
    """One file for all images; an image that has no row in it was seen to be empty."""

    name = "coco"
    layers: tuple[str, ...] = ("instances",)
    looks = "a file results.json"
    sparse = True

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def opens(cls, path: Path) -> bool:
        """Whether the path is a file that this layout reads."""
        return path.suffix == ".json" and path.is_file()

    @cached_property
    def _rows(self) -> dict[str, list[tuple[int, Row]]]:
        """The results of each image with their place in the file, from 0. Raises UserError for no list."""
        data = read_json(self.root)
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            expected = "a JSON list of objects with image_id, category_id, score and segmentation or bbox"
            raise ProblemError(self.root, expected, "other JSON", "Pass the results that COCO's API loads")
        found = defaultdict(list)
        for number, row in enumerate(data):
            found[str(row.get("image_id"))].append((number, row))
        return dict(found)

    def videos(self) -> list[str]:
        """The ids of the images that have a result, sorted."""
        return sorted(self._rows)

    def frames(self, video: str) -> list[str]:
        """The image's id, if it has a result."""
        return [video] if video in self._rows else []

    def files(self, video: str, frame: str) -> list[Path]:
        """The file itself."""
        return [self.root] if video in self._rows else []

    def read(self, video: str, frame: str) -> Parsing:
        """The detections in an image; its size is (0, 0) where only boxes are known.

        Raises UserError for a faulty row and for masks of several sizes.
        """
        found = [self._detection(number, row) for number, row in self._rows.get(video, ())]
        return self._parsing(video, found)

    def _parsing(self, video: str, found: list[Detection]) -> Parsing:
        sizes = sorted({size for _, size in found if size})
        if len(sizes) > 1:
            where, mend = f"{self.root}: image {video}", "Encode masks at the image's own size"
            raise ProblemError(where, "masks of one size", f"{sizes}", mend)
        size = sizes[0] if sizes else (0, 0)
        return Parsing(instances=Instances(size, tuple(instance for instance, _ in found)))

    def _detection(self, number: int, row: Row) -> Detection:
        return instances.detection(self._where(number, row), number, row)

    def _where(self, number: int, row: Row) -> str:
        return f"{self.root}: result {number}, image {row.get('image_id')}"

    def write(self, video: str, frame: str, parsing: Parsing) -> None:
        """Not possible: results of many frames cannot be put into one file one by one."""
        raise UserError(f"{self.root}: results of COCO are read, not written")

    def examine(
        self, frame: Frame, size: tuple[int, int], classes: int
    ) -> tuple[Parsing | None, list[Problem]]:
        """As `read`; faulty rows, masks of another size than the image's, more detections than count."""
        found: list[Detection] = []
        problems: list[Problem] = []
        for number, row in self._rows.get(frame.video, ()):
            try:
                found.append(self._detection(number, row))
            except ProblemError as error:
                problems.append(error.problem)
                continue
            own, mend = found[-1][1], "Encode masks at the image's own size"
            if own and own != size:
                expected = f"a mask of {list(size)} (height, width)"
                problems.append(Problem(self._where(number, row), expected, f"{list(own)}", mend))
        parsing = None if problems else self._parsing(frame.video, found)
        return parsing, problems + self._notes(frame.video)

    def _notes(self, image: str) -> list[Problem]:
        counts = Counter(row.get("category_id") for _, row in self._rows.get(image, ()))
        notes = [
            Problem(
                f"{self.root}: image {image}, category {category}",
                f"at most {MOST} detections",
                f"{count}",
                "Those of the highest scores alone are looked at",
                warning=True,
            )
            for category, count in counts.items()
            if count > MOST
        ]
        return notes + self._boxes

    @cached_property
    def _boxes(self) -> list[Problem]:
        """The same finding for every image: it is about the file."""
        bare = sum(not row.get("segmentation") for rows in self._rows.values() for _, row in rows)
        mend = "Its numbers of masks (segm) are those of the boxes filled; look at those of boxes (bbox)"
        got = f"{bare} results with a box alone"
        return [Problem(str(self.root), "masks", got, mend, warning=True)] if bare else []
