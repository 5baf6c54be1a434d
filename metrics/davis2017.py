"""J, F and J&F as davis2017-evaluation computes them, quirks included: the protocols named `-compat`.

- The objects are 1 .. the highest id of the first frame. An id in between that does not exist is an object
  that is empty in every frame, and perfect where the prediction lacks it too.
- The quarters of the decay are cut at frame numbers held in 8 bits: above 256 frames they wrap around, and
  the decay is of other frames, or NaN (with NumPy 2, above 255 frames).
- A sequence without a scored frame makes every number of the data set NaN.
- Proposals are 1 .. the highest id of the sequence, those that do not exist empty; the matched values are
  given the names of the objects in the order of the proposals, whichever object they are of.

It also ends, without an error, on ids above those that it knows, which are an error here. Source:
davis2017-evaluation davis2017/davis.py `get_all_masks`, utils.py `db_statistics`, evaluation.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from vipbench.metrics.boundary import F
from vipbench.metrics.jf import JF
from vipbench.metrics.measure import Pair, Row, Vector
from vipbench.metrics.proposals import FUnsup, JFUnsup, JUnsup, Matrix, Proposals
from vipbench.metrics.region import J
from vipbench.metrics.series import Series, Statistics, edges, mean, recall


def decay8(values: Vector) -> float:
    """The decay with frame numbers in 8 bits, as NumPy 2 adds them."""
    cut = np.array(edges(len(values))).astype(np.uint8)
    ends = cut + np.uint8(1)
    return mean(values[cut[0] : ends[1]]) - mean(values[cut[3] : ends[4]])


@dataclass(frozen=True)
class Quirks(Series):
    """What the semi-supervised and the unsupervised task share."""

    statistics: ClassVar[Statistics] = {"mean": mean, "recall": recall, "decay": decay8}

    def numbered(self, pair: Pair) -> tuple[int, ...]:
        """1 .. the highest id of the first frame."""
        return tuple(range(1, max(pair.objects, default=0) + 1))

    def table(self, series: dict[int, list[Row]]) -> list[list[float]]:
        """As Series.table; NaN for a video without a scored frame."""
        return super().table(series) or [[math.nan] * len(self.statistics)]


@dataclass(frozen=True)
class QuirkyProposals(Quirks, Proposals):
    """What the unsupervised task adds."""

    frames: Literal["all"] = "all"
    objects: Literal["first-frame"] = "first-frame"

    def candidates(self, video: str, found: list[int], objects: int) -> list[int]:
        """1 .. the highest id, made up to the number of objects."""
        highest = max(found, default=0)
        return super().candidates(video, list(range(1, highest + 1)), objects)

    def named(self, objects: Sequence[int], columns: list[int], own: Matrix) -> list[tuple[int, Matrix]]:
        """The values in the order of the proposals, named as the objects in order."""
        return list(zip(objects, own, strict=True))


@dataclass(frozen=True)
class JCompat(Quirks, J):
    """J of davis2017-evaluation."""

    name: ClassVar[str] = "J_compat"


@dataclass(frozen=True)
class FCompat(Quirks, F):
    """F of davis2017-evaluation."""

    name: ClassVar[str] = "F_compat"


@dataclass(frozen=True)
class JFCompat(Quirks, JF):
    """J&F of davis2017-evaluation."""

    name: ClassVar[str] = "JF_compat"


@dataclass(frozen=True)
class JUnsupCompat(QuirkyProposals, JUnsup):
    """J of davis2017-evaluation's unsupervised task."""

    name: ClassVar[str] = "J_unsup_compat"


@dataclass(frozen=True)
class FUnsupCompat(QuirkyProposals, FUnsup):
    """F of davis2017-evaluation's unsupervised task."""

    name: ClassVar[str] = "F_unsup_compat"


@dataclass(frozen=True)
class JFUnsupCompat(QuirkyProposals, JFUnsup):
    """J&F of davis2017-evaluation's unsupervised task."""

    name: ClassVar[str] = "JF_unsup_compat"
