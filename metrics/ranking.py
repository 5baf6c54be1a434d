"""Detections and ground truths of a data set, and the area below their precision.

All detections of a class are sorted by falling score; ties by video, frame and id, so that the number does
not depend on the file system or on the sorting algorithm. After the k-th, recall = hits / ground truths,
precision = hits / k. Average precision (AP) is the area below the precision, made non-increasing from the
right, at each step of the recall (VOC 2010, all points).

Sizes are COCO's, in pixels of the mask: small < 32^2 <= medium < 96^2 <= large.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vipbench.metrics.measure import Rows, Vector

SIZES = {"s": "small", "m": "medium", "l": "large"}
LIMITS = (32**2, 96**2)
MISS = "-"
Letters = NDArray[np.str_]
Mask = NDArray[np.bool_]


def size(area: int) -> str:
    """The letter, of SIZES, of an area in pixels."""
    return "sml"[bisect_right(LIMITS, area)]


@dataclass(frozen=True)
class Instances:
    """truths: rows (class, frame, id, size). detections: rows (class, -score, frame, id, size, hits).

    size: a letter of SIZES. hits: a text with, for each threshold, the size of the ground truth that the
    detection hits, or MISS.
    """

    truths: Rows = field(default_factory=Rows)
    detections: Rows = field(default_factory=Rows)

    def merge(self, other: Self) -> Self:
        """The rows of both."""
        return type(self)(self.truths.merge(other.truths), self.detections.merge(other.detections))

    def to_json(self) -> Any:
        """{"truths": ..., "detections": ...}."""
        return {"truths": self.truths.to_json(), "detections": self.detections.to_json()}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The inverse of to_json."""
        return cls(Rows.from_json(data["truths"]), Rows.from_json(data["detections"]))

    def counts(self, video: str) -> Counter[tuple[int, str]]:
        """How many ground truths a video has of each (class, size); of all sizes together under size ""."""
        rows = self.truths.videos.get(video, ())
        return Counter((category, letter) for category, *_, own in rows for letter in (own, ""))

    def ranked(self, videos: Sequence[str]) -> dict[int, Ranked]:
        """The detections of each class that has any; those of a video named twice are there twice."""
        rows = [
            (category, negative, video, frame, segment, position, own, hits)
            for position, video in enumerate(videos)
            for category, negative, frame, segment, own, hits in self.detections.videos.get(video, ())
        ]
        of: dict[int, list[Any]] = defaultdict(list)
        for category, *_, position, own, hits in sorted(rows):
            of[category].append((position, own, list(hits)))
        return {c: Ranked(*map(np.array, zip(*found, strict=True))) for c, found in of.items()}


@dataclass(frozen=True, eq=False)
class Ranked:
    """The detections of one class, best first.

    videos: int64 [N], the position of each one's video. sizes: letters [N]. hits: letters [N, T].
    """

    videos: NDArray[np.int64]
    sizes: Letters
    hits: Letters

    def of(self, k: int, letter: str = "") -> Mask:
        """Whether each detection hits at the k-th threshold, best first.

        letter: only those of this size, which is the size of the ground truth that it hits, else its own.
        """
        column = self.hits[:, k]
        if letter:
            column = column[np.where(column == MISS, self.sizes, column) == letter]
        found: Mask = column != MISS
        return found

    def average_precisions(self, weights: Vector, positives: Vector) -> Vector:
        """AP at each threshold, float64 [T, B], where video v is there weights[b, v] times.

        weights: float64 [B, V], whole numbers. positives: float64 [B], ground truths; 0 without any. A
        detection that is there w times is a run of w equals, whose best precision is the last's, so that one
        step of w has the same area.
        """
        times = np.ascontiguousarray(weights.T)[self.videos]
        totals = np.maximum(_running(np.add, times.copy()), 1)
        found = [_area(times[hits], totals[hits]) for hits in map(self.of, range(self.hits.shape[1]))]
        areas: Vector = np.array(found) / np.maximum(positives, 1)
        return areas


def _area(hits: Vector, totals: Vector) -> Vector:
    """The area in units of one hit, float64 [B]. hits, totals: how often each is there, of how many."""
    precision = _running(np.add, hits.copy()) / totals
    _running(np.maximum, precision[::-1])  # the envelope
    area: Vector = np.einsum("hb,hb->b", hits, precision)
    return area


def _running(combine: np.ufunc, rows: Vector) -> Vector:
    """The rows [N, B] accumulated in place: several times faster than numpy's own `accumulate`."""
    for before, row in pairwise(rows):
        combine(before, row, out=row)
    return rows


def average_precision(hits: Sequence[bool] | Mask, positives: int) -> float:
    """AP of detections, best score first, against a number of ground truths; 0 if there are none."""
    if not positives:
        return 0.0
    found = np.cumsum(hits)
    recall = np.concatenate([[0.0], found / positives, [1.0]])
    precision = np.concatenate([[0.0], found / np.arange(1, len(found) + 1), [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return float(np.sum((recall[steps + 1] - recall[steps]) * envelope[steps + 1]))
