"""AP^r and AP^r_vol: average precision of person and of part instances, by mask IoU.

Of one class and one IoU threshold t, over the whole data set:

1. A ground truth is a row of the frame's instance list whose id has pixels; so is a detection, with a score.
2. In each frame, each detection is a hit or a miss (`matching`, `compare`: metrics/matching.py).
3. The area below the precision of all detections, best score first, is the AP (metrics/ranking.py).

A threshold's number is the mean over the classes; the mean over thresholds is of those means.

0/0 (`absent`): a class with ground truth but no detection is 0. Without ground truth, it

    zero  is 0 and counts, with a warning if there are detections
    skip  is left out of the mean; NaN if no class is left
    nan   is 0 and counts, but if there are detections it is NaN, and so is the mean: as released

A frame without a prediction counts as an empty one (`frames=all`); or its ground truth does not count either
(`submitted`, as released: the files of the prediction are what is listed).

In a scope "size:small", "size:medium" or "size:large" are the ground truths of that size; a detection counts
with the size of the ground truth that it hits, one that misses with its own. A size without any ground truth
has no number.

AP^r: persons, one class, t = .5, .55 .. .95. AP^r_vol: part instances, 19 classes, t = .1, .2 .. .9. (Others
call the latter AP^r, and quote it at t = .5.) Scores are compared as numbers: the released AP^r sorts their
text. A detection listed without pixels, or pixels of an id that is not listed, is an error.

Source: Zhou et al., MM 2018, section 5.1; HCPLab-SYSU/ATEN evaluate/test_ap.py, test_inst_part_ap.py.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vipbench.metrics.matching import Compare, Ious, Matching, Segments, detected, matched, true
from vipbench.metrics.measure import Measure, MeasureWarning, Pair, Rows, Value, Vector, Weights
from vipbench.metrics.ranking import MISS, SIZES, Instances, Ranked, average_precision, size
from vipbench.metrics.series import mean
from vipbench.parts import CLASSES
from vipbench.types import Ids

Frames = Literal["all", "submitted"]
Table = dict[int, list[float]]
"""AP at each threshold of each class that counts."""
BLOCK = 512
"""So many resamples at a time, so that memory stays small and most of it in the processor's cache."""


def threshold_keys(thresholds: Sequence[float]) -> tuple[str, ...]:
    """The keys of the single thresholds, then of their mean: "0.5", "0.55", .. "0.5:0.95"."""
    return (*(f"{t:g}" for t in thresholds), f"{thresholds[0]:g}:{thresholds[-1]:g}")


@dataclass(frozen=True)
class APr(Measure):
    """Average precision of persons, 0..1 (above 1 is possible with `argmax` below t = .5)."""

    matching: Matching = "argmax"
    compare: Compare = ">"
    absent: Literal["zero", "skip", "nan"] = "zero"
    frames: Frames = "all"
    name: ClassVar[str] = "APr"
    layer: ClassVar[str] = "human"
    classes: ClassVar[dict[int, str]] = {1: "person"}
    thresholds: ClassVar[tuple[float, ...]] = tuple(t / 100 for t in range(50, 100, 5))
    keys: ClassVar[tuple[str, ...]] = threshold_keys(thresholds)

    def empty(self) -> Instances:
        """No row."""
        return Instances()

    def detections(self, pair: Pair) -> Segments:
        """The detections of a frame that count, best first. Raises UserError for faulty ones."""
        return detected(pair, self.layer, max(self.classes) + 1)

    def ious(self, pair: Pair, found: Segments, truths: Segments) -> Ious:
        """The IoUs of detections with ground truths, float64 [D, G]."""
        overlap = pair.overlap(self.layer)
        rows = np.searchsorted(overlap.gt_ids, [s.id for s in truths])
        columns = np.searchsorted(overlap.pred_ids, [s.id for s in found])
        return overlap.ious().T[np.ix_(columns, rows)]

    def observe(self, pair: Pair) -> Instances:
        """The frame's instances, the detections with their hits. Raises UserError for faulty detections."""
        found = self.detections(pair)
        if pair.missing and self.frames == "submitted":
            return Instances()
        overlap = pair.overlap(self.layer)
        truths = true(pair, self.layer)
        sizes = _sizes(overlap.gt_ids, overlap.counts.sum(axis=1).tolist())
        own = _sizes(overlap.pred_ids, overlap.counts.sum(axis=0).tolist())
        ious = np.where(
            _categories(found)[:, None] == _categories(truths), self.ious(pair, found, truths), -1
        )
        hits = matched(ious, self.thresholds, self.matching, self.compare)
        letters = np.array([*(sizes[s.id] for s in truths), MISS])[hits]  # a miss is -1, the last place
        detections = tuple(
            (s.category, -s.score, pair.frame, s.id, own[s.id], "".join(column))
            for s, column in zip(found, letters.T, strict=True)
        )
        rows = tuple((s.category, pair.frame, s.id, sizes[s.id]) for s in truths)
        return Instances(Rows({pair.video: rows}), Rows({pair.video: detections}))

    def finish(self, state: Instances, videos: Sequence[str]) -> list[Value]:
        """The data set's numbers, of each class if there are several, of each size, then each video's."""
        ranked, truths = state.ranked(videos), _truths(state, videos)
        self._warn(truths, ranked)
        table = self._table(ranked, truths)
        values = self._values("all", table)
        if len(self.classes) > 1:
            for category, row in table.items():
                values += self._values(f"class:{self.classes[category]}", {category: row})
        for letter in [s for s in SIZES if any(truths[c, s] for c in self.classes)]:
            values += self._values(f"size:{SIZES[letter]}", self._table(ranked, truths, letter))
        for video in dict.fromkeys(videos):
            values += self._values(video, self._table(state.ranked([video]), state.counts(video)))
        return values

    def _table(self, ranked: dict[int, Ranked], truths: Counter[tuple[int, str]], letter: str = "") -> Table:
        columns = range(len(self.thresholds))
        counting = [c for c in self.classes if self.absent != "skip" or truths[c, letter]]
        table = {c: [0.0 for _ in columns] for c in counting}
        for c in counting:
            if c in ranked:
                hits = [ranked[c].of(k, letter) for k in columns]
                undefined = self.absent == "nan" and not truths[c, letter]
                table[c] = [
                    math.nan if undefined and len(h) else average_precision(h, truths[c, letter])
                    for h in hits
                ]
        return table

    def _values(self, scope: str, table: Table) -> list[Value]:
        """The mean over the classes at each threshold, and the mean of these."""
        matrix = np.array(list(table.values())).reshape(-1, len(self.thresholds))
        means = [mean(np.ascontiguousarray(column)) for column in matrix.T]
        numbers = [*means, mean(np.array(means))]
        return [Value(key, scope, value, len(table)) for key, value in zip(self.keys, numbers, strict=True)]

    def resample(self, state: Instances, videos: Sequence[str], weights: Weights) -> dict[str, Vector]:
        """As Measure.resample, from running sums over the detections, sorted once."""
        ranked, counts = state.ranked(videos), [state.counts(video) for video in videos]
        truths = np.array([[count[c, ""] for c in self.classes] for count in counts], np.float64)
        blocks = [
            weights[start : start + BLOCK].astype(np.float64) for start in range(0, len(weights), BLOCK)
        ]
        parts = [self._resampled(ranked, block @ truths, block) for block in blocks]
        means = np.concatenate(parts, axis=1) if parts else np.empty((len(self.thresholds), 0))
        return dict(zip(self.keys, [*means, means.mean(axis=0)], strict=True))

    def _resampled(self, ranked: dict[int, Ranked], truths: Vector, weights: Vector) -> Vector:
        """The mean over the classes, float64 [T, B]. truths: [B, C]. weights: [B, V]."""
        total = np.zeros((len(self.thresholds), len(weights)))
        counting = np.zeros(len(weights))
        for c, positives in zip(self.classes, truths.T, strict=True):
            if c in ranked:
                any_found = weights[:, np.unique(ranked[c].videos)].any(axis=1)
                undefined = (self.absent == "nan") & (positives == 0) & any_found
                total += np.where(undefined, np.nan, ranked[c].average_precisions(weights, positives))
            counting += (positives > 0) | (self.absent != "skip")
        means: Vector = np.divide(total, counting, out=np.full(total.shape, np.nan), where=counting > 0)
        return means

    def _warn(self, truths: Counter[tuple[int, str]], ranked: dict[int, Ranked]) -> None:
        only = sorted(c for c in ranked if not truths[c, ""])
        if self.absent == "zero" and only:
            names = ", ".join(self.classes[c] for c in only)
            text = f"{self}: detections but no ground truth of {names}: counted as 0, undefined as released"
            warnings.warn(MeasureWarning(text), stacklevel=3)


@dataclass(frozen=True)
class APrVol(APr):
    """Average precision of part instances, the mean over 19 classes; above 1 is possible with `argmax`."""

    name: ClassVar[str] = "APr_vol"
    layer: ClassVar[str] = "part"
    classes: ClassVar[dict[int, str]] = {c: CLASSES[c] for c in range(1, len(CLASSES))}
    thresholds: ClassVar[tuple[float, ...]] = tuple(t / 10 for t in range(1, 10))
    keys: ClassVar[tuple[str, ...]] = threshold_keys(thresholds)


def _categories(segments: Segments) -> NDArray[np.int64]:
    return np.array([s.category for s in segments], np.int64)


def _truths(state: Instances, videos: Sequence[str]) -> Counter[tuple[int, str]]:
    return sum((state.counts(video) for video in videos), Counter())


def _sizes(ids: Ids, areas: Sequence[int]) -> dict[int, str]:
    return {segment: size(area) for segment, area in zip(ids.tolist(), areas, strict=True)}
