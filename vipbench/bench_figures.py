"""What a benchmark of methods found: the seconds of their rounds, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

from vipbench import provenance
from vipbench.costs import Cost
from vipbench.version import __version__

SCHEMA = "vipbench/bench-1"
BASE = "frame"
"""The method that ratios are to."""
OTHER = "other"


@dataclass(frozen=True)
class Spread:
    """A number over rounds: its median and its quartiles."""

    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of one value or more, quartiles by linear interpolation between them."""
        known = list(values)
        q1, _, q3 = quantiles(known, n=4, method="inclusive") if len(known) > 1 else known * 3
        return cls(median(known), q1, q3)


@dataclass(frozen=True)
class Round:
    """A method's turn, see `origin.speed`. fps: network alone; end to end: with reading and writing."""

    frames: int
    seconds: float
    stages: dict[str, float]
    fps: float
    fps_end_to_end: float

    @property
    def parts(self) -> dict[str, float]:
        """The seconds by stage with what no stage counts as OTHER: they add up to `seconds`."""
        return self.stages | {OTHER: self.seconds - sum(self.stages.values())}


@dataclass(frozen=True)
class Measured:
    """A method's rounds. about: what it says of its preset and weights. cost: by count, where it tells."""

    name: str
    method: str
    options: dict[str, str]
    about: str
    cost: Cost | None
    rounds: tuple[Round, ...]

    @property
    def fps(self) -> Spread:
        """Frames a second of the network alone."""
        return Spread.of(r.fps for r in self.rounds)

    @property
    def fps_end_to_end(self) -> Spread:
        """Frames a second with reading and writing."""
        return Spread.of(r.fps_end_to_end for r in self.rounds)

    @property
    def ms(self) -> dict[str, Spread]:
        """Milliseconds a frame by stage."""
        names = dict.fromkeys(name for r in self.rounds for name in r.parts)
        return {n: Spread.of(1000 * r.parts.get(n, 0.0) / r.frames for r in self.rounds) for n in names}

    @property
    def share(self) -> dict[str, float]:
        """Of the time of all rounds, the share of each stage; they add up to 1."""
        total = sum(r.seconds for r in self.rounds)
        return {name: sum(r.parts.get(name, 0.0) for r in self.rounds) / total for name in self.ms}

    def ratio(self, base: Measured | None) -> Spread | None:
        """Time of a frame, network alone, beside that of another method in the same round."""
        if base is None:
            return None
        return Spread.of(b.fps / r.fps for r, b in zip(self.rounds, base.rounds, strict=True))


@dataclass(frozen=True)
class Bench:
    """What was measured. failed: by the names of methods, why they were not. data, machine: in words.

    versions: of packages, by name.
    """

    methods: tuple[Measured, ...]
    failed: dict[str, str]
    data: dict[str, Any]
    machine: dict[str, str]
    versions: dict[str, str]
    created: str
    command: str

    @property
    def base(self) -> Measured | None:
        """The method that ratios are to, where it is among them."""
        return next((m for m in self.methods if m.name == BASE), None)

    def as_json(self) -> dict[str, Any]:
        """Everything: the seconds of every round, and what follows from them. Times are in seconds or ms."""
        about: dict[str, Any] = {"schema": SCHEMA, "version": __version__, "git": provenance.git_commit()}
        about |= {"created": self.created, "command": self.command, "device": self.machine}
        about |= {"versions": self.versions}
        rows = [_as_json(m, self.base) for m in self.methods]
        return about | {"data": self.data, "methods": rows, "failed": self.failed}


def _as_json(m: Measured, base: Measured | None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": m.name, "method": m.method, "options": m.options, "about": m.about}
    found |= {"fps": asdict(m.fps), "fps_end_to_end": asdict(m.fps_end_to_end)}
    found |= {"ms": {name: asdict(spread) for name, spread in m.ms.items()}, "share": m.share}
    ratio = m.ratio(base)
    ratios: dict[str, Any] = {"measured": asdict(ratio) if ratio else None}
    if m.cost:
        found["multiplies"] = m.cost.by_module | {"sum": m.cost.a_frame}
        ratios |= {"exact": m.cost.ratio, "eq8": m.cost.eq8, "eq9": m.cost.eq9}
    return found | {
        "ratio": ratios,
        "cost": asdict(m.cost) if m.cost else None,
        "rounds": [asdict(r) for r in m.rounds],
    }
