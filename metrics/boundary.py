"""F, the boundary measure of a frame: how well the outlines agree, to within a few pixels.

The boundary of a mask is where a 2x2 block of pixels is not uniform, marked at the block's upper left pixel;
in the last row only the right neighbour is compared, in the last column only the lower one. The border of
the image is no boundary: a mask that fills the image has none.

A boundary pixel is matched if the other map has one within

    r = ceil(0.008 * sqrt(H^2 + W^2))        (8 pixels at 854x480)

in Euclidean distance, centre to centre; this is what dilation by a disk of radius r tests. With the number
of boundary pixels n and of matched ones m of prediction (P) and ground truth (G),

    precision = mP / nP,   recall = mG / nG,   F = 2 * precision * recall / (precision + recall)

0/0: no boundary in the prediction has precision 1, none in the ground truth recall 1; F = 0 where precision
and recall both are 0. So F = 0 if one boundary is empty, and 1 if both are, even for different masks (an
empty prediction of an object that fills the image: J = 0, F = 1). All else are integers up to the two
divisions, so any way to count gives the same bits; this one looks up nearest neighbours in a k-d tree.

Mean, recall, decay, frames and objects: see series.py. Source: Martin et al., PAMI 2004; Perazzi et al.,
CVPR 2016, section 4; davis2017-evaluation davis2017/metrics.py `f_measure`, `_seg2bmap`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vipbench.metrics.measure import Pair
from vipbench.metrics.series import Mask, Series, owned

Points = NDArray[np.intp]

TOLERANCE = 0.008
"""Of the image's diagonal."""


@dataclass(frozen=True)
class F(Series):
    """Contour accuracy, 0..1, higher is better."""

    name: ClassVar[str] = "F"

    def value(self, pair: Pair, obj: int) -> float:
        """The boundary measure of one object."""
        gt, pred = pair.maps(self.layer)
        return boundary_f(boundary(owned(gt.ids, obj)), boundary(owned(pred.ids, obj)), radius(gt.size))


def radius(size: tuple[int, int]) -> int:
    """How far, in pixels, a boundary pixel of an image of (height, width) may lie from its match."""
    height, width = size
    return math.ceil(TOLERANCE * math.sqrt(height * height + width * width))


def boundary(mask: Mask) -> Points:
    """The (y, x) of the boundary pixels of a mask [H, W], in reading order [n, 2]."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((0, 2), np.intp)
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    # One more pixel on each side where there is one; beyond the image's edge, the edge itself again.
    block = np.pad(mask[top : rows[-1] + 2, left : columns[-1] + 2], ((0, 1), (0, 1)), mode="edge")
    corner, right, below, across = block[:-1, :-1], block[:-1, 1:], block[1:, :-1], block[1:, 1:]
    mixed = (corner != right) | (corner != below) | (corner != across)
    points: Points = np.argwhere(mixed) + np.array([top, left])
    return points


def matched(points: Points, others: Points, r: int) -> int:
    """How many of the points [n, 2] have one of the others [m, 2] within distance r."""
    from scipy.spatial import cKDTree

    if not len(points) or not len(others):
        return 0
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    # Neighbours are sought below the bound; distances are roots of integers, so <= r is decided exactly.
    distances, _ = tree.query(points, distance_upper_bound=r + 0.5)
    return int(np.count_nonzero(distances <= r))


def boundary_f(gt: Points, pred: Points, r: int) -> float:
    """F of two boundaries [n, 2] at radius r."""
    precision = matched(pred, gt, r) / len(pred) if len(pred) else 1.0
    recall = matched(gt, pred, r) / len(gt) if len(gt) else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
