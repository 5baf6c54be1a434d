"""How the segments of two label maps overlap.

The joint histogram of a ground truth and a prediction: counts[g, p] is how many pixels are g in the one and
p in the other. Areas, intersections and unions of any segments, or of any sets of them, are sums of it, so
no measure of regions has to look at pixels again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vipbench.types import Ids, SegmentMap


@dataclass(frozen=True, eq=False)
class Overlap:
    """Pixel counts of every pair of segments.

    gt_ids, pred_ids: uint16 [G] and [P], the distinct ids that have pixels, 0 included, ascending.
    counts: int64 [G, P]; its sum is H * W.
    """

    gt_ids: Ids
    pred_ids: Ids
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, gt: SegmentMap, pred: SegmentMap) -> Overlap:
        """The overlap of two maps of the same size: the only loop over the pixels of a pair.

        Raises ValueError for maps of different sizes.
        """
        if gt.size != pred.size:
            raise ValueError(f"maps of different sizes: {gt.size} and {pred.size}")
        joint = (gt.ids.astype(np.uint32) << 16 | pred.ids).ravel()
        # By runs of equal pairs: label maps consist of few and long ones.
        starts = np.append(0, np.flatnonzero(joint[1:] != joint[:-1]) + 1)
        pairs, run = np.unique(joint[starts], return_inverse=True)
        pixels = np.bincount(run, weights=np.diff(starts, append=joint.size))
        gt_ids, rows = np.unique((pairs >> 16).astype(np.uint16), return_inverse=True)
        pred_ids, columns = np.unique((pairs & 0xFFFF).astype(np.uint16), return_inverse=True)
        counts = np.zeros((len(gt_ids), len(pred_ids)), np.int64)
        counts[rows, columns] = pixels
        return cls(gt_ids, pred_ids, counts)

    def ious(self) -> NDArray[np.float64]:
        """Intersection over union of every pair, float64 [G, P] in 0..1: integers, then one division."""
        unions = self.counts.sum(axis=1, keepdims=True) + self.counts.sum(axis=0) - self.counts
        ratios: NDArray[np.float64] = self.counts / unions
        return ratios

    def union_of(self, gt: NDArray[np.bool_], pred: NDArray[np.bool_]) -> tuple[int, int]:
        """(intersection, union) in pixels of the selected gt segments [G], as one, and the pred ones [P]."""
        intersection = int(self.counts[gt][:, pred].sum())
        return intersection, int(self.counts[gt].sum() + self.counts[:, pred].sum()) - intersection
