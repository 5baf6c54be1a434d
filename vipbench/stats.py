"""Resampling of whole videos: bootstrap intervals, a randomisation test, Holm's correction, ranks.

The video is the unit. Frames and objects of one video are not independent of each other, so a resample draws
videos with all that is in them, and the test exchanges them whole.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval) and 15
(permutation test); Noreen, Computer-Intensive Methods for Testing Hypotheses, 1989 (approximate
randomisation); Phipson and Smyth 2010 ((k + 1) / (n + 1)); Holm, Scandinavian Journal of Statistics 6, 1979.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Weights = NDArray[np.int64]
CLOSE = 1e-12
"""Two values that differ by no more are the same: sums in another order."""


@dataclass(frozen=True)
class Interval:
    """low, high: None where there is no interval. undefined: resamples that have no value."""

    low: float | None
    high: float | None
    undefined: int


def resamples(videos: int, number: int, seed: int) -> Weights:
    """How often each video is drawn, int64 [number, videos]: `videos` draws a row, with replacement.

    No row for a single video: it says nothing of how videos differ.
    """
    rows = number if videos > 1 else 0
    return np.random.default_rng((seed, 0)).multinomial(videos, np.full(videos, 1 / videos), size=rows)


def exchanges(videos: int, number: int, seed: int) -> Weights:
    """1 where a video stays with its method, 0 where it is exchanged: int64 [R, videos].

    The first row exchanges nothing. All 2^videos rows where these are at most `number`; else the first row
    and `number` random ones.
    """
    if videos < 63 and 2**videos <= number:
        return 1 - (np.arange(2**videos)[:, None] >> np.arange(videos) & 1)
    drawn = np.random.default_rng((seed, 1)).integers(0, 2, (number, videos))
    return np.vstack([np.ones((1, videos), np.int64), drawn])


def interval(values: Vector, alpha: float) -> Interval:
    """The percentile interval of level 1 - alpha of resampled values [B].

    Resamples without a value (NaN) are left out and counted. Where they are more than the share alpha that
    an interval may miss, there is no interval; nor of a single resample.
    """
    known = values[~np.isnan(values)]
    undefined = len(values) - len(known)
    if len(known) < 2 or undefined > alpha * len(values):
        return Interval(None, None, undefined)
    low, high = np.quantile(known, [alpha / 2, 1 - alpha / 2]).tolist()
    return Interval(low, high, undefined)


def p_value(differences: Vector) -> float:
    """Two-sided p of the first of the differences [R] among all of them, itself included; NaN if it is NaN.

    A difference that is undefined counts as extreme, so that it never makes p smaller.
    """
    observed = abs(differences[0])
    if math.isnan(observed):
        return math.nan
    return float(np.mean(~(np.abs(differences) < observed - CLOSE)))


def holm(ps: Sequence[float]) -> list[float]:
    """The p-values, corrected for their number by Holm's step-down rule; NaN stays and is not counted."""
    corrected, highest = list(ps), 0.0
    order = sorted((i for i, p in enumerate(ps) if not math.isnan(p)), key=lambda i: ps[i])
    for step, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - step) * ps[i]))
        corrected[i] = highest
    return corrected


def ranks(scores: Sequence[float], separated: Callable[[int, int], bool]) -> list[int | None]:
    """Ranks from 1 on in tie groups, of scores where higher is better; None for NaN.

    The best of those left and all that no test separates from it share a rank; the next group's rank counts
    the methods before it. Two of one group may be separated from each other: only the best decides.
    """
    found: list[int | None] = [None] * len(scores)
    left = sorted((i for i, s in enumerate(scores) if not math.isnan(s)), key=lambda i: -scores[i])
    rank = 1
    while left:
        group = [i for i in left if i == left[0] or not separated(left[0], i)]
        for i in group:
            found[i] = rank
        rank += len(group)
        left = [i for i in left if i not in group]
    return found
