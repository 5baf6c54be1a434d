"""One measure of several methods, resampled over whole videos from their states."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from vipbench.entries import Entry
from vipbench.errors import UserError
from vipbench.metrics.measure import Measure, State
from vipbench.stats import Vector, Weights


class Resampled:
    """All the numbers of a measure, of every method and every pair of methods, by the methods' positions.

    drawn: how often each video is drawn, int64 [B, V]. swaps: 1 where a video stays with its method, 0 where
    it is exchanged with the other's, int64 [R, V]. All methods draw and exchange the same videos. Raises
    UserError for states that are not this measure's.
    """

    def __init__(self, measure: Measure, entries: Sequence[Entry], drawn: Weights, swaps: Weights) -> None:
        self._count = len(entries[0].videos)
        # \0 is in no video's name and is the lowest character: the order of the videos stays as it was.
        own = [[video + "\0" * k for video in entry.videos] for k, entry in enumerate(entries)]
        state = _merged(measure, entries, own)
        weights = np.vstack([np.ones((1, self._count), np.int64), np.eye(self._count, dtype=np.int64), drawn])
        both = np.vstack([swaps, 1 - swaps])
        mixed = np.hstack([both, 1 - both])
        self._single = [_numbers(measure, state, names, weights) for names in own]
        self._mixed = {
            (i, j): _numbers(measure, state, own[i] + own[j], mixed)
            for i, j in combinations(range(len(entries)), 2)
        }

    def total(self, method: int, key: str) -> float:
        """The number of all videos."""
        return float(self._single[method][key][0])

    def alone(self, method: int, key: str) -> Vector:
        """The number of each video by itself, float64 [V]."""
        return self._single[method][key][1 : 1 + self._count]

    def drawn(self, method: int, key: str) -> Vector:
        """The number of each resample, float64 [B]."""
        return self._single[method][key][1 + self._count :]

    def exchanged(self, first: int, second: int, key: str) -> Vector:
        """First minus second of each exchange of videos between the two, float64 [R]. first < second."""
        one, other = np.split(self._mixed[first, second][key], 2)
        difference: Vector = one - other
        return difference


def _merged(measure: Measure, entries: Sequence[Entry], names: Sequence[Sequence[str]]) -> State:
    """The states of all methods in one, the videos of each under its own names."""
    merged = measure.empty()
    for entry, own in zip(entries, names, strict=True):
        try:
            for (video, data), name in zip(entry.states[str(measure)].items(), own, strict=True):
                merged = merged.merge(type(merged).from_json(_renamed(data, video, name)))
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise UserError(
                f"{entry.path}: its states of {measure} cannot be read ({type(error).__name__}: {error}). "
                "Score the predictions again"
            ) from None
    return merged


def _renamed(data: Any, video: str, name: str) -> Any:
    """A state as JSON, its video called otherwise: the innermost keys, should outer ones read the same."""
    if not isinstance(data, dict):
        return data
    found = {}
    for key, value in data.items():
        inner = _renamed(value, video, name)
        found[name if key == video and inner == value else key] = inner
    return found


def _numbers(measure: Measure, state: State, videos: Sequence[str], weights: Weights) -> dict[str, Vector]:
    """`resample`, of equal rows once; what has no value is counted later, not warned of."""
    rows, at = np.unique(weights, axis=0, return_inverse=True)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return {key: numbers[at] for key, numbers in measure.resample(state, videos, rows).items()}
