"""J, the Jaccard index of a frame: how well the regions agree.

    J = |G and P| / |G or P|

over the pixels of an object in the ground truth (G) and in the prediction (P). Counts are integers, the
division is one of doubles. 0/0, the object in neither map, is 1: there was nothing to find and nothing was
found. Pixels of value 255 are ids like any other here; what a data set means by them its reader settles.

Mean, recall, decay, frames and objects: see series.py. Source: Perazzi et al., CVPR 2016, section 4;
davis2017-evaluation davis2017/metrics.py `db_eval_iou`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from vipbench.metrics.masks import drawn
from vipbench.metrics.measure import Pair
from vipbench.metrics.overlap import Counts
from vipbench.metrics.series import FOREGROUND, Series
from vipbench.native import native


@dataclass(frozen=True)
class J(Series):
    """Region similarity, 0..1, higher is better."""

    name: ClassVar[str] = "J"

    def values(self, pair: Pair, objects: tuple[int, ...]) -> list[float]:
        """Intersection over union of each object."""
        return pair.once(("J", objects), lambda: self._values(pair, objects))

    def _values(self, pair: Pair, objects: tuple[int, ...]) -> list[float]:
        return [jaccard(*counts) for counts in overlaps(pair, objects)]


def overlaps(pair: Pair, objects: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
    """Of each object: pixels that are its own in both maps, in the ground truth, in the prediction."""
    masks = drawn(*pair.maps("object"), tuple(zip(objects, objects, strict=True)))
    if native and masks:
        return struct.iter_unpack("3i", native.overlaps(*masks))
    both, gt, pred = areas(pair, objects, objects)
    return zip(both.diagonal().tolist(), gt.tolist(), pred.tolist(), strict=True)


def areas(pair: Pair, objects: tuple[int, ...], found: tuple[int, ...]) -> tuple[Counts, Counts, Counts]:
    """Pixels of each of these objects in the ground truth and of those in the prediction, int64.

    Returns what they share [objects, found], and the areas [objects] and [found].
    """
    overlap = pair.overlap("object")
    rows, columns = _members(overlap.gt_ids.tobytes(), objects), _members(overlap.pred_ids.tobytes(), found)
    own = rows @ overlap.counts
    return own @ columns.T, own.sum(axis=1), columns @ overlap.counts.sum(axis=0)


@lru_cache(1024)
def _members(ids: bytes, objects: tuple[int, ...]) -> Counts:
    """1 where an id, of uint16 [n], belongs to an object: int64 [objects, n]."""
    known, one = np.frombuffer(ids, np.uint16), objects == (FOREGROUND,)
    members = (known != 0)[np.newaxis] if one else np.array(objects)[:, np.newaxis] == known
    found: Counts = members.astype(np.int64)
    return found


def jaccard(shared: int, gt: int, pred: int) -> float:
    """J of two areas in pixels that share so many."""
    union = gt + pred - shared
    return shared / union if union else 1.0
