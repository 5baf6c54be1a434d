"""VIP, Video Instance-level Parsing (Zhou et al., ACM MM 2018): persons and their parts in 404 videos.

Every 25th frame is annotated: the class of each pixel, the persons, and the parts of each person. Person
ids are not consistent over time. HCPLab-SYSU/ATEN vip.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vipbench.datasets import vip_check
from vipbench.datasets.vip_classes import CLASSES, FLIP, flip
from vipbench.datasets.vip_files import VipFiles
from vipbench.errors import Problem, ProblemError, UserError
from vipbench.pixels import read_ids
from vipbench.rows import read_rows
from vipbench.types import Frame, Ids, Parsing, Segment, SegmentMap, Video

__all__ = ["CLASSES", "FLIP", "Vip", "flip"]

ABOUT = """\
VIP (Video Instance-level Parsing): 404 videos, 21,247 frames annotated (every 25th): persons, 19 parts.
Splits: 304 videos train, 50 val, 50 test. The labels of test, on which the paper's table is, are not public.
Where to ask: the links in the README of https://github.com/HCPLab-SYSU/ATEN and the LIP challenge site of the
  SYSU HCP lab, http://sysu-hcp.net/lip/video_parsing.php
Licence: non-commercial research only. Download size: not stated by the authors.
Three downloads: VIP_Fine (annotated frames, labels, lists: enough to score), VIP_Sequence (10 frames before
  and after each, for methods that look at other frames), VIP_Videos (the source videos).
Unpack them side by side below one ROOT (VIP_Fine/, VIP_Sequence/, VIP_Videos/), or merged as the released
  code has it (Images/, Category_ids/, Human_ids/, Instance_ids/, adjacent_frames/, lists/, ...).
Every frame of a video: ffmpeg -i videos1.avi -start_number 1 VIP_Videos/videos1/%012d.jpg
Then: export VIPBENCH_VIP=ROOT; vipbench data check vip"""


class Vip:
    """VIP at `root`, in either layout. A test split that has no labels can be run but not scored."""

    name = "vip"
    version = "2018"
    layers: tuple[str, ...] = ("category", "human", "part")
    classes: tuple[str, ...] = CLASSES
    void: int | None = 255
    protocols: tuple[str, ...] = ("vip-paper", "vip-strict")
    layout = "vip"
    splits: tuple[str, ...] = ("val", "train", "trainval", "test")
    env = "VIPBENCH_VIP"
    about = ABOUT

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.files = VipFiles(self.root)
        self._videos: dict[str, list[Video]] = {}
        if not self.root.is_dir():
            raise UserError(f"{self.root}: no such folder. Pass the root of VIP by --data or {self.env}")

    def videos(self, split: str) -> Sequence[Video]:
        """The videos of a split in the order of its list, each with every frame that has an image.

        Raises UserError for an unknown split and for a missing or malformed list.
        """
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}, only {', '.join(self.splits)}")
        if split not in self._videos:
            listed = self.files.listed(split).items()
            self._videos[split] = [self._video(video, split, names) for video, names in listed]
        return self._videos[split]

    def _video(self, video: str, split: str, names: list[str]) -> Video:
        annotated = {int(name): name for name in names}
        images = sorted(self.files.images(video, names).items())
        frames = (
            Frame(video, annotated.get(number, f"{number:012d}"), number - 1, image, number in annotated)
            for number, image in images
        )
        return Video(video, split, tuple(frames))

    def read(self, frame: Frame) -> Parsing:
        """The three layers of an annotated frame; part rows without pixels are left out, as in the released
        evaluation (`check` reports them).

        Raises UserError for a missing or damaged file and for layers of different sizes.
        """
        ids = {kind: self.ids(kind, frame) for kind in ("Category_ids", "Human_ids", "Instance_ids")}
        for kind, layer in ids.items():
            if layer.shape != ids["Category_ids"].shape:
                where = self.files.label(kind, frame.video, frame.name)
                expected = f"the size of Category_ids, {ids['Category_ids'].shape}"
                raise ProblemError(where, expected, f"{layer.shape}", "Unpack it again from the download")
        part = SegmentMap(ids["Instance_ids"])
        present = set(part.present)
        parts = part.with_rows(row for row in self.parts(frame) if row.id in present)
        return Parsing(SegmentMap(ids["Category_ids"]), SegmentMap.of(ids["Human_ids"]), parts)

    def check(self, split: str) -> list[Problem]:
        """Everything wrong with the files of a split, each with how to mend it."""
        return vip_check.check(self, split)

    def ids(self, kind: str, frame: Frame) -> Ids:
        """One label PNG of a frame, e.g. of kind "Category_rev_ids" (the mirrored classes)."""
        return read_ids(self.files.label(kind, frame.video, frame.name))

    def parts(self, frame: Frame) -> tuple[Segment, ...]:
        """The part list of a frame: rows `part id, class, person`."""
        rows = read_rows(self.files.label("Instance_ids", frame.video, frame.name, ".txt"), "%d %d %d")
        return tuple(Segment(int(part), int(category), int(human)) for part, category, human in rows)
