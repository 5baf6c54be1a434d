"""Which detections of a frame hit a ground truth, and which one: three rules.

`argmax`: a detection looks at the ground truth that it overlaps best and hits it if their IoU compares with
t. Nobody notes that this one was hit before: two halves of one person are two hits at t < .5, and recall and
AP may exceed 1. HCPLab-SYSU/ATEN evaluate/, the same in CIHP's.

`voc`: the same, but the second hit of one ground truth is a miss. PASCAL VOC 2010; soeaver/Parsing-R-CNN
utils/data/evaluation/parsing_eval.py.

`once`: a detection looks at the best ground truth that no earlier one has hit. COCO.

`>` is IoU > t, as in all of these but COCO, whose IoU >= t is `>=`. Of equal IoUs the first ground truth
listed is the best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import raise_first
from vipbench.metrics.measure import Pair
from vipbench.segments import row_problems
from vipbench.types import Segment

Ious = NDArray[np.float64]
Hits = NDArray[np.int64]
Enough = Callable[[NDArray[np.float64]], NDArray[np.bool_]]
Segments = Sequence[Segment]
Matching = Literal["argmax", "voc", "once"]
Compare = Literal[">", ">="]
MISS = -1


def detected(pair: Pair, layer: str, classes: int) -> Segments:
    """The detections of a frame by falling score, ties by id.

    Raises UserError for rows that do not match the pixels and for a class outside 1..classes-1.
    """
    pred = pair.maps(layer)[1]
    raise_first(row_problems(f"{pair.video}, frame {pair.frame}, {layer}", pred, classes))
    return sorted(pred.segments, key=lambda s: (-s.score, s.id))


def true(pair: Pair, layer: str) -> Segments:
    """The rows of the ground truth that have pixels."""
    present = set(pair.overlap(layer).gt_ids.tolist())
    return [s for s in pair.maps(layer)[0].segments if s.id in present]


def matched(ious: Ious, thresholds: Sequence[float], matching: Matching, compare: Compare) -> Hits:
    """The column of the ground truth that each detection hits at each threshold, or MISS: int64 [T, D].

    ious: float64 [D, G], detections by falling score; -1 where classes differ.
    """
    at = np.array(thresholds)[:, None]
    if not ious.size:
        return np.full((len(at), len(ious)), MISS)
    enough = np.greater if compare == ">" else np.greater_equal
    return RULES[matching](ious, lambda values: enough(values, at))


def _argmax(ious: Ious, enough: Enough) -> Hits:
    return np.where(enough(ious.max(axis=1)), ious.argmax(axis=1), MISS)


def _voc(ious: Ious, enough: Enough) -> Hits:
    hits = _argmax(ious, enough)
    for d in range(1, len(ious)):
        again = (hits[:, :d] == hits[:, d : d + 1]).any(axis=1)
        hits[again, d] = MISS
    return hits


def _once(ious: Ious, enough: Enough) -> Hits:
    left = np.repeat(ious[None], len(enough(ious[0, 0])), axis=0)  # [T, D, G]
    hits = []
    for d in range(len(ious)):
        best = left[:, d].argmax(axis=1)
        hit = enough(left[:, d].max(axis=1, keepdims=True))[:, 0]
        left[hit, :, best[hit]] = -1.0
        hits.append(np.where(hit, best, MISS))
    return np.stack(hits, axis=1)


RULES = {"argmax": _argmax, "voc": _voc, "once": _once}
