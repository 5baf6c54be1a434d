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
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import UserError
from vipbench.metrics.masks import Pairs, drawn
from vipbench.metrics.measure import Pair
from vipbench.metrics.series import Mask, Series, owned
from vipbench.native import native
from vipbench.types import SegmentMap

Points = NDArray[np.int32]
"""Positions y * width + x of pixels, ascending."""

TOLERANCE = 0.008
"""Of the image's diagonal."""

FAR = 255
"""A radius, in pixels, beyond which bit maps are no faster than the k-d tree."""


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
        r = radius(pair.size, self.tolerance)
        return [
            found.f for found in contours(*pair.maps("object"), tuple(zip(objects, objects, strict=True)), r)
        ]


class Contours(NamedTuple):
    """Of a boundary of the ground truth and one of the prediction: the pixels of each, and those matched."""

    gt: int
    gt_matched: int
    pred: int
    pred_matched: int

    @property
    def f(self) -> float:
        """F of the two."""
        precision = self.pred_matched / self.pred if self.pred else 1.0
        recall = self.gt_matched / self.gt if self.gt else 1.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@lru_cache(1024)
def radius(size: tuple[int, int], tolerance: float = TOLERANCE) -> int:
    """How far, in pixels, a boundary pixel of an image of (height, width) may lie from its match.

    At most height + width, which reaches every pixel.
    """
    height, width = size
    reach = tolerance if tolerance >= 1 else tolerance * math.sqrt(height * height + width * width)
    return min(math.ceil(reach), height + width)


def contours(gt: SegmentMap, pred: SegmentMap, pairs: Pairs, r: int) -> list[Contours]:
    """What F at radius r is made of, for pairs of an object of the ground truth and one of the prediction.

    The maps are of the same size.
    """
    masks = drawn(gt, pred, pairs) if r <= FAR else None
    if not native or not masks:
        return _contours(gt, pred, pairs, r)
    return list(map(Contours._make, struct.iter_unpack("4i", native.contours(*masks, r))))


def _contours(gt: SegmentMap, pred: SegmentMap, pairs: Pairs, r: int) -> list[Contours]:
    """The definition of `contours`."""
    one = {obj: boundary(owned(gt.ids, obj)) for obj, _ in pairs}
    other = {obj: boundary(owned(pred.ids, obj)) for _, obj in pairs}
    width = gt.size[1]
    return [
        Contours(
            len(one[i]),
            matched(one[i], other[k], r, width),
            len(other[k]),
            matched(other[k], one[i], r, width),
        )
        for i, k in pairs
    ]


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
    from scipy.spatial import cKDTree

    if not len(points) or not len(others):
        return 0
    tree = cKDTree(_places(others, width), balanced_tree=False, compact_nodes=False)
    # Neighbours are sought below the bound; distances are roots of integers, so <= r is decided exactly.
    distances, _ = tree.query(_places(points, width), distance_upper_bound=r + 0.5)
    return int(np.count_nonzero(distances <= r))


def _places(points: Points, width: int) -> NDArray[np.int32]:
    places: NDArray[np.int32] = np.stack(np.divmod(points, np.int32(width)), axis=1)
    return places
