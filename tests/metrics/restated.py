"""The measures said once more, slowly and in another way, to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation

from vipbench.types import SegmentMap

Array = np.ndarray[Any, Any]


def boundary(mask: Array) -> Array:
    """davis2017-evaluation `_seg2bmap`, pixel by pixel."""
    height, width = mask.shape
    found = np.zeros(mask.shape, bool)
    for y in range(height):
        for x in range(width):
            neighbours = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            inside = [(v, u) for v, u in neighbours if v < height and u < width]
            found[y, x] = any(mask[n] != mask[y, x] for n in inside)
    return found


def disk(radius: int) -> Array:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius


def f_measure(gt: Array, pred: Array) -> float:
    """davis2017-evaluation `f_measure`, by dilation."""
    radius = int(np.ceil(0.008 * np.linalg.norm(gt.shape)))
    ours, theirs = boundary(pred), boundary(gt)
    wide_ours, wide_theirs = (binary_dilation(b, disk(radius)) for b in (ours, theirs))
    hit_ours, hit_theirs = (ours & wide_theirs).sum(), (theirs & wide_ours).sum()
    if ours.sum() == 0 and theirs.sum() > 0:
        precision, recall = 1.0, 0.0
    elif ours.sum() > 0 and theirs.sum() == 0:
        precision, recall = 0.0, 1.0
    elif ours.sum() == 0 and theirs.sum() == 0:
        precision, recall = 1.0, 1.0
    else:
        precision, recall = hit_ours / float(ours.sum()), hit_theirs / float(theirs.sum())
    return 0.0 if precision + recall == 0 else float(2 * precision * recall / (precision + recall))


def iou(a: Array, b: Array) -> Fraction:
    return Fraction(int((a & b).sum()), int((a | b).sum()))


def precision_area(hits: Sequence[bool], positives: int) -> Fraction:
    """Every hit is a step 1/positives wide and as high as the best precision from there on."""
    best = [max(Fraction(sum(hits[: j + 1]), j + 1) for j in range(k, len(hits))) for k in range(len(hits))]
    return sum((Fraction(1, positives) * best[k] for k, hit in enumerate(hits) if hit), Fraction(0))


def average_precision(
    frames: Sequence[tuple[str, str, SegmentMap, SegmentMap]], category: int, t: Fraction, strict: bool
) -> Fraction | None:
    """AP of a class over (video, frame, truth, prediction); None without a ground truth."""
    hits, positives = [], 0
    for video, frame, gt, pred in frames:
        truths = [gt.ids == s.id for s in gt.segments if s.category == category and (gt.ids == s.id).any()]
        positives += len(truths)
        taken: set[int] = set()
        for s in sorted(pred.segments, key=lambda s: (-s.score, s.id)):
            if s.category != category:
                continue
            ious = [iou(pred.ids == s.id, truth) for truth in truths]
            left = [g for g in range(len(truths)) if g not in taken]
            best = max(left if strict else range(len(truths)), key=lambda g: ious[g], default=None)
            hit = best is not None and (ious[best] >= t if strict else ious[best] > t)
            if strict and hit:
                taken.add(best)
            hits.append((-s.score, video, frame, s.id, hit))
    return precision_area([row[-1] for row in sorted(hits)], positives) if positives else None
