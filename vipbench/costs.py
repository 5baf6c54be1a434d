"""What a method costs by count: the multiply-adds of its modules, and Eq. 8 and 9 of the ATEN paper.

Eq. 8 is the cost of l frames with ATEN over that of l frames alone; Eq. 9 is what the paper makes of it, for
which the temporal unit, the warp and N_parse have to cost nothing beside FlowNet-S (F) and N_feat:

    r = (O(GRU) + (l + p) (O(W) + O(F)) + l O(N_parse) + O(N_feat)) / (l (O(N_feat) + O(N_parse)))      (8)
    r = (l + p) O(F) / (l O(N_feat)) + 1 / l                                                            (9)

Both count a flow too many: Algorithm 1 needs l - 1 to follow the key and p to align the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of a method in its steady state.

    modules: of one call, by module: features (N_feat), flow (FlowNet-S with its scale field), warp, temporal
    (a step of the unit), embedding (FGFA's), heads (N_parse). calls: how often `frames` frames in a row call
    each. p: how many other keys encode a key; None for a method that Eq. 8 does not describe.
    """

    modules: dict[str, int]
    calls: dict[str, int]
    frames: int
    p: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any] | None) -> Cost | None:
        """As a run noted it, None where it noted none that could be true."""
        try:
            cost = cls(**(said or {}))
            known = cost.ratio >= 0 and (cost.p is None or cost.eq8 is not None)
        except (TypeError, KeyError, AttributeError, ZeroDivisionError):
            return None
        return cost if known else None

    @property
    def by_module(self) -> dict[str, float]:
        """Multiply-adds of a frame, on average, by module."""
        return {name: self.modules[name] * calls / self.frames for name, calls in self.calls.items()}

    @property
    def a_frame(self) -> float:
        """Multiply-adds of a frame, on average."""
        return sum(self.by_module.values())

    @property
    def alone(self) -> int:
        """Multiply-adds of a frame that is parsed alone: the baseline `frame` with the same modules."""
        return self.modules["features"] + self.modules["heads"]

    @property
    def ratio(self) -> float:
        """r by the calls themselves."""
        return self.a_frame / self.alone

    @property
    def eq8(self) -> float | None:
        """r of Eq. 8, where O(GRU) is p + 1 steps of the temporal unit, none without other keys."""
        if self.p is None:
            return None
        m, l = self.modules, self.frames
        unit = (self.p + 1) * m["temporal"] if self.p else 0
        flows = (l + self.p) * (m["warp"] + m["flow"])
        return (unit + flows + l * m["heads"] + m["features"]) / (l * self.alone)

    @property
    def eq9(self) -> float | None:
        """r of Eq. 9."""
        if self.p is None:
            return None
        m, l = self.modules, self.frames
        return (l + self.p) * m["flow"] / (l * m["features"]) + 1 / l
