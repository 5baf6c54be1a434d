"""A process of its own for a measurement, and the table of what was measured."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
Found = dict[str, Any]
"""What clock.py prints: "seconds", "cpu", "peak_mb", "values"."""
Alone = Callable[..., Found]
Timed = Callable[[str, Path], dict[str, float]]


def run_alone(python: str, script: str, task: str, root: Path, rounds: int, **env: str) -> Found:
    """Run a task of ours.py or peers.py in a process of its own, with one thread."""
    command = [python, str(HERE / script), task, str(root), str(rounds)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"} | env
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: Found = json.loads(done.stdout)
    return found


@dataclass(frozen=True)
class Row:
    """A line of the table. ratio: theirs / ours; cpu: of processor time, which other work disturbs less.

    target: the least ratio that is aimed at, None for none.
    """

    what: str
    ours: str
    reference: str
    theirs: str
    ratio: float
    target: float | None = None
    cpu: float | None = None

    @classmethod
    def of_time(cls, what: str, ours: Found, name: str, theirs: Found, target: float | None = None) -> Row:
        """Of the medians of wall time, and of processor time."""
        a, b = median(ours["seconds"]), median(theirs["seconds"])
        cpu = median(theirs["cpu"]) / median(ours["cpu"])
        return cls(what, f"{a:.3f} s", name, f"{b:.3f} s", b / a, target, cpu)

    @classmethod
    def of_memory(cls, what: str, ours: float, name: str, theirs: float, target: float | None = None) -> Row:
        """Of the most memory held, in MB."""
        cells = f"{ours:.0f} MB", name, f"{theirs:.0f} MB"
        return cls(f"{what}, peak memory", *cells, theirs / ours, target)

    def __str__(self) -> str:
        wanted, cpu = ("–" if n is None else f"{n:.3g}" for n in (self.target, self.cpu))
        met = "–" if self.target is None else "yes" if self.ratio >= self.target else "**no**"
        cells = (self.what, self.ours, self.reference, self.theirs, f"{self.ratio:.3g}", cpu, wanted, met)
        return f"| {' | '.join(cells)} |"


def markdown(rows: Sequence[Row]) -> str:
    """The table."""
    head = ("what", "ours", "reference", "theirs", "theirs / ours", "in CPU time", "target", "met")
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *map(str, rows)])
