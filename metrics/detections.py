"""COCO's rule of which detections of a frame are hits.

For four ranges of area and ten IoU thresholds at once. Axes are named

    A area ranges, T thresholds, G truths, D detections.

Source: Lin et al., ECCV 2014; cocoapi, PythonAPI/pycocotools/cocoeval.py `evaluateImg`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vipbench.metrics.measure import Vector

Flags = NDArray[np.bool_]
Ious = NDArray[np.float64]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RANGES = ((0, 1e10), (0, 32**2), (32**2, 96**2), (96**2, 1e10))
"""All, small, medium and large areas in pixels; both ends belong to a range."""
MOST = 100
"""Detections of a frame and category that are looked at."""
CELLS = len(RANGES) * len(THRESHOLDS)
BITS = np.arange(CELLS)


def outside(areas: Vector) -> Flags:
    """Which areas [N] are outside each range, [A, N]."""
    low, high = np.array(RANGES).T[..., None]
    beyond: Flags = (areas < low) | (areas > high)
    return beyond


def match(ious: Ious, crowd: Flags, beyond: Flags, out: Flags) -> tuple[Flags, Flags]:
    """(hits, ignored), each [A, T, D], of one frame's detections of one category.

    ious: [D, G], rows by falling score. crowd: [G]. beyond, out: truths [A, G] and detections [A, D] outside
    the ranges. Each detection in turn takes the free truth of the highest IoU, at or above the threshold;
    of equals the last. Truths that are crowds or outside are ignored, and taken only where no other can be;
    crowds stay free. A detection that took an ignored truth is ignored, and so is one outside that took none.
    """
    cells = (len(RANGES), len(THRESHOLDS))
    set_aside = np.broadcast_to((beyond | crowd)[:, None], (*cells, len(crowd)))
    free = np.ones(set_aside.shape, bool)
    hits, ignored = np.zeros((*cells, len(ious)), bool), np.zeros((*cells, len(ious)), bool)
    ranks = np.argsort(np.argsort(ious, axis=1, kind="stable"), axis=1)
    enough = ious[:, None, :] >= THRESHOLDS[:, None]
    for d in range(len(ious)):
        wish = ranks[d] + np.where(set_aside, 0, len(crowd))
        wish = np.where(enough[d] & free, wish, -1)
        took = wish.max(axis=2, initial=-1) >= 0
        a, t = np.nonzero(took)
        g = wish[a, t].argmax(axis=1) if a.size else a
        free[a, t, g] = crowd[g]
        hits[a, t, d] = ~set_aside[a, t, g]
        ignored[..., d] = ~hits[..., d] & np.where(took, True, out[:, None, d])
    return hits, ignored


def packed(flags: Flags) -> tuple[int, ...]:
    """The flags [A, T, D] as a number for each detection."""
    return tuple((flags.reshape(CELLS, -1).astype(np.int64) << BITS[:, None]).sum(axis=0).tolist())


def unpacked(numbers: Sequence[int]) -> Flags:
    """The inverse of packed."""
    bits = np.array(numbers, np.int64) >> BITS[:, None] & 1
    return bits.astype(bool).reshape(len(RANGES), len(THRESHOLDS), -1)
