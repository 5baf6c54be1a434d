"""Inference: the engine beside the plain loop, methods beside one another, whole runs, memory.

Recorded in docs/measurements. Asserted are the memory and that ratios are above 1: a busy machine would fail
more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from bench import Found, Row, run_alone

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

METHODS = ("frame", "dff", "fgfa", "aten", "aten-fast")
Inference = Callable[..., Found]


@pytest.fixture
def inference(benchmark: Any) -> Inference:
    """Run a task of inference.py in a process of its own: (task, folder, rounds)."""

    def run(task: str, root: Path, rounds: int = 1) -> Found:
        found: Found = benchmark.pedantic(
            run_alone, (sys.executable, "inference.py", task, root, rounds), rounds=1, iterations=1
        )
        return found

    return run


def bf16() -> bool:
    """Whether the processor computes in bfloat16."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def beside(seconds: dict[str, list[float]], ours: str, theirs: str, target: float | None, unit: str) -> Row:
    """The median of the ratios of each round (of each video), and of the seconds."""
    ratio = median(b / a for a, b in zip(seconds[ours], seconds[theirs], strict=True))
    a, b = (f"{median(seconds[name]):.3f} {unit}" for name in (ours, theirs))
    return Row(ours, a, theirs, b, ratio, target)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_full_size(precision: str, inference: Inference, tmp_path: Path, table: list[Row]) -> None:
    """One thread; methods beside `frame` by the same engine in the same precision."""
    if precision == "bf16" and not bf16():
        pytest.skip("this processor does not compute in bfloat16")
    seconds = inference(f"full:{precision}", tmp_path, 15)["seconds"]
    targets = {"aten-fast, l = 3": 2.3, "aten-fast, l = 5": 3.5, "dff": 5}
    rows = [beside(seconds, m, f"frame beside {m}", n, "s a frame") for m, n in targets.items()]
    table.extend(replace(row, what=f"{row.what}, {precision}", reference="frame") for row in rows)
    assert all(row.ratio > 1 for row in rows)


def test_aten(inference: Inference, tmp_path: Path, table: list[Row]) -> None:
    """One thread; in bfloat16 where the processor has it, but for the plain loop."""
    seconds = inference(f"aten:{'bf16' if bf16() else 'float32'}", tmp_path, 3)["seconds"]
    table.append(beside(seconds, "aten", "plain loop", 1.8, "s a frame"))
    assert table[-1].ratio > 1
    saved = [name for name in seconds if name.startswith("aten -o")]
    table.extend(beside(seconds, name, "aten", None, "s a frame") for name in saved)


def test_end_to_end(inference: Inference, test_data: Path, table: list[Row]) -> None:
    """Reading and writing beside a network on one thread: what is left of its own rate."""
    seconds = inference("end_to_end", test_data / "DAVIS", 9)["seconds"]
    table.extend(beside(seconds, name, f"{name}, alone", 0.85, "s a video") for name in METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_memory_does_not_grow_with_the_video(
    method: str, inference: Inference, tmp_path: Path, table: list[Row]
) -> None:
    short = run_alone(sys.executable, "inference.py", f"memory:{method}:50", tmp_path, 1)
    long = inference(f"memory:{method}:2000", tmp_path)
    for process in short:
        what = f"`{method}`, 2,000 frames" + (", helper" if process == "helper_mb" else "")
        table.append(Row.of_memory(what, long[process], "50 frames", short[process], 0.95))
    assert all(long[process] <= 1.05 * short[process] for process in short)
