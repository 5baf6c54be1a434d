"""The masks of objects in two label maps as bits, for the kernels: drawn once for all that is measured."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from vipbench.metrics.series import FOREGROUND
from vipbench.native import native
from vipbench.runs import Runs
from vipbench.types import SegmentMap

Pairs = tuple[tuple[int, int], ...]
"""Of objects, an id or FOREGROUND, with pixels or not: one of the ground truth, one of the prediction."""

ROOM = 1 << 30
"""How many pixels all masks may have together."""


def drawn(gt: SegmentMap, pred: SegmentMap, pairs: Pairs) -> tuple[object, object, bytes] | None:
    """The masks of either map, and the pairs in their numbers, as the kernels take them.

    The maps are of the same size. None where there are no kernels, no pixels, no pairs, or far too many.
    """
    pixels = math.prod(gt.size)
    if not native or not pixels or not pairs:
        return None
    one, other, numbered = _numbered(pairs)
    if (len(one) + len(other)) * pixels > ROOM:
        return None
    return _masks(gt.runs, one), _masks(pred.runs, other), numbered


def _masks(runs: Runs, objects: tuple[int, ...]) -> object:
    """The masks of the objects, numbered 1.. ."""
    if native and objects not in runs.masks:
        groups = _groups(objects, int(runs.ids[-1]))
        runs.masks[objects] = native.masks(runs.starts, runs.values, groups, len(objects), *runs.size)
    return runs.masks[objects]


@lru_cache(1024)
def _groups(objects: tuple[int, ...], highest: int) -> bytes:
    """The mask 1.. of each id up to the highest, 0 for none, as uint16."""
    groups = np.zeros(highest + 1, np.uint16)
    for mask, obj in enumerate(objects, 1):
        if obj == FOREGROUND:
            groups[1:] = mask
        elif 0 < obj <= highest:
            groups[obj] = mask
    return groups.tobytes()


@lru_cache(1024)
def _numbered(pairs: Pairs) -> tuple[tuple[int, ...], tuple[int, ...], bytes]:
    """The distinct objects of either side, and the pairs in numbers of their masks, as uint16."""
    gt, pred = (
        {obj: mask for mask, obj in enumerate(dict.fromkeys(side), 1)} for side in zip(*pairs, strict=True)
    )
    return tuple(gt), tuple(pred), np.array([(gt[i], pred[k]) for i, k in pairs], np.uint16).tobytes()
