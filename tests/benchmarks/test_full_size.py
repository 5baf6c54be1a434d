"""The networks at full size run on a CPU: finite, of the right shapes; time and memory are recorded.

One process, one thread, no warm-up: a step takes a minute or so.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench import Found, Row, run_alone

from vipbench.datasets import synth_write
from vipbench.datasets.synth import make

pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

NEEDED_MB = 8_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One video of the embedded data set."""
    home = tmp_path_factory.mktemp("synth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(synth_write.SPLITS, "train", replace(synth_write.SPLITS["train"], count=1))
        make(home, ["train"])
    return home


@pytest.fixture(autouse=True)
def memory() -> None:
    """Skip where it would not fit."""
    info = Path("/proc/meminfo")
    lines = dict(line.split(":") for line in info.read_text().splitlines()) if info.is_file() else {}
    free = int(lines.get("MemAvailable", "0 kB").split()[0]) / 1000
    if free < NEEDED_MB:
        pytest.skip(f"{free:.0f} MB of memory are free, networks of full size ask for {NEEDED_MB}")


def measured(benchmark: Any, task: str, what: str, gmac: float, root: Path, table: list[Row]) -> Found:
    """The task in a process of its own, with lines of its time and memory for the table."""
    found: Found = benchmark.pedantic(
        run_alone, (sys.executable, "full_size.py", task, root, 1), rounds=1, iterations=1
    )
    seconds, cpu = found["seconds"][0], found["cpu"][0]
    table += [
        Row(
            what, f"{seconds:.1f} s", "G multiply-adds forward", f"{gmac:.0f}", gmac / seconds, cpu=gmac / cpu
        ),
        Row.of_memory(what, found["peak_mb"], "limit", NEEDED_MB, 1),
    ]
    return found


def test_a_training_step_of_paper_vip(benchmark: Any, root: Path, table: list[Row]) -> None:
    """Three keys, two flows to align them and one to the frame, three steps of the unit; all four losses."""
    forward = 3 * 68.3 + 3 * 21.9 + 3 * 58.0 + 64.3
    values = measured(benchmark, "train", "a step, `paper-vip`, `aten`", forward, root, table)["values"]
    assert values["finite"] == 1
    assert values["terms"] == 6
    assert values["loss"] > 0
    assert values["gradient"] > 0
    assert all(values[part] for part in ("features", "flow", "gru", "head"))


def test_a_frame_of_paper_davis(benchmark: Any, root: Path, table: list[Row]) -> None:
    forward = 3 * 153.5 + 3 * 38.3 + 3 * 101.5 + 0.4
    values = measured(benchmark, "infer", "a first frame, `paper-davis`, `aten`", forward, root, table)[
        "values"
    ]
    shapes = {name: [values[f"{name} {i}"] for i in range(n)] for name, n in (("features", 4), ("logits", 4))}
    assert shapes == {"features": [1, 256, 128, 224], "logits": [1, 2, 512, 896]}
    assert [values["parsing 0"], values["parsing 1"]] == [96, 160]
    assert values["finite"] == 1
    assert values["classes"] <= 1
