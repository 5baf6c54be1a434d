"""DAVIS 2016 and 2017: densely annotated video objects (Perazzi et al. 2016, Pont-Tuset et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from vipbench.errors import UserError
from vipbench.pixels import read_ids
from vipbench.rows import read_lines
from vipbench.types import Frame, Parsing, SegmentMap, Video

TASKS = {"semi-supervised": "Annotations", "unsupervised": "Annotations_unsupervised"}
VOID = 255


class Davis:
    """DAVIS at `root`, the folder that holds `Annotations`, `JPEGImages` and `ImageSets`.

    year: 2016 (one object: every nonzero value) or 2017 (ids 1..n; 255 is background in the semi-supervised
    task and void in the unsupervised one). resolution: "480p", "Full-Resolution" (2017) or "1080p" (2016).
    """

    name = "davis"
    layers: tuple[str, ...] = ("object",)
    classes: tuple[str, ...] = ("background", "object")
    layout = "davis"
    splits: tuple[str, ...] = ("val", "train", "trainval", "test-dev", "test-challenge")
    env = "VIPBENCH_DAVIS"
    about = ""

    def __init__(
        self, root: Path, year: int = 2016, resolution: str = "480p", task: str = "semi-supervised"
    ) -> None:
        self.root, self.year, self.resolution, self.task = Path(root), year, resolution, task
        if year not in (2016, 2017):
            raise UserError(f"DAVIS has the years 2016 and 2017, not {year}")
        if task not in TASKS:
            raise UserError(f"DAVIS has the tasks {' and '.join(TASKS)}, not {task!r}")
        if not self.root.is_dir():
            raise UserError(f"{self.root}: no such folder. Pass the root of DAVIS by --data or {self.env}")
        unsupervised = year == 2017 and task == "unsupervised"
        self.version = f"{year} {resolution}" + (" unsupervised" if unsupervised else "")
        self.void: int | None = VOID if unsupervised else None
        self.protocols: tuple[str, ...] = ("davis2016",) if year == 2016 else ("davis2017-semi",)
        if unsupervised:
            self.protocols = ()
        self.annotations = self.root / (TASKS["unsupervised"] if unsupervised else "Annotations") / resolution
        self.images = self.root / "JPEGImages" / resolution

    def videos(self, split: str) -> Sequence[Video]:
        """The sequences of a split in the order of its list; every frame of DAVIS is annotated.

        Raises UserError for an unknown split, a missing list, and a sequence without any frame.
        """
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}, only {', '.join(self.splits)}")
        return [
            Video(
                sequence, split, tuple(self._frame(sequence, name) for name in names or self._names(sequence))
            )
            for sequence, names in self.listed(split).items()
        ]

    def _frame(self, sequence: str, name: str) -> Frame:
        return Frame(sequence, name, int(name), self.images / sequence / f"{name}.jpg")

    def listed(self, split: str) -> dict[str, list[str]]:
        """Sequences in list order, with their frame names where the list gives them (the 2016 pair lists)."""
        found: dict[str, list[str]] = {}
        for line in read_lines(self.list_file(split)):
            address = PurePosixPath(line.split()[0]) if line.split() else None
            if address is None:
                continue
            names = found.setdefault(address.parent.name or address.name, [])
            if address.parent.name:
                names.append(address.stem)
        return found

    def list_file(self, split: str) -> Path:
        """The list of a split: sequence names (`ImageSets/<year>`) or, as in 2016, pairs of paths."""
        candidates = [
            self.root / "ImageSets" / home / f"{split}.txt" for home in (str(self.year), self.resolution)
        ]
        return next((path for path in candidates if path.is_file()), candidates[0])

    def _names(self, sequence: str) -> list[str]:
        labels = (self.annotations / sequence).glob("*.png")
        images = (self.images / sequence).glob("*.jpg")
        names = sorted({path.stem for path in (*labels, *images) if path.stem.isdecimal()})
        if not names:
            raise UserError(
                f"{self.annotations / sequence}: no frame of sequence {sequence!r}, which "
                f"{self.root / 'ImageSets'} lists. Unpack DAVIS again, or pass its own root by --data"
            )
        return names

    def read(self, frame: Frame) -> Parsing:
        """The objects of a frame. Raises UserError for a missing or damaged annotation."""
        ids = read_ids(self.label(frame))
        if self.year == 2016:
            ids = (ids != 0).astype(np.uint16)
        elif self.void is None:
            ids = np.where(ids == VOID, 0, ids).astype(np.uint16)
        return Parsing(object=SegmentMap.of(ids, self.void))

    def label(self, frame: Frame) -> Path:
        """The annotation of a frame."""
        return self.annotations / frame.video / f"{frame.name}.png"
