"""mIoU, the mean intersection over union of the part classes.

One confusion matrix C of pixels over the whole data set, rows ground truth, columns prediction:

    IoU_c = C[c, c] / (sum of row c + sum of column c - C[c, c]),   mIoU = mean of IoU_c over c = 0..19

Background is one of the 20 classes. A class in neither map is 0/0 and left out of the mean (`absent=skip`),
or is 0 and counts (`zero`); a class that is predicted but never true is 0 and counts. Pixels whose ground
truth is none of the classes (255, void) do not count at all. A prediction must be one of the classes
everywhere: the released evaluation would count id 20 as the next class of the ground truth; here it is an
error.

A frame without a prediction counts as background (`frames=all`), or not at all (`submitted`, as released).

Source: HCPLab-SYSU/ATEN evaluate/test_parsing.py; Long et al., CVPR 2015. absent=zero:
GoGoDuck912/Self-Correction-Human-Parsing utils/miou.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import UserError
from vipbench.metrics.measure import Measure, Pair, Value, Vector, Weights
from vipbench.parts import CLASSES

Confusion = NDArray[np.int64]
NONE: Confusion = np.zeros((len(CLASSES), len(CLASSES)), np.int64)


@dataclass(frozen=True, eq=False)
class Confusions:
    """The confusion matrix of each video, int64 [20, 20]."""

    videos: Mapping[str, Confusion] = field(default_factory=dict)

    def merge(self, other: Self) -> Self:
        """The sums."""
        joined = dict(self.videos)
        for video, counts in other.videos.items():
            joined[video] = joined.get(video, NONE) + counts
        return type(self)(joined)

    def of(self, videos: Sequence[str]) -> Confusion:
        """Those of the videos, int64 [V, 20, 20]."""
        return np.array([self.videos.get(video, NONE) for video in videos]).reshape(-1, *NONE.shape)

    def to_json(self) -> Any:
        """{video: rows}."""
        return {video: self.videos[video].tolist() for video in sorted(self.videos)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The inverse of to_json."""
        return cls({video: np.array(rows, np.int64) for video, rows in data.items()})


@dataclass(frozen=True)
class OfClasses(Measure):
    """A number of a confusion matrix, 0..1. The base of mIoU and of the accuracies."""

    frames: Literal["all", "submitted"] = "all"
    layer: ClassVar[str] = "category"
    keys: ClassVar[tuple[str, ...]] = ("",)

    def classes(self, counts: Confusion) -> Vector:
        """Each class's number [..., 20] from matrices [..., 20, 20], NaN where 0/0."""
        raise NotImplementedError

    def number(self, counts: Confusion) -> Vector:
        """The number [...] from matrices [..., 20, 20]: the mean of the classes, NaN where none counts."""
        values = self.classes(counts)
        sums = np.where(np.isnan(values), 0.0, values).sum(axis=-1)
        return ratio(sums, np.count_nonzero(~np.isnan(values), axis=-1))

    def empty(self) -> Confusions:
        """No video."""
        return Confusions()

    def observe(self, pair: Pair) -> Confusions:
        """The frame's confusion matrix. Raises UserError for a predicted id that is no class."""
        if pair.missing and self.frames == "submitted":
            return Confusions()
        overlap = pair.overlap(self.layer)
        highest = int(overlap.pred_ids[-1])
        if highest >= len(CLASSES):
            raise UserError(
                f"{pair.video}, frame {pair.frame}, {self.layer}: predicted id {highest}, expected class ids "
                f"0..{len(CLASSES) - 1}. Write the class of every pixel, 0 for background"
            )
        known = overlap.gt_ids < len(CLASSES)
        counts = NONE.copy()
        counts[np.ix_(overlap.gt_ids[known], overlap.pred_ids)] = overlap.counts[known]
        return Confusions({pair.video: counts})

    def finish(self, state: Confusions, videos: Sequence[str]) -> list[Value]:
        """The data set's number and that of each class that has one, then each video's number."""
        total = state.of(videos).sum(axis=0)
        classes = [
            Value("", f"class:{name}", value, 1)
            for name, value in zip(CLASSES, self.classes(total).tolist(), strict=True)
            if not math.isnan(value)
        ]
        alone = dict.fromkeys(videos)
        return [
            self._value("all", total),
            *classes,
            *(self._value(video, counts) for video, counts in zip(alone, state.of(list(alone)), strict=True)),
        ]

    def _value(self, scope: str, counts: Confusion) -> Value:
        n = int(np.count_nonzero(~np.isnan(self.classes(counts))))
        return Value("", scope, float(self.number(counts)), n)

    def resample(self, state: Confusions, videos: Sequence[str], weights: Weights) -> dict[str, Vector]:
        """As Measure.resample, from weighted sums of the videos' matrices."""
        return {"": self.number(np.tensordot(weights, state.of(videos), 1))}


@dataclass(frozen=True)
class MeanIoU(OfClasses):
    """Mean IoU over the classes, 0..1; in a scope "class:<name>" the IoU of that class."""

    absent: Literal["skip", "zero"] = "skip"
    name: ClassVar[str] = "mIoU"

    def classes(self, counts: Confusion) -> Vector:
        """The IoU of each class."""
        values = ious(counts)
        return values if self.absent == "skip" else np.nan_to_num(values)


def ious(counts: Confusion) -> Vector:
    """The IoU of each class [..., 20], NaN of a class that is in neither map."""
    found = np.diagonal(counts, axis1=-2, axis2=-1)
    return ratio(found, counts.sum(axis=-2) + counts.sum(axis=-1) - found)


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Vector:
    """part / whole, NaN where the whole is 0."""
    found: Vector = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)
    return found
