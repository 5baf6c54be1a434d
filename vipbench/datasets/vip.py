"""VIP, Video Instance-level Parsing (Zhou et al., ACM MM 2018): persons and their parts in 404 videos.

Every 25th frame is annotated: the class of each pixel, the persons, and the parts of each person. Person
ids are not consistent over time. HCPLab-SYSU/ATEN vip.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vipbench.datasets.vip_files import VipFiles
from vipbench.errors import Problem, UserError, raise_first
from vipbench.pixels import read_ids
from vipbench.rows import read_rows, row_problems
from vipbench.types import Frame, Ids, Parsing, Segment, SegmentMap, Video

CLASSES = (
    "background",
    "hat",
    "hair",
    "gloves",
    "sun-glasses",
    "upper-clothes",
    "dress",
    "coat",
    "socks",
    "pants",
    "torso-skin",
    "scarf",
    "skirt",
    "face",
    "left-arm",
    "right-arm",
    "left-leg",
    "right-leg",
    "left-shoe",
    "right-shoe",
)
FLIP = (*range(14), 15, 14, 17, 16, 19, 18)
"""The class of each class in a mirrored picture: left and right change places."""


class Vip:
    """VIP at `root`, in either layout. A test split that has no labels can be run but not scored."""

    name = "vip"
    version = "2018"
    layers: tuple[str, ...] = ("category", "human", "part")
    classes = CLASSES
    void: int | None = 255
    protocols: tuple[str, ...] = ("vip-paper", "vip-strict")
    layout = "vip"
    splits: tuple[str, ...] = ("val", "train", "trainval", "test")
    env = "VIPBENCH_VIP"
    about = ""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.files = VipFiles(self.root)
        if not self.root.is_dir():
            raise UserError(f"{self.root}: no such folder. Pass the root of VIP by --data or {self.env}")

    def videos(self, split: str) -> Sequence[Video]:
        """The videos of a split in the order of its list, each with every frame that has an image.

        Raises UserError for an unknown split and for a missing or malformed list.
        """
        if split not in self.splits:
            raise UserError(f"{self.name} has no split {split!r}, only {', '.join(self.splits)}")
        return [self._video(video, split, names) for video, names in self.files.listed(split).items()]

    def _video(self, video: str, split: str, names: list[str]) -> Video:
        annotated = {int(name): name for name in names}
        images = sorted(self.files.images(video, names).items())
        frames = (
            Frame(video, annotated.get(number, f"{number:012d}"), number - 1, image, number in annotated)
            for number, image in images
        )
        return Video(video, split, tuple(frames))

    def read(self, frame: Frame) -> Parsing:
        """The three layers of an annotated frame.

        Raises UserError for a missing or damaged file, for layers of different sizes, and for part rows
        that do not match the pixels.
        """
        category = SegmentMap(self.ids("Category_ids", frame))
        human = SegmentMap.of(self.ids("Human_ids", frame))
        part = SegmentMap(self.ids("Instance_ids", frame), self.parts(frame))
        parsing = Parsing(category, human, part)
        where = str(self.files.label("Instance_ids", frame.video, frame.name))
        raise_first([*size_problems(where, parsing), *row_problems(where, part, len(CLASSES))])
        return parsing

    def ids(self, kind: str, frame: Frame) -> Ids:
        """One label PNG of a frame, e.g. of kind "Category_rev_ids" (the mirrored classes)."""
        return read_ids(self.files.label(kind, frame.video, frame.name))

    def parts(self, frame: Frame) -> tuple[Segment, ...]:
        """The part list of a frame: rows `part id, class, person`."""
        rows = read_rows(self.files.label("Instance_ids", frame.video, frame.name, ".txt"), "%d %d %d")
        return tuple(Segment(int(part), int(category), int(human)) for part, category, human in rows)


def size_problems(where: str, parsing: Parsing) -> list[Problem]:
    """Layers of another size than the category layer."""
    sizes = {name: parsing.layer(name).size for name in ("category", "human", "part")}
    return [
        Problem(
            where, f"the size of the category layer, {sizes['category']}", f"{name} {size}", "Unpack it again"
        )
        for name, size in sizes.items()
        if size != sizes["category"]
    ]


def flip(parsing: Parsing) -> Parsing:
    """The parsing of the mirrored picture: left and right parts change places, boxes are mirrored."""
    layers = {name: getattr(parsing, name) for name in ("category", "human", "part", "object")}
    flipped = {name: _mirror(layer, name) for name, layer in layers.items() if layer is not None}
    return Parsing(**flipped)


def _mirror(layer: SegmentMap, name: str) -> SegmentMap:
    ids = np.ascontiguousarray(layer.ids[:, ::-1])
    if name == "category":
        swap = np.arange(65536, dtype=np.uint16)
        swap[: len(FLIP)] = FLIP
        ids = swap[ids]
    return SegmentMap(ids, tuple(_mirror_segment(s, name, ids.shape[1]) for s in layer.segments))


def _mirror_segment(segment: Segment, name: str, width: int) -> Segment:
    category = FLIP[segment.category] if name == "part" else segment.category
    if segment.box is None:
        return replace(segment, category=category)
    y1, x1, y2, x2 = segment.box
    return replace(segment, category=category, box=(y1, width - x2, y2, width - x1))
