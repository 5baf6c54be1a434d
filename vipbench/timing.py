"""Where the seconds of a run go: a stopwatch with named stages.

The runner makes a stopwatch current, and whoever works under it names what it does: "decode" (reading
images), "features", "temporal", "propagate", "heads" (a network's parts), "write". Stages never nest, so
that they add up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Stopwatch:
    """seconds: wall time by stage, in the order in which the stages first ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """Add to a stage."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


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
