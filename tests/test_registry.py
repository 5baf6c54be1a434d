"""Names, addresses and options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import pytest

from vipbench import registry
from vipbench.errors import UserError
from vipbench.floors import Empty


class Thing:
    def __init__(
        self,
        dataset: object,
        steps: int = 2,
        rate: float = 0.5,
        fast: bool = False,
        weights: Path | None = None,
        kind: Literal["gru", "lstm"] = "gru",
        note: str | None = None,
    ) -> None:
        self.values = (dataset, steps, rate, fast, weights, kind, note)


def test_built_in_names_are_declared() -> None:
    assert {"empty", "copy-first", "class-prior", "frame", "aten"} <= set(registry.names("methods"))
    assert registry.load("methods", "empty") is Empty


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown method 'emtpy'\. Did you mean empty\? Known: aten, .*"):
        registry.load("methods", "emtpy")


def test_address_of_a_module() -> None:
    assert registry.load("methods", "vipbench.floors:Empty") is Empty


def test_address_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Mine:\n    pass\n")
    address = f"{tmp_path}/mine.py:Mine"
    assert registry.load("methods", address).__name__ == "Mine"
    assert registry.load("methods", address) is registry.load("methods", address)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise RuntimeError('boom')", "mine.py:Mine' does not load .RuntimeError: boom"),
        ("import surely_not_there", "does not load .No module named 'surely_not_there'"),
        ("x = 1", "has no 'Mine'"),
        ("def (", "does not load .SyntaxError"),
    ],
)
def test_broken_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    before = set(sys.modules)
    with pytest.raises(UserError, match=message):
        registry.load("methods", f"{tmp_path}/mine.py:Mine")
    assert not [name for name in set(sys.modules) - before if "mine" in name and text != "x = 1"]


def test_missing_file() -> None:
    with pytest.raises(UserError, match=r"nowhere\.py: no such file"):
        registry.load("methods", "./nowhere.py:Mine")


def test_missing_extra_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise ModuleNotFoundError('no torch', name='torch')")
    with pytest.raises(UserError, match=r"needs torch: pip install 'vipbench\[baselines\]'"):
        registry.load("methods", f"{tmp_path}/mine.py:Mine")


def test_options_follow_the_annotations() -> None:
    texts = {"steps": "3", "rate": "1e-3", "fast": "true", "weights": "a/b", "kind": "lstm", "note": "none"}
    made = registry.build(Thing, "data", options=texts)
    assert made.values == ("data", 3, 1e-3, True, Path("a/b"), "lstm", None)
    assert registry.build(Thing, "data", options={"note": "hello"}).values[-1] == "hello"


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("steps", "2.5", "option steps=2.5: expected int"),
        ("rate", "fast", "option rate=fast: expected float"),
        ("fast", "maybe", "option fast=maybe: expected true or false"),
        ("kind", "rnn", "option kind=rnn: expected gru or lstm"),
        ("step", "2", "unknown option 'step' of Thing. Known options: steps, rate, fast"),
        ("dataset", "x", "unknown option 'dataset'"),
    ],
)
def test_bad_options(key: str, text: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        registry.build(Thing, "data", options={key: text})
    assert expected in str(error.value)


def test_changed_drops_what_is_default_anyway() -> None:
    assert registry.changed(Thing, 1, {"steps": "2", "rate": "0.50", "kind": "lstm"}) == {"kind": "lstm"}


def test_label() -> None:
    assert registry.label("aten", {}) == "aten"
    assert registry.label("aten", {"p": "1", "l": "5"}) == "aten-l5-p1"
    assert registry.label("./my method.py:Slow", {"weights": "a/b.pt"}) == "Slow-weightsa_b.pt"
