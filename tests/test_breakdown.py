"""Numbers by group: what a Record holds of them, in which form, and what it lacks."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from made_records import made
from tiny import Cli, fails

from vipbench.breakdown import GROUPINGS, breakdown, to_csv, to_frame, to_json, to_markdown
from vipbench.cli_breakdown import BY
from vipbench.errors import UserError
from vipbench.records import Record, Score

J = "J.{}(frames=inner,objects=foreground)"
OBJECT_J = "J.{}(frames=inner,objects=first-frame)"
MIOU = "mIoU(absent=skip,frames=all)"


def record(*scores: tuple[str, str, float], **changed: object) -> Record:
    """A Record of numbers (measure, scope, value), all in one protocol; n is 1."""
    rows = tuple(Score(measure, scope, value, 1) for measure, scope, value in scores)
    labels = list(dict.fromkeys(row.measure for row in rows))
    return replace(made("cut", dataset="davis"), scores=rows, protocols={"p": labels}, **changed)  # type: ignore[arg-type]


FULL = record(
    (J.format("mean"), "all", 0.5),
    (J.format("recall"), "all", 0.25),
    (MIOU, "all", 0.4),
    ("APr@0.55(x=1)", "all", 0.1),
    (J.format("mean"), "bee", 0.75),
    (J.format("mean"), "ant", 0.25),
    (J.format("recall"), "bee", 0.5),
    (J.format("frame"), "bee/00001", 0.7),
    (J.format("frame"), "bee#2/00001", 0.6),
    (MIOU, "bee", math.nan),
    (MIOU, "class:hat", 0.3),
    (MIOU, "class:left-arm", 0.2),
    (J.format("mean"), "attribute:OCC", 0.125),
    (J.format("mean"), "occlusion:none", 0.9),
    (J.format("mean"), "occlusion:heavy", 0.1),
    ("APr@0.55(x=1)", "size:small", 0.05),
    ("APr@0.55(x=1)", "bee", 0.15),
)


def found(record: Record, by: str, *measures: str) -> list[tuple[str, str, float]]:
    return [(row.measure, row.group, row.value) for row in breakdown([record], by, measures)]


def test_by_video_in_the_order_of_the_record_and_only_the_headline_numbers() -> None:
    rows = found(FULL, "video")
    assert rows[:3] == [
        (J.format("mean"), "bee", 0.75),
        (J.format("mean"), "ant", 0.25),
        (J.format("recall"), "bee", 0.5),
    ]
    assert rows[3][:2] == (MIOU, "bee")
    assert math.isnan(rows[3][2])
    assert len(rows) == 4  # APr at .55 is none of the headline numbers


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("class", [(MIOU, "hat", 0.3), (MIOU, "left-arm", 0.2)]),
        ("attribute", [(J.format("mean"), "OCC", 0.125)]),
        ("occlusion", [(J.format("mean"), "none", 0.9), (J.format("mean"), "heavy", 0.1)]),
        ("frame", [(J.format("frame"), "bee/00001", 0.7), (J.format("frame"), "bee#2/00001", 0.6)]),
        ("size", [("APr@0.55(x=1)", "small", 0.05)]),
    ],
)
def test_by_each_kind_of_group(by: str, expected: list[tuple[str, str, float]]) -> None:
    """By frame and by size no headline number has groups: those that have are taken."""
    assert found(FULL, by) == expected


def test_a_row_says_whose_number_it_is() -> None:
    (row,) = breakdown([replace(FULL, method="aten", options={"l": "5"})], "attribute")
    assert (row.method, row.dataset, row.split, row.n) == ("aten-l5", "davis", "test", 1)


@pytest.mark.parametrize("text", ["J.mean", J.format("mean")])
def test_a_measure_is_named_with_or_without_its_parameters(text: str) -> None:
    assert found(FULL, "video", text) == found(FULL, "video")[:2]
    assert found(FULL, "video", "APr@0.55") == [("APr@0.55(x=1)", "bee", 0.15)]


def test_rows_are_by_measure_as_asked_each_once() -> None:
    rows = found(FULL, "video", "J.recall", "J.mean", "J.recall")
    assert [measure for measure, _, _ in rows] == [J.format("recall"), J.format("mean"), J.format("mean")]


def test_several_records_follow_each_other() -> None:
    rows = breakdown([FULL, replace(FULL, method="lvo")], "attribute")
    assert [row.method for row in rows] == ["cut", "lvo"]


OBJECTS = record(
    (OBJECT_J.format("mean"), "all", 0.5),
    (OBJECT_J.format("mean"), "bee#1", 0.5),
    (OBJECT_J.format("mean"), "bee#2", 0.25),
    (OBJECT_J.format("mean"), "ant#1", 0.75),
    (OBJECT_J.format("frame"), "bee#1/00001", 0.5),
)


def test_by_object() -> None:
    assert [(group, value) for _, group, value in found(OBJECTS, "object")] == [
        ("bee#1", 0.5),
        ("bee#2", 0.25),
        ("ant#1", 0.75),
    ]


def test_a_video_of_objects_has_their_mean() -> None:
    rows = breakdown([OBJECTS], "video")
    assert [(row.group, row.value, row.n) for row in rows] == [("bee", 0.375, 2), ("ant", 0.75, 1)]


# Forms


def test_csv_has_every_bit_and_nothing_where_undefined() -> None:
    third = record((MIOU, "all", 0.5), (MIOU, "bee", 1 / 3), (MIOU, "ant, or not", math.nan))
    rows = list(csv.DictReader(io.StringIO(to_csv(breakdown([third], "video")))))
    assert list(rows[0]) == ["method", "dataset", "split", "measure", "group", "value", "n"]
    assert float(rows[0]["value"]) == 1 / 3
    assert (rows[1]["group"], rows[1]["value"]) == ("ant, or not", "")


def test_json_has_every_bit_and_null_where_undefined() -> None:
    third = record((MIOU, "all", 0.5), (MIOU, "bee", 1 / 3), (MIOU, "ant", math.nan))
    rows = json.loads(to_json(breakdown([third], "video")))
    assert [row["value"] for row in rows] == [1 / 3, None]
    assert rows[0] == {
        "method": "cut",
        "dataset": "davis",
        "split": "test",
        "measure": MIOU,
        "group": "bee",
        "value": 1 / 3,
        "n": 1,
    }


def test_a_frame_has_every_bit() -> None:
    table = to_frame(breakdown([FULL], "video", ("J.mean", MIOU)))
    assert list(table.columns) == ["method", "dataset", "split", "measure", "group", "value", "n"]
    assert dict(zip(table.group, table.value, strict=True))["ant"] == 0.25
    assert table.value.isna().sum() == 1
    assert to_frame([]).empty


def test_markdown_keeps_its_columns() -> None:
    odd = record((MIOU, "all", 0.5), (MIOU, "a|b", 0.123456789), (MIOU, "ant", math.nan))
    heading, rule, *lines = to_markdown(breakdown([odd], "video")).splitlines()
    assert [line.count("|") for line in (heading, rule, *lines)] == [8] * 4
    assert lines == [
        "| cut | davis | test | mIoU(absent=skip,frames=all) | a&#124;b | 0.123457 | 1 |",
        "| cut | davis | test | mIoU(absent=skip,frames=all) | ant | – | 1 |",
    ]


# The command


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    FULL.save(tmp_path / "cut.json")
    return tmp_path / "cut.json"


def test_the_command_knows_every_grouping() -> None:
    assert sorted(BY) == sorted(GROUPINGS)


@pytest.mark.parametrize("fmt", ["csv", "json", "markdown"])
def test_the_command_prints_nothing_but_the_form(cli: Cli, saved: Path, fmt: str) -> None:
    form = {"csv": to_csv, "json": to_json, "markdown": to_markdown}[fmt]
    result = cli("breakdown", saved, "--by", "video", "--format", fmt)
    assert (result.exit_code, result.stdout, result.stderr) == (0, form(breakdown([FULL], "video")), "")


def test_on_a_terminal_attributes_are_explained(cli: Cli, saved: Path) -> None:
    text = cli("breakdown", saved, saved, "--by", "attribute").stdout
    assert text.count("cut on davis test\n") == 2
    assert text.count("OCC  occlusion: it becomes hidden") == 1
    assert "0.125000" in text
    assert "occlusion:" not in cli("breakdown", saved, "--by", "video").stdout


MISSING = {
    "object": "DAVIS 2017",
    "class": "vip, synth",
    "size": "vip, synth",
    "attribute": "DAVIS 2016",
    "occlusion": "vipbench data make synth",
    "frame": "score again",
}


@pytest.mark.parametrize(("by", "how"), MISSING.items())
def test_a_record_without_such_groups_says_which_it_has_and_how_to_get_them(
    cli: Cli, tmp_path: Path, by: str, how: str
) -> None:
    record((MIOU, "all", 0.5), (MIOU, "bee", 0.5)).save(tmp_path / "r.json")
    says = (f"cut on davis test: no numbers by {by}, only by video.", how, "score again")
    fails(cli, "breakdown", tmp_path / "r.json", "--by", by, says=says)


def test_a_record_of_totals_alone(cli: Cli, tmp_path: Path) -> None:
    record((MIOU, "all", 0.5)).save(tmp_path / "r.json")
    fails(
        cli, "breakdown", tmp_path / "r.json", "--by", "video", says=("no numbers by video. ", "score again")
    )


def test_other_bad_input(cli: Cli, saved: Path, tmp_path: Path) -> None:
    unknown = ("no 'K.mean' by attribute", f"by attribute: {J.format('mean')}")
    fails(cli, "breakdown", saved, "--by", "attribute", "--measure", "K.mean", says=unknown)
    fails(cli, "breakdown", saved, "--by", "attribute", "--measure", "J", says=("no 'J' by attribute",))
    fails(cli, "breakdown", tmp_path / "none.json", "--by", "video", says=("none.json", "cannot read"))
    fails(cli, "breakdown", saved, "--by", "colour", says=("'colour'", "attribute"))
    fails(cli, "breakdown", saved, says=("--by",))
    fails(cli, "breakdown", "--by", "video", says=("RECORD",))
    with pytest.raises(UserError, match="'colour': expected one of video, object, frame, class"):
        breakdown([FULL], "colour")
