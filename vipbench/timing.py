"""Where the seconds of a run go: a stopwatch with named stages.

The runner makes a stopwatch current, and whoever works under it names what it does: "decode" (waiting for
images), "features", "flow", "warp", "temporal", "heads" (a network's parts), "write" (waiting for the
writer). Stages never nest, so that they add up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """seconds: wall time by stage, in the order in which the stages first ran. start: on time's own scale."""

    seconds: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)

    def add(self, name: str, seconds: float) -> None:
        """Add to a stage."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def read(self) -> Reading:
        """Where it stands now."""
        return Reading(time.perf_counter() - self.start, dict(self.seconds))


@dataclass(frozen=True)
class Reading:
    """seconds: since the start. stages: seconds by stage."""

    seconds: float
    stages: dict[str, float]

    def since(self, earlier: Reading) -> Reading:
        """What was added after an earlier reading."""
        stages = {name: s - earlier.stages.get(name, 0.0) for name, s in self.stages.items()}
        return Reading(self.seconds - earlier.seconds, stages)


def steady(frames: int, margin: int, period: int) -> tuple[int, int]:
    """(first, end) of the frames of a video that count: whole periods, `margin` frames off both ends.

    A method repeats its work every `period` frames (a segment), and has less to do at the ends of a video (a
    window that reaches over them). Over such frames the mean time of a frame is that of a video without end.
    """
    whole = max(frames - 2 * margin, 0) // period * period
    return (margin, margin + whole) if whole else (0, 0)


_current: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """A new stopwatch that `stage` adds to until the block ends."""
    watch = Stopwatch()
    token = _current.set(watch)
    try:
        yield watch
    finally:
        _current.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the block's wall time as stage `name`; outside of any stopwatch, nothing."""
    watch = _current.get()
    start = time.perf_counter()
    try:
        yield
    finally:
        if watch is not None:
            watch.add(name, time.perf_counter() - start)
