"""Records: the JSON and what is wrong with one."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vipbench.errors import UserError
from vipbench.records import Provenance, Record, Score, States, load, load_folder, load_states


def record(*scores: Score) -> Record:
    provenance = Provenance(
        version="0.1.0",
        git=None,
        command="vipbench score x",
        created="2026-01-01T00:00:00+00:00",
        dataset_version="2016 480p",
        dataset_hash="aa",
        prediction_hash="bb",
        device={"cpu": "one"},
        layout="davis",
        warnings=("warning: one frame is missing",),
        run={"method": "aten", "options": {"l": "5"}},
    )
    return Record("aten", {"l": "5"}, "davis", "val", {"davis2016": ["J"]}, scores, {"frames": 3}, provenance)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 10**6))
def test_doubles_survive_to_the_bit(value: float, n: int) -> None:
    first = record(Score("J", "all", value, n))
    second = Record.from_json(first.to_json())
    assert second == first
    assert math.copysign(1, second.scores[0].value) == math.copysign(1, value)


def test_nan_is_null() -> None:
    text = record(Score("J", "all", math.nan, 0)).to_json()
    assert json.loads(text)["scores"] == [{"measure": "J", "scope": "all", "value": None, "n": 0}]
    value = Record.from_json(text).value("J")
    assert value is not None
    assert math.isnan(value)


def test_value_by_label_and_scope() -> None:
    found = record(Score("J", "all", 0.5, 2), Score("J", "bee", 0.25, 1))
    assert found.value("J") == 0.5
    assert found.value("J", "bee") == 0.25
    assert found.value("F") is None


def test_save_and_load(tmp_path: Path) -> None:
    first = record(Score("J", "all", 0.1, 2))
    first.save(tmp_path / "deep" / "a.json")
    assert load(tmp_path / "deep" / "a.json") == first
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.json"]
    assert load_folder(tmp_path / "deep") == [first]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": "vipbench/record-9"}', record().to_json()[:-20], '{"schema": null}'],
)
def test_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"bad\.json: not a vipbench/record-1 file"):
        load(path)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json: cannot read"):
        load(tmp_path / "none.json")
    with pytest.raises(UserError, match="no such folder"):
        load_folder(tmp_path / "none")


STATES: States = {
    "J()": {"bee": {"bee": [[0, 1, "00001", 0.1]]}, "ant": {"ant": [[0, 1, "00001", math.nan]]}}
}


def test_states_lie_beside_the_record(tmp_path: Path) -> None:
    first = replace(record(Score("J.mean()", "all", 0.1, 2)), states=STATES)
    for name in ("a.json", "a.json", "b.json"):
        first.save(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.json",
        "a.states.json.gz",
        "b.json",
        "b.states.json.gz",
    ]
    assert (tmp_path / "a.states.json.gz").read_bytes() == (tmp_path / "b.states.json.gz").read_bytes()
    assert load_folder(tmp_path) == [first, first]
    assert "states" not in json.loads((tmp_path / "a.json").read_text())
    found = load_states(tmp_path / "a.json")
    assert json.dumps(found) == json.dumps(STATES)
    assert list(found["J()"]) == ["bee", "ant"]


def test_a_record_is_read_without_its_states(tmp_path: Path) -> None:
    first = replace(record(Score("J.mean()", "all", 0.1, 2)), states=STATES)
    first.save(tmp_path / "a.json")
    (tmp_path / "a.states.json.gz").unlink()
    assert load(tmp_path / "a.json") == first
    with pytest.raises(UserError, match=r"a\.states\.json\.gz: no such file.*Score the predictions again"):
        load_states(tmp_path / "a.json")


@pytest.mark.parametrize(
    "other",
    [
        lambda r: replace(r, provenance=replace(r.provenance, prediction_hash="cc")),
        lambda r: replace(r, provenance=replace(r.provenance, dataset_hash="cc")),
        lambda r: replace(r, scores=(Score("F.mean()", "all", 0.1, 2),)),
    ],
    ids=["predictions", "ground truth", "measures"],
)
def test_states_of_another_record_are_refused(tmp_path: Path, other: Callable[[Record], Record]) -> None:
    first = replace(record(Score("J.mean()", "all", 0.1, 2)), states=STATES)
    first.save(tmp_path / "a.json")
    replace(other(first), states={}).save(tmp_path / "a.json")
    with pytest.raises(UserError, match=r"other predictions, ground truth or measures than a\.json"):
        load_states(tmp_path / "a.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        gzip.compress(b"{}"),
        gzip.compress(b"[]"),
        gzip.compress(b'{"schema": "vipbench/states-1", "of": "", "states": {"J()": 1}}'),
        gzip.compress(b'{"schema": "vipbench/states-2"}'),
        gzip.compress(b"x" * 99)[:-9],
    ],
)
def test_damaged_states_are_named(tmp_path: Path, data: bytes) -> None:
    record().save(tmp_path / "a.json")
    (tmp_path / "a.states.json.gz").write_bytes(data)
    with pytest.raises(UserError, match=r"a\.states\.json\.gz: not a vipbench/states-1 file"):
        load_states(tmp_path / "a.json")


def test_groups_are_no_videos() -> None:
    scopes = ("all", "class:hat", "size:small", "attribute:OCC", "occlusion:heavy", "bee", "ant#1/00001")
    assert record(*(Score("J()", scope, 0.1, 1) for scope in scopes)).videos == ("ant", "bee")


def test_headline_leaves_out_the_thresholds_between() -> None:
    labels = [f"APr@{t}(matching=once)" for t in ("0.5", "0.55", "0.5:0.95")]
    first = replace(record(*(Score(t, "all", 0.1, 1) for t in labels)), protocols={"vip": [*labels, "none"]})
    assert first.totals == [("vip", label) for label in labels]
    assert first.headline == [("vip", labels[0]), ("vip", labels[2])]
