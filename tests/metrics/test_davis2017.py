"""J and F as davis2017-evaluation gives them, per object and over the set; and where ours mean to differ.

The figures in golden/davis2017.json are the reference's own on the sequences of davis2017_cases.py:

    python tests/metrics/davis2017_cases.py ROOT
    PYTHONPATH=davis2017-evaluation python tests/metrics/davis2017_reference.py ROOT > golden/davis2017.json

with davis2017-evaluation of 2023-02-26, Python 3.11, numpy 2.4.6, scipy 1.17.1, opencv 5.0.0, scikit-image
0.26.0. To compare with a reference that is at hand, set VIPBENCH_PEERS to the folder that holds
davis2017-evaluation and, if it needs another interpreter, VIPBENCH_PEER_PYTHON.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from davis2017_cases import cases, digest, write
from davis2017_reference import series

from vipbench.datasets.davis import Davis
from vipbench.folders import DavisFolder
from vipbench.metrics.davis2017 import JCompat
from vipbench.metrics.measure import Measure, Pair, label, objects_of, without_void
from vipbench.metrics.protocols import PROTOCOLS
from vipbench.metrics.region import J
from vipbench.scorer import score
from vipbench.specs import DatasetSpec

HERE = Path(__file__).parent
GOLDEN: dict[str, Any] = json.loads((HERE / "golden/davis2017.json").read_text())
KEYS = ("mean", "recall", "decay")
SEMI, UNSUP = "semi-supervised", "unsupervised"
TASKS = {
    "davis2017-semi": SEMI,
    "davis2017-semi-compat": SEMI,
    "davis2017-unsup": UNSUP,
    "davis2017-unsup-compat": UNSUP,
}
GAPS = {"gap_2", "gap_4", "gap_5", "late_2"}
"""Below the highest id of a first frame, but not in it: objects for the reference alone."""
Numbers = dict[str, dict[str, list[float]]]  # measure -> scope -> mean, recall, decay


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("davis2017"))


@pytest.fixture(scope="module")
def scored(root: Path) -> Callable[[str], Numbers]:
    """Score a protocol, once."""
    known: dict[str, Numbers] = {}

    def of_protocol(protocol: str) -> Numbers:
        if protocol not in known:
            known[protocol] = numbers(root, protocol)
        return known[protocol]

    return of_protocol


def pairs(root: Path, task: str) -> list[Pair]:
    dataset = Davis(root / "DAVIS", year=2017, task=task)
    folder = DavisFolder(root / task)
    found = []
    for video in dataset.videos("val"):
        objects = objects_of(dataset.read(video.frames[0]))
        for t, frame in enumerate(video.frames):
            here = without_void(dataset.read(frame), folder.read(video.id, frame.name), dataset.void)
            found.append(Pair(video.id, frame.name, t, t == len(video.frames) - 1, *here, objects))
    return found


def numbers(root: Path, protocol: str) -> Numbers:
    """By "J", "F", "JF"."""
    seen = pairs(root, TASKS[protocol])
    return {measure.name.split("_")[0]: finished(measure, seen) for measure in PROTOCOLS[protocol]}


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


def of(sequence: str, found: dict[str, list[float]]) -> dict[str, list[float]]:
    """What is found of a sequence's objects."""
    return {obj: row for obj, row in found.items() if obj.rpartition("_")[0] == sequence}


def rows(found: dict[str, list[float]]) -> list[list[float]]:
    """In an order that does not depend on the last bits, nor on which object is which."""
    return sorted(found.values(), key=lambda row: [round(value, 9) for value in row])


def assert_equal(found: dict[str, list[float]], expected: dict[str, list[float]]) -> None:
    assert sorted(found) == sorted(expected)
    for name, row in expected.items():
        assert found[name] == pytest.approx(row, rel=0, abs=1e-12), name


def test_the_cases_are_those_of_the_figures() -> None:
    assert digest(cases()) == GOLDEN["digest"]


@pytest.mark.parametrize("name", ["J", "F"])
@pytest.mark.parametrize("protocol", ["davis2017-semi-compat", "davis2017-unsup-compat"])
def test_compat_is_the_reference(protocol: str, name: str, scored: Callable[[str], Numbers]) -> None:
    assert_equal(scored(protocol)[name], GOLDEN[TASKS[protocol]][name])


@pytest.mark.parametrize("protocol", ["davis2017-semi-compat", "davis2017-unsup-compat"])
def test_a_scored_folder_is_the_reference(protocol: str, root: Path) -> None:
    """The same by `vipbench score --protocol`, void and checks included."""
    data = DatasetSpec("davis", root / "DAVIS", {"year": "2017", "task": TASKS[protocol]})
    record = score(root / TASKS[protocol], data, "val", asked=(protocol,))
    for measure in PROTOCOLS[protocol][:2]:
        expected = GOLDEN[TASKS[protocol]][measure.name[0]]
        for key, value in zip(KEYS, expected["all"], strict=True):
            assert record.value(label(measure, key)) == pytest.approx(value, rel=0, abs=1e-12)


@pytest.mark.parametrize("protocol", TASKS)
def test_j_and_f(protocol: str, scored: Callable[[str], Numbers]) -> None:
    """Their mean over the set is the mean of the two, as evaluation_method.py has it."""
    found = scored(protocol)
    both = (found["J"]["all"][0] + found["F"]["all"][0]) / 2
    assert found["JF"]["all"][0] == pytest.approx(both, rel=0, abs=1e-12)


@pytest.mark.parametrize("name", ["J", "F"])
def test_semi_supervised(name: str, scored: Callable[[str], Numbers]) -> None:
    """The same but for ids that no first frame has, which are no objects here."""
    expected = {obj: row for obj, row in GOLDEN[SEMI][name].items() if obj not in {"all", *GAPS}}
    found = scored("davis2017-semi")[name]
    assert_equal(found, expected | {"all": mean_of(expected)})
    assert found["all"] != pytest.approx(GOLDEN[SEMI][name]["all"], abs=1e-3)


@pytest.mark.parametrize("name", ["J", "F"])
def test_unsupervised(name: str, scored: Callable[[str], Numbers]) -> None:
    """Without gaps in the ids the values of a sequence are the same, and so is their mean; with gaps they
    are not, since no proposal here is spent on an object that does not exist."""
    found, expected = scored("davis2017-unsup")[name], GOLDEN[UNSUP][name]
    for case in cases():
        ours, theirs = of(case.name, found), of(case.name, expected)
        if case.name in ("gap", "late"):
            assert set(theirs) - set(ours) == {obj for obj in GAPS if obj.startswith(case.name)}
        else:
            assert sorted(ours) == sorted(theirs)
            np.testing.assert_allclose(rows(ours), rows(theirs), rtol=0, atol=1e-12)
    objects = {obj: row for obj, row in found.items() if obj != "all"}
    assert found["all"] == pytest.approx(mean_of(objects), rel=0, abs=1e-12)


@pytest.mark.parametrize("name", ["J", "F"])
@pytest.mark.parametrize(
    ("sequence", "order"), [("permuted", (2, 3, 1)), ("many", (2, 4, 3, 1)), ("three", (1, 2, 3))]
)
def test_values_go_by_the_object_not_by_the_proposal(
    name: str, sequence: str, order: tuple[int, ...], scored: Callable[[str], Numbers]
) -> None:
    """order: the objects of the matched proposals, in their order. The reference calls them 1, 2, ..."""
    found, theirs = scored("davis2017-unsup")[name], GOLDEN[UNSUP][name]
    for rank, obj in enumerate(order, 1):
        expected = theirs[f"{sequence}_{rank}"]
        assert found[f"{sequence}_{obj}"] == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("n", [int(n) for n in GOLDEN["series"]])
def test_statistics_of_a_series(n: int) -> None:
    """The same up to 255 frames; above, the reference's decay is of other frames or NaN."""
    vector, theirs = series(n), [math.nan if v is None else v for v in GOLDEN["series"][str(n)]]
    ours, compat = ([number(vector) for number in m.statistics.values()] for m in (J, JCompat))
    assert compat == pytest.approx(theirs, rel=0, abs=1e-12, nan_ok=True)
    assert ours[:2] == pytest.approx(theirs[:2], rel=0, abs=1e-12)
    assert (ours[2] == pytest.approx(theirs[2], rel=0, abs=1e-12)) == (n < 256)
    assert n < 256 or ours[2] == pytest.approx(0.75, abs=0.05)  # what a fall by 1 comes to


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
    for task in (SEMI, UNSUP):
        for name in ("J", "F"):
            assert_equal(reference[task][name], GOLDEN[task][name])
