"""Pixel accuracy, mean accuracy and frequency-weighted IoU, from the same confusion matrix as mIoU.

    pAcc   = sum_c C[c, c] / sum of C           the share of the pixels whose class is right
    mAcc   = mean of C[c, c] / sum of row c     over the classes that are in the ground truth
    fwIoU  = sum_c f_c IoU_c                    f_c = sum of row c / sum of C

Which pixels and frames count is as in metrics/miou.py. All NaN without a counted pixel.

Source: Long et al., CVPR 2015, section 5; HCPLab-SYSU/ATEN evaluate/test_parsing.py ("overall accuracy",
"mean accuracy", "fwavacc"); soeaver/Parsing-R-CNN utils/data/evaluation/parsing_eval.py ("pixel acc").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vipbench.metrics.measure import Vector
from vipbench.metrics.miou import Confusion, OfClasses, ious, ratio


@dataclass(frozen=True)
class MeanAccuracy(OfClasses):
    """Mean over the classes of the share of a class's pixels that are found, 0..1; by class that share."""

    name: ClassVar[str] = "mAcc"

    def classes(self, counts: Confusion) -> Vector:
        """The share of each class's pixels that are found."""
        return ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


@dataclass(frozen=True)
class PixelAccuracy(MeanAccuracy):
    """The share of all pixels whose class is right, 0..1; by class the share of the class's pixels."""

    name: ClassVar[str] = "pAcc"

    def number(self, counts: Confusion) -> Vector:
        """All pixels, whatever their class."""
        return ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


@dataclass(frozen=True)
class FrequencyWeightedIoU(OfClasses):
    """Mean of the classes' IoU weighted by their share of the true pixels, 0..1; by class the IoU."""

    name: ClassVar[str] = "fwIoU"

    def classes(self, counts: Confusion) -> Vector:
        """The IoU of each class."""
        return ious(counts)

    def number(self, counts: Confusion) -> Vector:
        """Each IoU as often as its class."""
        shares = ratio(counts.sum(axis=-1), counts.sum(axis=(-2, -1))[..., None])
        weighted: Vector = np.where(shares > 0, shares * np.nan_to_num(ious(counts)), 0.0).sum(axis=-1)
        return np.where(np.isnan(shares).all(axis=-1), np.nan, weighted)
