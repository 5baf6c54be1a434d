"""J&F, the mean of region similarity and contour accuracy, frame by frame.

    J&F = (J + F) / 2

of an object in a frame, with J of region.py and F of boundary.py. Its mean over a data set is the "J&F mean"
by which the DAVIS challenges rank, (mean J + mean F) / 2, since all means are over the same frames and
objects.

Source: Pont-Tuset et al. 2017, The 2017 DAVIS Challenge; davis2017-evaluation evaluation_method.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vipbench.metrics.boundary import F
from vipbench.metrics.measure import Pair
from vipbench.metrics.region import J
from vipbench.metrics.series import Series

REGION, BOUNDARY = J(), F()


@dataclass(frozen=True)
class JF(Series):
    """Mean of J and F at the tolerance of DAVIS, 0..1, higher is better."""

    name: ClassVar[str] = "JF"

    def values(self, pair: Pair, objects: tuple[int, ...]) -> list[float]:
        """The mean of the two of each object."""
        both = zip(REGION.values(pair, objects), BOUNDARY.values(pair, objects), strict=True)
        return [(j + f) / 2 for j, f in both]
