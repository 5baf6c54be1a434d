"""AP of persons by box.

As AP^r, but the IoU is of boxes (y1, x1, y2, x2), y2 and x2 exclusive. The box of a row is the one that is
listed with it, of a detection the detector's; where none is listed, the tightest around its pixels. An empty
box overlaps nothing. Sizes are still those of the masks.

Source: HCPLab-SYSU/ATEN evaluate/test_ap.py `compute_bbox_ap`, which its main program leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vipbench.metrics.ap import APr
from vipbench.metrics.matching import Ious, Segments
from vipbench.metrics.measure import Pair
from vipbench.types import Box, SegmentMap


@dataclass(frozen=True)
class APb(APr):
    """Average precision of persons by their boxes, 0..1 (above 1 is possible with `argmax`)."""

    name: ClassVar[str] = "APb"

    def ious(self, pair: Pair, found: Segments, truths: Segments) -> Ious:
        """The IoUs of the boxes of detections with those of ground truths, float64 [D, G]."""
        gt, pred = pair.maps(self.layer)
        return box_ious(boxes(pred, found), boxes(gt, truths))


def boxes(layer: SegmentMap, segments: Segments) -> Sequence[Box]:
    """The box of each segment: its own or the tightest around its pixels, (0, 0, 0, 0) without any."""
    return [s.box or _tightest(layer, s.id) for s in segments]


def _tightest(layer: SegmentMap, segment: int) -> Box:
    rows, columns = (np.flatnonzero((layer.ids == segment).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return 0, 0, 0, 0
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def box_ious(found: Sequence[Box], truths: Sequence[Box]) -> Ious:
    """The IoU of each pair of boxes, float64 [D, G] in 0..1; 0 where either is empty."""
    d, g = (np.array(side, np.int64).reshape(-1, 4) for side in (found, truths))
    top_left = np.maximum(d[:, None, :2], g[None, :, :2])
    bottom_right = np.minimum(d[:, None, 2:], g[None, :, 2:])
    both = np.maximum(bottom_right - top_left, 0).prod(axis=-1)
    unions = _areas(d)[:, None] + _areas(g) - both
    ious: Ious = np.divide(both, unions, out=np.zeros(both.shape), where=(both > 0) & (unions > 0))
    return ious


def _areas(sides: NDArray[np.int64]) -> NDArray[np.int64]:
    areas: NDArray[np.int64] = (sides[:, 2:] - sides[:, :2]).prod(axis=-1)
    return areas
