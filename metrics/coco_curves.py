"""COCO's twelve numbers of ranked detections, for any weighting of the videos.

Axes are those of `detections`, and V videos, B weightings of them, R recalls, C cuts, K categories.

Source: cocoapi, PythonAPI/pycocotools/cocoeval.py `accumulate` and `summarize`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vipbench.metrics.detections import MOST, RANGES, THRESHOLDS, Flags, unpacked
from vipbench.metrics.measure import Row, Vector, Weights

PRECISION: dict[str, tuple[int, slice]] = {
    "AP": (0, slice(None)),
    "AP50": (0, slice(0, 1)),
    "AP75": (0, slice(5, 6)),
    "APs": (1, slice(None)),
    "APm": (2, slice(None)),
    "APl": (3, slice(None)),
}
"""Of which area range and thresholds."""
RECALL = {
    "AR1": (0, 1),
    "AR10": (0, 10),
    "AR100": (0, MOST),
    "ARs": (1, MOST),
    "ARm": (2, MOST),
    "ARl": (3, MOST),
}
"""The cuts: of which area range, and of how many detections per frame and category."""
KEYS = (*PRECISION, *RECALL)
RECALLS = np.linspace(0, 1, 101)
TINY = np.spacing(1)


@dataclass(frozen=True, eq=False)
class Ranked:
    """The detections of one category by falling score; ties by video, frame and order there.

    videos, ranks: int [D], index of the video and place within frame and category. hits, misses: [A, T, D].
    truths: int [A, V], how many count in each video.
    """

    videos: NDArray[np.int64]
    ranks: NDArray[np.int64]
    hits: Flags
    misses: Flags
    truths: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Row]], count: int) -> Ranked:
        """rows: (index of one of `count` videos, (truths, scores, hits, ignored)) as in COCO's state."""
        truths = np.zeros((len(RANGES), count), np.int64)
        found: list[tuple[int, int, float, int, int]] = []
        for video, (number, *columns) in rows:
            truths[:, video] += number
            found += [(video, rank, *row) for rank, row in enumerate(zip(*columns, strict=True))]
        found.sort(key=lambda row: -row[2])
        videos, ranks, _, hits, ignored = zip(*found, strict=True) if found else [()] * 5
        hit = unpacked(hits)
        return cls(np.array(videos, int), np.array(ranks, int), hit, ~hit & ~unpacked(ignored), truths)


@dataclass(frozen=True, eq=False)
class Curves:
    """precision: [B, A, T, R] at each of RECALLS, or their mean [B, A, T, 1]. recall: [B, C, T] at each cut.

    NaN without truths.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def curves(ranked: Ranked, weights: Weights, averaged: bool = False) -> Curves:
    """The curves where each video, and all that is in it, counts so many times: weights int [B, V].

    averaged: of precision the mean over the recalls alone, which is much faster and differs in the last bits.
    """
    weight, truths = weights[:, ranked.videos].astype(float), weights @ ranked.truths.T  # [B, D], [B, A]
    some = np.where(truths > 0, truths, np.nan)
    best, times = _steps(ranked, weight, some)
    if averaged:
        precision = (best * times).sum(axis=3, keepdims=True) / len(RECALLS)
    else:
        precision = np.repeat(best.ravel(), times.ravel()).reshape(*best.shape[:3], len(RECALLS))
    precision = np.where(np.isnan(some)[:, :, None, None], np.nan, precision)
    recall = np.empty((len(weights), len(RECALL), len(THRESHOLDS)))
    for c, (area, most) in enumerate(RECALL.values()):
        found = ranked.hits[area] & (ranked.ranks < most)
        recall[:, c] = weight @ found.T.astype(float) / some[:, area, None]
    return Curves(precision, recall)


def _steps(ranked: Ranked, weight: Vector, truths: Vector) -> tuple[Vector, NDArray[np.int64]]:
    """The best precision from each detection on, and how many of RECALLS it reaches first: [B, A, T, D + 1].

    The last is 0, for recalls that are not reached. weight: [B, D]. truths: [B, A].
    """
    weighted = weight[:, None, None, :]
    hits, misses = (np.cumsum(weighted * flags, axis=3) for flags in (ranked.hits, ranked.misses))
    best = np.zeros((*hits.shape[:3], hits.shape[3] + 1))
    best[..., :-1] = np.maximum.accumulate((hits / (hits + misses + TINY))[..., ::-1], axis=3)[..., ::-1]
    reached = np.searchsorted(RECALLS, hits / truths[:, :, None, None], side="right")
    return best, np.diff(reached, axis=3, prepend=0, append=len(RECALLS))


def numbers(curves: Sequence[Curves], count: int) -> dict[str, tuple[Vector, NDArray[np.int64]]]:
    """Each number, and of how many categories it is the mean, [count] each."""
    if not curves:
        return {key: (np.full(count, np.nan), np.zeros(count, int)) for key in KEYS}
    precision = np.stack([c.precision for c in curves], axis=-1)  # [B, A, T, R, K]
    recall = np.stack([c.recall for c in curves], axis=-1)  # [B, C, T, K]
    found = {key: _means(precision[:, area, at]) for key, (area, at) in PRECISION.items()}
    return found | {key: _means(recall[:, c]) for c, key in enumerate(RECALL)}


def _means(values: NDArray[np.float64]) -> tuple[Vector, NDArray[np.int64]]:
    """The mean over all axes but the first, without the categories (last axis) that are NaN."""
    known = ~np.isnan(values.reshape(len(values), -1, values.shape[-1]).sum(axis=1))
    # numpy's sum of a contiguous vector, thresholds first and categories last: cocoapi's to the last bit.
    picked = (row[..., k].ravel() for row, k in zip(values, known, strict=True))
    return np.array([p.mean() if p.size else np.nan for p in picked]), known.sum(axis=1)
