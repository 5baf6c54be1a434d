"""Where VIP keeps each kind of file, in either layout, and what its lists say.

Layout A is the merged root that the released code reads (`Images/`, `Category_ids/`, ...); layout B is the
downloads as they unpack (`VIP_Fine/Images/`, `VIP_Fine/Annotations/Category_ids/`, `VIP_Sequence/`, ...).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vipbench.errors import ProblemError, UserError
from vipbench.rows import read_lines
from vipbench.types import is_name

HOMES = ("", "Annotations", "VIP_Fine", "VIP_Fine/Annotations", "VIP_Sequence")


@dataclass(frozen=True)
class VipFiles:
    """The files below a root. A video's frames go by their 12-digit, 1-based number in the source video."""

    root: Path

    def folder(self, kind: str) -> Path:
        """The folder of a kind of file, e.g. "Human_ids"; where layout A has it if it is in neither."""
        if kind not in self._folders:
            homes = [self.root / home / kind for home in HOMES]
            self._folders[kind] = next((home for home in homes if home.is_dir()), homes[0])
        return self._folders[kind]

    @cached_property
    def _folders(self) -> dict[str, Path]:
        """Those asked for so far, since each frame asks for several."""
        return {}

    def label(self, kind: str, video: str, name: str, suffix: str = ".png") -> Path:
        """A label file of an annotated frame."""
        return self.folder(kind) / video / f"{name}{suffix}"

    def image(self, video: str, name: str) -> Path:
        """The image of an annotated frame."""
        return self.folder("Images") / video / f"{name}.jpg"

    def has_list(self, split: str) -> bool:
        """Whether the list of the split is there."""
        return (self.folder("lists") / f"{split}_id.txt").is_file()

    def listed(self, split: str) -> dict[str, list[str]]:
        """The annotated frames of a split by video, in the order of its list.

        Without their own list, train is trainval less val, and val is what trainval has of `val_videos.txt`.
        Raises UserError for a missing list or a line that is not `<video>/<frame number>`.
        """
        if split in ("train", "val") and not self.has_list(split) and self.has_list("trainval"):
            validation = set(self._validation())
            frames = self.listed("trainval")
            return {v: names for v, names in frames.items() if (v in validation) == (split == "val")}
        path = self.folder("lists") / f"{split}_id.txt"
        if not path.is_file():
            mend = "Unpack VIP_Fine here, or pass the folder that holds `lists` or `VIP_Fine` by --data"
            raise ProblemError(path, f"the list of split {split!r}", "nothing: no such file", mend)
        frames = {}
        for number, line in enumerate(read_lines(path), 1):
            video, name = _address(path, number, line)
            frames.setdefault(video, []).append(name)
        return {video: sorted(set(names), key=int) for video, names in frames.items()}

    def _validation(self) -> list[str]:
        if self.has_list("val"):
            return list(self.listed("val"))
        return [line.strip() for line in read_lines(self.folder("lists") / "val_videos.txt")]

    def images(self, video: str, annotated: list[str]) -> dict[int, Path]:
        """The image of each frame number of a video, annotated or not, at whatever density is on disk.

        Annotated frames come from `Images`, their neighbours from `adjacent_frames`, all others from the
        decoded video in `VIP_Videos/<video>/`, and so do neighbours that are only listed.
        """
        decoded = _numbered(self.folder("VIP_Videos") / video)
        found = dict(decoded)
        for name in annotated:
            around = self.neighbours(video, name)
            found |= {n: path for n, path in around.items() if n not in decoded or path.is_file()}
        return found | {int(name): self.image(video, name) for name in annotated}

    def neighbours(self, video: str, name: str) -> dict[int, Path]:
        """The images around an annotated frame: those its front and behind lists name, else all there are."""
        folder = self._adjacent() / video / name
        lists = [self.label(f"{side}_frame_list", video, name, ".txt") for side in ("front", "behind")]
        if not any(path.is_file() for path in lists):
            return _numbered(folder)
        numbers = [n for path in lists if path.is_file() for n in read_numbers(path)]
        return {number: folder / f"{number:012d}.jpg" for number in numbers}

    def _adjacent(self) -> Path:
        folder = self.folder("adjacent_frames")
        return folder if folder.is_dir() else self.root / "VIP_Sequence"


def read_numbers(path: Path) -> list[int]:
    """The frame numbers of a front or behind list, one a line. Raises UserError for anything else."""
    try:
        return [int(line) for line in read_lines(path)]
    except ValueError as error:
        raise UserError(f"{path}: expected one frame number a line ({error}). Unpack it again") from None


def _numbered(folder: Path) -> dict[int, Path]:
    """The images of a folder whose names are frame numbers."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        paths = [Path(entry.path) for entry in entries]
    return {int(p.stem): p for p in paths if p.suffix in (".jpg", ".png") and p.stem.isdecimal()}


def _address(path: Path, number: int, line: str) -> tuple[str, str]:
    video, _, name = line.strip().rpartition("/")
    if not is_name(video) or not name.isdecimal():
        raise ProblemError(f"{path}:{number}", "<video>/<frame number>", repr(line), "Unpack the lists again")
    return video, name
