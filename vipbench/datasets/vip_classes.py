"""The classes of VIP and what becomes of them in a mirrored picture. HCPLab-SYSU/ATEN vip.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vipbench.parts import CLASSES as CLASSES
from vipbench.types import Ids, Parsing, Segment, SegmentMap

FLIP: tuple[int, ...] = (*range(14), 15, 14, 17, 16, 19, 18)
"""The class of each class in a mirrored picture: left and right change places."""


def flip(parsing: Parsing) -> Parsing:
    """The parsing of the mirrored picture: left and right parts change places, boxes are mirrored."""
    layers = {name: getattr(parsing, name) for name in ("category", "human", "part", "object")}
    flipped = {name: _mirror(layer, name) for name, layer in layers.items() if layer is not None}
    return Parsing.of(flipped)


def flip_classes(ids: Ids) -> Ids:
    """A class map mirrored, with left and right swapped: what `Category_rev_ids` holds."""
    swap = np.arange(65536, dtype=np.uint16)
    swap[: len(FLIP)] = FLIP
    return swap[ids[:, ::-1]]


def _mirror(layer: SegmentMap, name: str) -> SegmentMap:
    ids: Ids = flip_classes(layer.ids) if name == "category" else layer.ids[:, ::-1]
    return SegmentMap(ids, tuple(_mirror_segment(s, name, ids.shape[1]) for s in layer.segments))


def _mirror_segment(segment: Segment, name: str, width: int) -> Segment:
    category = FLIP[segment.category] if name == "part" else segment.category
    if segment.box is None:
        return replace(segment, category=category)
    y1, x1, y2, x2 = segment.box
    return replace(segment, category=category, box=(y1, width - x2, y2, width - x1))
