"""J, the Jaccard index of a frame: how well the regions agree.

    J = |G and P| / |G or P|

over the pixels of an object in the ground truth (G) and in the prediction (P). Counts are integers, the
division is one of doubles. 0/0, the object in neither map, is 1: there was nothing to find and nothing was
found. Pixels of value 255 are ids like any other here; what a data set means by them its reader settles.

Mean, recall, decay, frames and objects: see series.py. Source: Perazzi et al., CVPR 2016, section 4;
davis2017-evaluation davis2017/metrics.py `db_eval_iou`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vipbench.metrics.measure import Pair
from vipbench.metrics.series import Series, owned


@dataclass(frozen=True)
class J(Series):
    """Region similarity, 0..1, higher is better."""

    name: ClassVar[str] = "J"

    def value(self, pair: Pair, obj: int) -> float:
        """Intersection over union of one object."""
        overlap = pair.overlap(self.layer)
        intersection, union = overlap.union_of(owned(overlap.gt_ids, obj), owned(overlap.pred_ids, obj))
        return intersection / union if union else 1.0
