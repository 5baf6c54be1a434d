"""DAVIS 2016 and 2017: densely annotated video objects (Perazzi et al. 2016, Pont-Tuset et al. 2017)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from vipbench.datasets import davis_attributes, davis_check
from vipbench.errors import Problem, ProblemError, UserError
from vipbench.pixels import home, read_ids, read_map
from vipbench.rows import read_lines
from vipbench.types import Frame, Parsing, SegmentMap, Video, is_name

TASKS = {"semi-supervised": "Annotations", "unsupervised": "Annotations_unsupervised"}
RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
VOID = 255

ABOUT = """\
DAVIS 2016: 50 sequences, 3,455 frames, each annotated with one object; 30 train, 20 val (1,376 frames).
DAVIS 2017: several objects a sequence; 60 train, 30 val (61 objects), test-dev and test-challenge.
Where to ask: https://davischallenge.org (2016: DAVIS; 2017: TrainVal, `Annotations_unsupervised` with the
  unsupervised edition), in 480p and Full-Resolution.
Licence: CC BY-NC 4.0 (annotations and videos, research use; see the site).
Unpack so that ROOT holds Annotations/480p, JPEGImages/480p and ImageSets/2016 (or 2017). To score, JPEGImages
  is not needed; the 2016 package's pair lists ImageSets/480p/val.txt are read as well.
Then: export VIPBENCH_DAVIS=ROOT; vipbench data check davis"""


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
    about = ABOUT

    def __init__(
        self, root: Path, year: int = 2016, resolution: str = "480p", task: str = "semi-supervised"
    ) -> None:
        self.root, self.year, self.resolution, self.task = Path(root), year, resolution, task
        if year not in (2016, 2017):
            raise UserError(f"DAVIS has the years 2016 and 2017, not {year}")
        if resolution not in RESOLUTIONS:
            raise UserError(f"DAVIS has the resolutions {', '.join(RESOLUTIONS)}, not {resolution!r}")
        if task not in TASKS:
            raise UserError(f"DAVIS has the tasks {' and '.join(TASKS)}, not {task!r}")
        if not self.root.is_dir():
            raise UserError(f"{self.root}: no such folder. Pass the root of DAVIS by --data or {self.env}")
        unsupervised = year == 2017 and task == "unsupervised"
        self.version = f"{year} {resolution}" + (" unsupervised" if unsupervised else "")
        self.void: int | None = VOID if unsupervised else None
        self.protocols: tuple[str, ...] = ("davis2016",) if year == 2016 else ("davis2017-semi",)
        if unsupervised:
            self.protocols = ("davis2017-unsup",)
        self.annotations = self.root / (TASKS["unsupervised"] if unsupervised else "Annotations") / resolution
        self.images = self.root / "JPEGImages" / resolution
        self._videos: dict[str, list[Video]] = {}

    def videos(self, split: str) -> Sequence[Video]:
        """The sequences of a split in the order of its list; every frame of DAVIS is annotated.

        Raises UserError for an unknown split, a missing list, and a sequence without any frame.
        """
        if split not in self._videos:
            listed = self.listed(split).items()
            self._videos[split] = [self.sequence(split, name, frames) for name, frames in listed]
        return self._videos[split]

    def sequence(self, split: str, name: str, frames: Sequence[str] = ()) -> Video:
        """One sequence, of the frames given, else of all on disk; tagged with the attributes of 2016.

        Raises UserError if there are no frames.
        """
        images = self.images / name
        addresses = (Frame(name, f, int(f), images / f"{f}.jpg") for f in frames or self._names(name))
        # The attributes were marked for the one object of 2016, not for the several of 2017.
        tags = davis_attributes.tags(name) if self.year == 2016 else ()
        return Video(name, split, tuple(addresses), tags)

    def listed(self, split: str) -> dict[str, list[str]]:
        """Sequences in list order, with their frame names where the list gives them (the 2016 pair lists)."""
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}, only {', '.join(self.splits)}")
        path = self._list(split)
        found: dict[str, list[str]] = {}
        for number, line in enumerate(read_lines(path), 1):
            sequence, name = _address(f"{path}:{number}", line)
            found.setdefault(sequence, []).extend([name] if name else [])
        return found

    def _list(self, split: str) -> Path:
        """Sequence names (`ImageSets/<year>`) or, in the 2016 package, pairs of paths (`ImageSets/480p`)."""
        homes = ("2016", self.resolution) if self.year == 2016 else (str(self.year),)
        candidates = [self.root / "ImageSets" / home / f"{split}.txt" for home in homes]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            mend = "Unpack DAVIS here, or pass the folder that holds ImageSets and Annotations by --data"
            other = 4033 - self.year
            if (self.root / f"ImageSets/{other}").is_dir():
                mend = f"This root has the year {other}: add --year {other}"
            raise ProblemError(candidates[0], f"the list of split {split!r}", "nothing: no such file", mend)
        return found

    def _names(self, sequence: str) -> list[str]:
        found = {*_stems(self.annotations / sequence, ".png"), *_stems(self.images / sequence, ".jpg")}
        names = sorted(name for name in found if name.isdecimal())
        if not names:
            mend = "Unpack DAVIS again, or pass its own root by --data"
            raise ProblemError(self.annotations / sequence, "frames of this listed sequence", "none", mend)
        return names

    def read(self, frame: Frame) -> Parsing:
        """The objects of a frame. Raises UserError for a missing or damaged annotation."""
        if self.year == 2016:
            return Parsing(object=SegmentMap.of((read_ids(self.label(frame)) != 0).view(np.uint8)))
        found = read_map(self.label(frame), self.void)
        if self.void is None and VOID in found.present:
            found = SegmentMap.of(np.where(found.ids == VOID, found.ids.dtype.type(0), found.ids))
        return Parsing(object=found)

    def check(self, split: str) -> list[Problem]:
        """Everything wrong with the files of a split, each with how to mend it."""
        return davis_check.check(self, split)

    def label(self, frame: Frame) -> Path:
        """The annotation of a frame."""
        return home(self.annotations, frame.video) / f"{frame.name}.png"


def _stems(folder: Path, suffix: str) -> list[str]:
    """The names in a folder that end so, without that; none if there is no such folder."""
    names = os.listdir(folder) if folder.is_dir() else []
    return [name.removesuffix(suffix) for name in names if name.endswith(suffix)]


def _address(where: str, line: str) -> tuple[str, str]:
    """The sequence of a list's line, and the frame where the line is a pair of paths (else "")."""
    path = PurePosixPath((line.split() or [""])[0])
    is_pair = path.parent.name != "" and path.stem.isdecimal()
    sequence, frame = (path.parent.name, path.stem) if is_pair else (str(path), "")
    if not is_name(sequence):
        expected = "a sequence name or /JPEGImages/480p/<sequence>/<frame>.jpg"
        raise ProblemError(where, expected, repr(line), "Unpack the lists again")
    return sequence, frame
