"""mIoU, the mean intersection over union of the part classes.

One confusion matrix C of pixels over the whole data set, rows ground truth, columns prediction:

    IoU_c = C[c, c] / (sum of row c + sum of column c - C[c, c]),   mIoU = mean of IoU_c over c = 0..19

Background is one of the 20 classes. A class in neither map is 0/0 and left out of the mean; a class that is
predicted but never true is 0 and counts. Pixels whose ground truth is none of the classes (255, void) do not
count at all. A prediction must be one of the classes everywhere: the released evaluation would count id 20
as the next class of the ground truth; here it is an error.

Source: HCPLab-SYSU/ATEN evaluate/test_parsing.py; Long et al., CVPR 2015.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import UserError
from vipbench.metrics.measure import Measure, Pair, Value
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

    def to_json(self) -> Any:
        """{video: rows}."""
        return {video: self.videos[video].tolist() for video in sorted(self.videos)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The inverse of to_json."""
        return cls({video: np.array(rows, np.int64) for video, rows in data.items()})


@dataclass(frozen=True)
class MeanIoU(Measure):
    """Mean IoU over the classes, 0..1; in a scope "class:<name>" the IoU of that class."""

    name: ClassVar[str] = "mIoU"
    layer: ClassVar[str] = "category"
    keys: ClassVar[tuple[str, ...]] = ("",)

    def empty(self) -> Confusions:
        """No video."""
        return Confusions()

    def observe(self, pair: Pair) -> Confusions:
        """The frame's confusion matrix. Raises UserError for a predicted id that is no class."""
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
        """The data set's mean and each class that occurs, then each video's mean."""
        matrices = {video: state.videos.get(video, NONE) for video in videos}
        total = ious(sum(matrices.values(), start=NONE))
        classes = [
            Value("", f"class:{name}", float(iou), 1)
            for name, iou in zip(CLASSES, total, strict=True)
            if not math.isnan(iou)
        ]
        return [_mean("all", total), *classes, *(_mean(video, ious(c)) for video, c in matrices.items())]


def ious(counts: Confusion) -> NDArray[np.float64]:
    """The IoU of each class [20], NaN of a class that is in neither map."""
    found = np.diag(counts)
    unions = counts.sum(axis=0) + counts.sum(axis=1) - found
    ratios: NDArray[np.float64] = np.divide(found, unions, out=np.full(len(found), np.nan), where=unions > 0)
    return ratios


def _mean(scope: str, values: NDArray[np.float64]) -> Value:
    n = int(np.count_nonzero(~np.isnan(values)))
    return Value("", scope, float(np.nanmean(values)) if n else math.nan, n)
