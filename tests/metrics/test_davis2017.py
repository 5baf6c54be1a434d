"""J and F as davis2017-evaluation gives them, per object and over the set, and where ours are meant to differ.

The figures in golden/davis2017.json are the reference's own on the sequences of davis2017_cases.py:

    python tests/metrics/davis2017_cases.py ROOT
    PYTHONPATH=davis2017-evaluation python tests/metrics/davis2017_reference.py ROOT > golden/davis2017.json

with davis2017-evaluation of 2023-02-26, Python 3.11, numpy 2.4.6, scipy 1.17.1, opencv 5.0.0, scikit-image
0.26.0. To compare with a reference that is at hand, set VIPBENCH_PEERS to the folder that holds
davis2017-evaluation and, if it needs another interpreter, VIPBENCH_PEER_PYTHON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from davis2017_cases import cases, digest, write

from vipbench.datasets.davis import Davis
from vipbench.folders import DavisFolder
from vipbench.metrics.measure import Measure, Pair
from vipbench.metrics.protocols import PROTOCOLS

HERE = Path(__file__).parent
GOLDEN: dict[str, Any] = json.loads((HERE / "golden/davis2017.json").read_text())
KEYS = ("mean", "recall", "decay")
TASKS = {"davis2017-semi": "semi-supervised"}
Numbers = dict[str, dict[str, list[float]]]  # measure -> scope -> mean, recall, decay


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("davis2017"))


@pytest.fixture(scope="module")
def scored(root: Path) -> Callable[[str], Numbers]:
    """Score a protocol, once."""
    known: dict[str, Numbers] = {}

    def score(protocol: str) -> Numbers:
        if protocol not in known:
            known[protocol] = numbers(root, protocol)
        return known[protocol]

    return score


def pairs(root: Path, task: str) -> list[Pair]:
    dataset = Davis(root / "DAVIS", year=2017, task=task)
    folder = DavisFolder(root / task)
    found = []
    for video in dataset.videos("val"):
        first = np.unique(dataset.read(video.frames[0]).layer("object").ids).tolist()
        objects = tuple(i for i in first if i not in (0, dataset.void))
        for t, frame in enumerate(video.frames):
            here = dataset.read(frame), folder.read(video.id, frame.name)
            found.append(Pair(video.id, frame.name, t, t == len(video.frames) - 1, *here, objects))
    return found


def numbers(root: Path, protocol: str) -> Numbers:
    seen = pairs(root, TASKS[protocol])
    return {measure.name: finished(measure, seen) for measure in PROTOCOLS[protocol]}


def finished(measure: Measure, seen: list[Pair]) -> dict[str, list[float]]:
    """The numbers of the set and of each object, named as the reference names it."""
    state = measure.empty()
    for pair in seen:
        state = state.merge(measure.observe(pair))
    found: dict[str, list[float]] = {}
    for value in measure.finish(state, list(dict.fromkeys(pair.video for pair in seen))):
        if value.key in KEYS and ("#" in value.scope or value.scope == "all"):
            found.setdefault(value.scope.replace("#", "_"), []).append(value.value)
    return found


def mean_of(rows: dict[str, list[float]]) -> list[float]:
    return [float(np.mean(column)) for column in zip(*rows.values(), strict=True)]


def present(rows: dict[str, list[float]]) -> dict[str, list[float]]:
    """The reference's rows of the objects that the first frame has, and their mean."""
    first = {f"{case.name}_{i}" for case in cases() for i in np.unique(case.gt[0]).tolist()}
    kept = {name: row for name, row in rows.items() if name in first}
    return kept | {"all": mean_of(kept)}


def assert_equal(found: dict[str, list[float]], expected: dict[str, list[float]]) -> None:
    assert sorted(found) == sorted(expected)
    for name, row in expected.items():
        assert found[name] == pytest.approx(row, rel=0, abs=1e-12), name


def test_the_cases_are_those_of_the_figures() -> None:
    assert digest(cases()) == GOLDEN["digest"]


@pytest.mark.parametrize("name", ["J", "F"])
def test_semi_supervised(name: str, scored: Callable[[str], Numbers]) -> None:
    """The same but for ids that no first frame has, which are no objects here."""
    expected = GOLDEN["semi-supervised"][name]
    found = scored("davis2017-semi")[name]
    assert_equal(found, present(expected))
    assert sorted(set(expected) - set(found)) == ["gap_2", "gap_4", "gap_5", "late_2"]
    assert found["all"] != pytest.approx(expected["all"], abs=1e-3)


@pytest.fixture(scope="module")
def reference(root: Path) -> dict[str, Any]:
    """What a davis2017-evaluation that is at hand says of the cases."""
    peers = os.environ.get("VIPBENCH_PEERS")
    if not peers:
        pytest.skip("VIPBENCH_PEERS is not set: it names the folder that holds davis2017-evaluation")
    python = os.environ.get("VIPBENCH_PEER_PYTHON", sys.executable)
    command = [python, str(HERE / "davis2017_reference.py"), str(root)]
    path = {"PYTHONPATH": str(Path(peers) / "davis2017-evaluation"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=os.environ | path, capture_output=True, text=True)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(
            f"{done.stderr.splitlines()[-1]}. Name an interpreter that has it by VIPBENCH_PEER_PYTHON"
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_reference_at_hand_says_the_same(reference: dict[str, Any]) -> None:
    assert reference["digest"] == GOLDEN["digest"]
    for task in TASKS.values():
        for name in ("J", "F"):
            assert_equal(reference[task][name], GOLDEN[task][name])
