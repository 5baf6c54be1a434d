"""F, the boundary measure of a frame: how well the outlines agree, to within a few pixels.

The boundary of a mask is where a 2x2 block of pixels is not uniform, marked at the block's upper left pixel;
in the last row only the right neighbour is compared, in the last column only the lower one. The border of
the image is no boundary: a mask that fills the image has none.

A boundary pixel is matched if the other map has one within

    r = ceil(tolerance * sqrt(H^2 + W^2))        (tolerance 0.008: 8 pixels at 854x480)

in Euclidean distance, centre to centre; this is what dilation by a disk of radius r tests. With the number
of boundary pixels n and of matched ones m of prediction (P) and ground truth (G),

    precision = mP / nP,   recall = mG / nG,   F = 2 * precision * recall / (precision + recall)

0/0: no boundary in the prediction has precision 1, none in the ground truth recall 1; F = 0 where precision
and recall both are 0. So F = 0 if one boundary is empty, and 1 if both are, even for different masks (an
empty prediction of an object that fills the image: J = 0, F = 1). All else are integers up to the two
divisions, so any way to count gives the same bits: the outlines of all objects of a map are found in one
scan, and neighbours are looked up in a bit map of the other outline, or in a k-d tree.

Mean, recall, decay, frames and objects: see series.py. Source: Martin et al., PAMI 2004; Perazzi et al.,
CVPR 2016, section 4; davis2017-evaluation davis2017/metrics.py `f_measure`, `_seg2bmap`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import UserError
from vipbench.metrics.measure import Pair
from vipbench.metrics.series import FOREGROUND, Mask, Series, owned
from vipbench.native import native
from vipbench.types import SegmentMap

Points = NDArray[np.int32]
"""Positions y * width + x of pixels, ascending."""

TOLERANCE = 0.008
"""Of the image's diagonal."""


@dataclass(frozen=True)
class F(Series):
    """Contour accuracy, 0..1, higher is better. tolerance: below 1 a share of the diagonal, else pixels."""

    tolerance: float = TOLERANCE
    name: ClassVar[str] = "F"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.tolerance < math.inf:
            raise UserError(f"{self.name}: tolerance={self.tolerance} is not known, expected 0 or more")

    def values(self, pair: Pair, objects: tuple[int, ...]) -> list[float]:
        """The boundary measure of each object."""
        return pair.once(("F", self.tolerance, objects), lambda: self._values(pair, objects))

    def _values(self, pair: Pair, objects: tuple[int, ...]) -> list[float]:
        gt, pred = outlines(pair, objects, objects)
        r, width = radius(pair.size, self.tolerance), pair.size[1]
        return [boundary_f(gt[obj], pred[obj], r, width) for obj in objects]


def outlines(pair: Pair, objects: tuple[int, ...], found: tuple[int, ...]) -> list[dict[int, Points]]:
    """The boundaries of these objects in the ground truth, and of those in the prediction, made once."""
    sides = zip(("gt", "pred"), pair.maps("object"), (objects, found), strict=True)
    return [pair.once(("boundaries", side, ids), partial(boundaries, m, ids)) for side, m, ids in sides]


def radius(size: tuple[int, int], tolerance: float = TOLERANCE) -> int:
    """How far, in pixels, a boundary pixel of an image of (height, width) may lie from its match.

    At most height + width, which reaches every pixel.
    """
    height, width = size
    reach = tolerance if tolerance >= 1 else tolerance * math.sqrt(height * height + width * width)
    return min(math.ceil(reach), height + width)


def boundaries(found: SegmentMap, objects: Sequence[int]) -> dict[int, Points]:
    """The boundary of each object, an id or FOREGROUND."""
    height, width = found.size
    if not native or not found.ids.size or not objects:
        return {obj: boundary(owned(found.ids, obj)) for obj in objects}
    runs = found.runs
    groups = np.zeros(max(int(runs.ids[-1]), *objects) + 1, np.uint16)
    for mask, obj in enumerate(objects, 1):
        groups[slice(1, None) if obj == FOREGROUND else obj] = mask
    drawn = native.boundaries(runs.starts, runs.values, groups, len(objects), height, width)
    ends, points = (np.frombuffer(part, np.int32) for part in drawn)
    return {obj: points[ends[i] : ends[i + 1]] for i, obj in enumerate(objects)}


def boundary(mask: Mask) -> Points:
    """The definition: the boundary pixels of a mask [H, W]."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros(0, np.int32)
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    # One more pixel on each side where there is one; beyond the image's edge, the edge itself again.
    block = np.pad(mask[top : rows[-1] + 2, left : columns[-1] + 2], ((0, 1), (0, 1)), mode="edge")
    corner, right, below, across = block[:-1, :-1], block[:-1, 1:], block[1:, :-1], block[1:, 1:]
    y, x = np.divmod(
        np.flatnonzero((corner != right) | (corner != below) | (corner != across)), corner.shape[1]
    )
    points: Points = ((y + top) * mask.shape[1] + x + left).astype(np.int32)
    return points


def matched(points: Points, others: Points, r: int, width: int) -> int:
    """How many of the points have one of the others within distance r, in an image of this width."""
    if not len(points) or not len(others):
        return 0
    return native.matched(points, others, r, width) if native else _matched(points, others, r, width)


def _matched(points: Points, others: Points, r: int, width: int) -> int:
    """The definition: the nearest neighbour is not further than r."""
    from scipy.spatial import cKDTree

    tree = cKDTree(_places(others, width), balanced_tree=False, compact_nodes=False)
    # Neighbours are sought below the bound; distances are roots of integers, so <= r is decided exactly.
    distances, _ = tree.query(_places(points, width), distance_upper_bound=r + 0.5)
    return int(np.count_nonzero(distances <= r))


def _places(points: Points, width: int) -> NDArray[np.int32]:
    places: NDArray[np.int32] = np.stack(np.divmod(points, np.int32(width)), axis=1)
    return places


def boundary_f(gt: Points, pred: Points, r: int, width: int) -> float:
    """F of two boundaries at radius r, in an image of this width."""
    precision = matched(pred, gt, r, width) / len(pred) if len(pred) else 1.0
    recall = matched(gt, pred, r, width) / len(gt) if len(gt) else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
