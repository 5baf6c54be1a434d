"""How the segments of two label maps overlap.

The joint histogram of a ground truth and a prediction: counts[g, p] is how many pixels are g in the one and
p in the other. Areas, intersections and unions of any segments, or of any sets of them, are sums of it, so
no measure of regions has to look at pixels again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vipbench.types import SegmentMap

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Overlap:
    """Pixel counts of every pair of segments.

    gt_ids, pred_ids: uint16 [G] and [P], the distinct ids that have pixels, 0 included, ascending.
    counts: int64 [G, P]; its sum is H * W.
    """

    gt_ids: NDArray[np.uint16]
    pred_ids: NDArray[np.uint16]
    counts: Counts

    @classmethod
    def of(cls, gt: SegmentMap, pred: SegmentMap) -> Overlap:
        """The overlap of two maps of the same size.

        Raises ValueError for maps of different sizes.
        """
        return cls(gt.runs.ids, pred.runs.ids, gt.runs.joint(pred.runs))

    def ious(self) -> NDArray[np.float64]:
        """Intersection over union of every pair, float64 [G, P] in 0..1: integers, then one division."""
        unions = self.counts.sum(axis=1, keepdims=True) + self.counts.sum(axis=0) - self.counts
        ratios: NDArray[np.float64] = self.counts / unions
        return ratios
