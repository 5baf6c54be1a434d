"""Records: the JSON and what is wrong with one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vipbench.errors import UserError
from vipbench.records import Provenance, Record, Score, load, load_folder


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
