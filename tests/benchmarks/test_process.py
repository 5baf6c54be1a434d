"""What surrounds the measuring: reading files, a second process, and the start of a command.

Recorded in docs/measurements, not asserted: a busy machine would fail it.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from bench import Alone, Row, Timed
from make_multi import repeat
from tiny import make_davis

WORK_S = 20.0  # of one process: enough that starting the second hardly counts


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def test_reading(timed: Timed, alone: Alone, multi: Path, table: list[Row]) -> None:
    """The fast reader alone is to be a third of the whole: its PNGs decoded; and read as any score must."""
    timed("reader", multi)
    whole, reading = alone("semi", multi, 5), alone("reader", multi, 5)
    maps = alone("maps", multi, 5)
    table += [
        Row.of_time("J and F, 6 sequences", whole, "decoding its PNGs", reading, 1 / 3),
        Row.of_time("J and F, 6 sequences", whole, "reading its label maps", maps),
    ]


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core: nothing to share the work with")
def test_two_processes(benchmark: Any, alone: Alone, multi: Path, tmp_path: Path, table: list[Row]) -> None:
    times = math.ceil(1.2 * WORK_S / min(alone("semi", multi)["seconds"]))
    many = repeat(multi, tmp_path / "many", times)
    command = [sys.executable, "-m", "vipbench", "score", str(many / "preds"), "--dataset", "davis"]
    command += ["--year", "2017", "--data", str(many / "DAVIS"), "--no-cache", "--jobs"]

    def run(jobs: int) -> None:
        subprocess.run([*command, str(jobs)], cwd=tmp_path, capture_output=True, check=True)

    run(1)
    one = median(seconds(lambda: run(1)) for _ in range(3))
    benchmark.pedantic(run, (2,), rounds=3)
    two = benchmark.stats.stats.median
    cells = f"{two:.3f} s", "`--jobs 1`", f"{one:.3f} s"
    table.append(Row(f"`--jobs 2`, {times * 6} sequences", *cells, one / two, 1.8))


def test_start(benchmark: Any, tmp_path: Path, table: list[Row]) -> None:
    """A later `vipbench score` of three tiny sequences, wall time; and `vipbench --help`."""
    root = make_davis(tmp_path / "DAVIS")
    preds = shutil.copytree(root / "Annotations/480p", tmp_path / "preds")
    vipbench = [sys.executable, "-m", "vipbench"]
    score = [*vipbench, "score", str(preds), "--dataset", "davis", "--data", str(root), "--no-cache"]

    def run(command: list[str]) -> None:
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    benchmark.pedantic(run, (score,), rounds=5, warmup_rounds=1)
    whole = benchmark.stats.stats.median
    bare = median(seconds(lambda: run([*vipbench, "--help"])) for _ in range(5))
    cells = f"{whole:.3f} s", "`vipbench --help`", f"{bare:.3f} s"
    table.append(Row("a later `vipbench score`, 3 sequences of 12x16", *cells, bare / whole))
