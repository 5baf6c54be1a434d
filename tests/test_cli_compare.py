"""`vipbench compare`: what it prints in each form, and of what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from made_states import save, series
from tiny import Cli, fails

A = {"ant": [0.9], "bee": [0.5], "cat": [0.4], "dog": [0.7]}
B = {"ant": [0.4], "bee": [0.2], "cat": [0.2], "dog": [0.8]}
MEAN = "J.mean(frames=inner,objects=foreground)"


@pytest.fixture
def made(cli: Cli) -> None:
    """Records of "a" and "b" in the working folder."""
    save(Path(), series("a", A), series("b", B))


def test_scored_folders_compare(cli: Cli, davis_root: Path) -> None:
    data = ("--dataset", "davis", "--data", davis_root)
    for method in ("copy-first", "empty"):
        assert cli("run", "--method", method, *data).exit_code == 0
        assert cli("score", f"preds/{method}/davis", *data).exit_code == 0
    files = sorted(path.name for path in Path("records").iterdir())
    assert files == [
        "copy-first.davis.val.json",
        "copy-first.davis.val.states.json.gz",
        "empty.davis.val.json",
        "empty.davis.val.states.json.gz",
    ]
    result = cli("compare", "records/copy-first.davis.val.json", "records/empty.davis.val.json")
    assert result.exit_code == 0, result.output
    assert "davis 2016 480p val, 2 videos" in result.stdout
    assert MEAN in result.stdout
    assert "p: two-sided randomisation test" in result.stdout
    assert "all 4 exchanges (no p is below 0.5)" in result.stdout
    alone = cli("compare", "records/empty.davis.val.json")
    assert alone.exit_code == 0
    assert "exchange" not in alone.stdout
    assert re.search(r"J\.mean\(\S+\) +0\.0000 +0\.0000 +0\.0000", alone.stdout)


def test_terminal_says_what_was_done(cli: Cli, made: None) -> None:
    out = cli("compare", "a.json", "b.json", "--seed", 5, "--resamples", 15, "--measure", "J.mean").stdout
    assert "Intervals: 95 %, percentile bootstrap over whole videos, 15 resamples, seed 5" in out
    assert "15 random exchanges, seed 5" in out
    assert "Of fewer than 20 videos the intervals tend to be too short" in out
    assert re.search(r" a +b +\+0\.2250 .* 3 +0 +1$", out, re.MULTILINE)
    assert "J.recall" not in out


def test_json_holds_everything(cli: Cli, made: None) -> None:
    found = json.loads(cli("compare", "a.json", "b.json", "--format", "json").stdout)
    assert found["unit"] == "video"
    assert (found["resamples"], found["seed"], found["alpha"]) == (2000, 0, 0.05)
    assert (found["exchanges"], found["exact"]) == (16, True)
    mean = found["measures"][0]
    assert mean["measure"] == MEAN
    assert [m["method"] for m in mean["methods"]] == ["a", "b"]
    assert mean["pairs"][0] | {"low": 0, "high": 0, "value": 0} == {
        "method": "a",
        "other": "b",
        "value": 0,
        "low": 0,
        "high": 0,
        "undefined": 0,
        "undefined_exchanges": 0,
        "p": 0.25,
        "holm": 0.25,
        "wins": 3,
        "ties": 0,
        "losses": 1,
    }


def test_csv_has_a_row_a_number(cli: Cli, made: None) -> None:
    text = cli("compare", "a.json", "b.json", "--format", "csv", "--protocol", "made").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 3 * 3
    assert [(row["method"], row["other"]) for row in rows[:3]] == [("a", ""), ("b", ""), ("a", "b")]
    assert float(rows[0]["value"]) == pytest.approx(0.625)
    assert {(row["videos"], row["seed"], row["exchanges"]) for row in rows} == {("4", "0", "16")}


def test_markdown_has_a_table_of_methods_and_one_of_pairs(cli: Cli, made: None) -> None:
    out = cli("compare", "b.json", "a.json", "--format", "markdown", "--measure", MEAN).stdout
    assert (
        f"### {MEAN}\n\n| method | value | low | high | rank |\n| --- | ---: | ---: | ---: | ---: |\n" in out
    )
    assert out.index("| a | 0.6250") < out.index("| b | 0.4000")
    assert "| b | a | -0.2250 |" in out


def test_what_is_left_out_is_said(cli: Cli) -> None:
    one, other = series("a", {"ant": [0.9], "bee": []}), series("b", {"ant": [], "bee": [0.5]})
    save(Path(), one, other, series("c", {"ant": [0.4]}))
    out = cli("compare", "a.json", "b.json", "--measure", "J.mean").stdout
    assert re.search(r"a: \d+ of 2000 resamples have no value, too many for an interval", out)
    assert "a and b: 2 exchanges have no value and count as extreme" in out
    assert "a and b: 2 videos without a value of both" in out
    out = cli("compare", "c.json").stdout
    assert "A single video says nothing of how videos differ: no interval" in out
    assert re.search(r"J\.mean\(\S+\) +0\.4000 +– +–", out)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("a.json", "none.json"), ("none.json: cannot read the record",)),
        (("a.json", "a.json"), ("a.json: given twice",)),
        (("a.json", "b.states.json.gz"), ("what stands beside a Record. Pass the Record, b.json",)),
        (("a.json", "--measure", "F.mean"), ("a.json: has no F.mean. It has J.mean(",)),
        (("a.json", "--measure", "J.mean(frames=some)"), ("frames=some",)),
        (("a.json", "--protocol", "vip"), ("has no protocol 'vip'", "made")),
        (("a.json", "--resamples", "0"), ("--resamples",)),
        (("a.json", "--alpha", "1"), ("--alpha",)),
        (("a.json", "--seed", "-1"), ("--seed",)),
        ((), ("RECORD",)),
    ],
)
def test_refusals(cli: Cli, made: None, words: tuple[str, ...], says: tuple[str, ...]) -> None:
    fails(cli, "compare", *words, says=says)


def test_other_data_and_missing_states_are_refused(cli: Cli, made: None) -> None:
    save(Path(), series("c", A, split="train"))
    fails(cli, "compare", "a.json", "c.json", says=("a.json and c.json", "the split is 'test' and 'train'"))
    Path("b.states.json.gz").unlink()
    fails(cli, "compare", "a.json", "b.json", says=("b.states.json.gz: no such file", "again"))
