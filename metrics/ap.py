"""AP^r and AP^r_vol: average precision of person and of part instances, by mask IoU.

Of one class and one IoU threshold t, over the whole data set:

1. A ground truth is a row of the frame's instance list whose id has pixels; so is a detection, with a score.
2. In each frame, each detection is a hit or a miss (`matching`, `compare`).
   `argmax`, as released: it looks at the ground truth of its class that it overlaps best, and is a hit if
   their IoU compares with t. Nobody notes that this ground truth was found before: two
   halves of one person are two hits at t < .5, and recall and AP may exceed 1.
   `once`: by falling score, it looks at the best ground truth not yet taken (ties: the first
   listed); a hit takes it.
   `>` is IoU > t as released, `>=` is IoU >= t as in COCO.
3. All detections are sorted by falling score; ties by video, frame and id, so that the number does not
   depend on the file system or on the sorting algorithm.
4. After the k-th detection recall = hits / ground truths, precision = hits / k. AP is the area below the
   precision, made non-increasing from the right, at each step of the recall (VOC 2010, all points).

A threshold's number is the mean over the classes; the mean over thresholds is of those means.

0/0 (`absent`): a class without ground truth and without detection is 0 and counts (`zero`, as released) or
is left out (`skip`). A class with detections but no ground truth has no AP (NaN as released, and so would be
the mean): it is 0 with a warning, or left out. A class with ground truth but no detection is 0. NaN if no
class is left.

AP^r: persons, one class, t = .5, .55 .. .95. AP^r_vol: part instances, 19 classes, t = .1, .2 .. .9. (Others
call the latter AP^r, and quote it at t = .5.) A frame without a prediction counts as an empty one. Scores
are compared as numbers: the released AP^r sorts their text. A detection listed without pixels, or pixels of
an id that is not listed, is an error.

Source: Zhou et al., MM 2018, section 5.1; HCPLab-SYSU/ATEN evaluate/test_ap.py, test_inst_part_ap.py.
"""

from __future__ import annotations

import operator
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import raise_first
from vipbench.metrics.measure import Measure, MeasureWarning, Pair, Row, Rows, Value
from vipbench.metrics.overlap import Overlap
from vipbench.metrics.series import mean
from vipbench.parts import CLASSES
from vipbench.segments import row_problems
from vipbench.types import Segment

Ious = NDArray[np.float64]
Compare = Callable[[float, float], bool]


def _keys(thresholds: Sequence[float]) -> tuple[str, ...]:
    return (*(f"{t:g}" for t in thresholds), f"{thresholds[0]:g}:{thresholds[-1]:g}")


@dataclass(frozen=True)
class Instances:
    """truths: rows (class, frame, id). detections: rows (class, -score, frame, id, hits).

    hits: a text of "1" or "0" for each threshold.
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


@dataclass(frozen=True)
class APr(Measure):
    """Average precision of persons, 0..1 (above 1 is possible with `argmax` below t = .5)."""

    matching: Literal["argmax", "once"] = "argmax"
    compare: Literal[">", ">="] = ">"
    absent: Literal["zero", "skip"] = "zero"
    name: ClassVar[str] = "APr"
    layer: ClassVar[str] = "human"
    classes: ClassVar[dict[int, str]] = {1: "person"}
    thresholds: ClassVar[tuple[float, ...]] = tuple(t / 100 for t in range(50, 100, 5))
    keys: ClassVar[tuple[str, ...]] = _keys(thresholds)

    def empty(self) -> Instances:
        """No row."""
        return Instances()

    def observe(self, pair: Pair) -> Instances:
        """The frame's instances, the detections with their hits. Raises UserError for faulty detections."""
        gt, pred = pair.maps(self.layer)
        where = f"{pair.video}, frame {pair.frame}, {self.layer}"
        raise_first(row_problems(where, pred, max(self.classes) + 1))
        overlap = pair.overlap(self.layer)
        truths = [s for s in gt.segments if s.id in overlap.gt_ids]
        found = sorted(pred.segments, key=lambda s: (-s.score, s.id))
        detections: list[Row] = []
        for category in sorted({s.category for s in found}):
            own = _of(category, found)
            ious = _ious(overlap, own, _of(category, truths))
            hits = zip(*(self._hits(ious, t) for t in self.thresholds), strict=True)
            for segment, at in zip(own, hits, strict=True):
                text = "".join("1" if hit else "0" for hit in at)
                detections.append((category, -segment.score, pair.frame, segment.id, text))
        rows = tuple((s.category, pair.frame, s.id) for s in truths)
        return Instances(Rows({pair.video: rows}), Rows({pair.video: tuple(detections)}))

    def _hits(self, ious: Ious, t: float) -> list[bool]:
        """Which of the detections, rows [D, G] of falling score, are hits."""
        compare = operator.gt if self.compare == ">" else operator.ge
        match = _argmax if self.matching == "argmax" else _once
        return match(ious, t, compare)

    def finish(self, state: Instances, videos: Sequence[str]) -> list[Value]:
        """The data set's numbers, those of each class if there are several, then each video's."""
        table = self._table(state, videos)
        self._warn(state, videos)
        values = self._values("all", table)
        if len(self.classes) > 1:
            for category, row in table.items():
                values += self._values(f"class:{self.classes[category]}", {category: row})
        for video in videos:
            values += self._values(video, self._table(state, [video]))
        return values

    def _table(self, state: Instances, videos: Sequence[str]) -> dict[int, list[float]]:
        """The AP at each threshold of each class that counts."""
        truths = Counter(row[0] for video in videos for row in state.truths.of(video))
        ranked = _ranked(state.detections, videos)
        counting = [c for c in self.classes if self.absent == "zero" or truths[c]]
        columns = range(len(self.thresholds))
        return {
            c: [average_precision([text[k] == "1" for text in ranked[c]], truths[c]) for k in columns]
            for c in counting
        }

    def _values(self, scope: str, table: dict[int, list[float]]) -> list[Value]:
        """The mean over the classes at each threshold, and the mean of these."""
        matrix = np.array(list(table.values())).reshape(-1, len(self.thresholds))
        means = [mean(np.ascontiguousarray(column)) for column in matrix.T]
        numbers = [*means, mean(np.array(means))]
        return [Value(key, scope, value, len(table)) for key, value in zip(self.keys, numbers, strict=True)]

    def _warn(self, state: Instances, videos: Sequence[str]) -> None:
        truths = {row[0] for video in videos for row in state.truths.of(video)}
        found = {row[0] for video in videos for row in state.detections.of(video)}
        if self.absent == "zero" and found - truths:
            names = ", ".join(self.classes[c] for c in sorted(found - truths))
            text = f"{self}: detections but no ground truth of {names}: counted as 0, undefined as released"
            warnings.warn(MeasureWarning(text), stacklevel=3)


@dataclass(frozen=True)
class APrVol(APr):
    """Average precision of part instances, the mean over 19 classes; above 1 is possible with `argmax`."""

    name: ClassVar[str] = "APr_vol"
    layer: ClassVar[str] = "part"
    classes: ClassVar[dict[int, str]] = {c: CLASSES[c] for c in range(1, len(CLASSES))}
    thresholds: ClassVar[tuple[float, ...]] = tuple(t / 10 for t in range(1, 10))
    keys: ClassVar[tuple[str, ...]] = _keys(thresholds)


def average_precision(hits: Sequence[bool], positives: int) -> float:
    """AP of detections, best score first, against a number of ground truths; 0 if there are none."""
    if not positives:
        return 0.0
    found = np.cumsum(hits)
    recall = np.concatenate([[0.0], found / positives, [1.0]])
    precision = np.concatenate([[0.0], found / np.arange(1, len(found) + 1), [0.0]])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return float(np.sum((recall[steps + 1] - recall[steps]) * envelope[steps + 1]))


def _of(category: int, segments: Sequence[Segment]) -> list[Segment]:
    return [segment for segment in segments if segment.category == category]


def _ious(overlap: Overlap, found: Sequence[Segment], truths: Sequence[Segment]) -> Ious:
    """The IoUs of detections with ground truths, float64 [D, G]."""
    rows = np.searchsorted(overlap.gt_ids, [s.id for s in truths])
    columns = np.searchsorted(overlap.pred_ids, [s.id for s in found])
    return overlap.ious().T[np.ix_(columns, rows)]


def _argmax(ious: Ious, t: float, compare: Compare) -> list[bool]:
    return [compare(best, t) for best in ious.max(axis=1, initial=0.0).tolist()]


def _once(ious: Ious, t: float, compare: Compare) -> list[bool]:
    free, hits = np.ones(ious.shape[1], bool), []
    for row in ious:
        left = np.where(free, row, 0.0)
        hits.append(compare(float(left.max(initial=0.0)), t))
        if hits[-1]:
            free[left.argmax()] = False
    return hits


def _ranked(detections: Rows, videos: Sequence[str]) -> dict[int, list[str]]:
    """The hits of each class's detections by (-score, video, frame, id)."""
    rows = [
        (category, negative, video, *rest)
        for video in videos
        for category, negative, *rest in detections.of(video)
    ]
    ranked = defaultdict(list)
    for category, *_, hits in sorted(rows):
        ranked[category].append(hits)
    return ranked
