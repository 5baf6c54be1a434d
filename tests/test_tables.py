"""The published numbers as data, and ours beside them."""

import csv
import dataclasses
import io
import json
import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import DAVIS_VAL, made
from made_states import save, series
from tiny import Cli

from vipbench import papers
from vipbench.errors import UserError
from vipbench.metrics.measure import parse
from vipbench.metrics.protocols import PROTOCOLS
from vipbench.papers.join import blocks
from vipbench.records import Record, Score, load
from vipbench.scorer import score
from vipbench.specs import DatasetSpec
from vipbench.tables import render

# The three tables as the paper prints them, row by row, dashes for figures that it does not have.
PRINTED = {
    1: """frame 36.4 89.2 85.0 72.9 51.3 21.6 16.0 10.4 21.6 –
        DFF 35.3 89.9 86.4 74.1 53.2 20.3 15.0 9.8 20.3 8.2
        FGFA 37.5 90.6 88.5 80.2 57.9 24.0 17.8 12.2 23.0 0.8
        ATEN-LSTM 37.9 90.7 86.3 81.0 59.8 24.9 18.7 12.4 23.9 3.5
        ATEN-p1 37.3 90.9 88.8 81.4 59.6 24.6 18.4 12.2 23.6 4.1
        ATEN 37.9 90.8 86.7 81.6 59.9 25.1 18.9 12.8 24.1 3.8""",
    2: """CUT 55.2 57.5 2.3 55.2 61.0 3.4
        FST 55.8 64.9 0 51.1 51.6 2.9
        MP-Net-F 70.0 85.0 1.4 65.9 79.2 2.5
        VM-wo-CRF 70.1 – – – – –
        DFF 67.1 79.0 0 65.4 74.9 -0.024
        FGFA 71.2 82.5 1.2 71.0 82.0 1.0
        ATEN-F 69.5 80.5 0.9 69.5 78.4 1.0
        ATEN-l5 70.2 84.1 2.4 69.0 79.2 2.2
        ATEN-l4 70.9 83.9 2.7 71.0 81.3 1.9
        ATEN-l3 71.3 84.3 2.1 71.5 81.8 1.4""",
    3: """ATEN-wo-flow-align 69.9
        ATEN-wo-convGRU 69.2
        ATEN-convLSTM 70.7
        ATEN 70.9""",
}


def printed(number: int, name: str, column: str) -> float:
    table = papers.table(number)
    row = next(r for r in table.rows if r.name == name)
    return float(row.values[[c.heading for c in table.columns].index(column)])


def cells(text: str, method: str) -> dict[str, dict[str, str]]:
    """The cells of a method in the long form, by column."""
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["method"] == method]
    return {row["column"]: row for row in rows}


def row_of(number: int, record: Record) -> str:
    """The name of the line that a record ends up in."""
    (block,) = blocks([record], papers.table(number))
    return next(line.name for line in block.lines if line.record)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_values_are_the_printed_ones(number: int) -> None:
    rows = [line.split() for line in PRINTED[number].splitlines()]
    assert [[r.name, *r.values] for r in papers.table(number).rows] == rows
    assert all(len(r.values) == len(papers.table(number).columns) for r in papers.table(number).rows)


def test_what_the_text_of_the_paper_says_of_its_tables() -> None:
    j = partial(printed, 2, column="J mean")
    assert j("ATEN-l3") - j("VM-wo-CRF") == pytest.approx(1.2)
    assert j("ATEN-l3") - j("ATEN-F") == pytest.approx(1.8)
    assert j("ATEN-F") - j("DFF") == pytest.approx(2.4)
    assert j("ATEN-l5") - j("ATEN-F") == pytest.approx(0.7)
    assert j("ATEN-l4") == printed(3, "ATEN", "mIoU")
    assert printed(3, "ATEN", "mIoU") - printed(3, "ATEN-wo-convGRU", "mIoU") == pytest.approx(1.7)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_column_is_measured_by_the_protocol_of_its_table(number: int) -> None:
    table = papers.table(number)
    for column in table.columns:
        if column.measure:
            measure, _ = parse(column.measure)
            assert measure in PROTOCOLS[table.protocol]


def test_the_row_of_cut_is_what_its_published_masks_score(test_data: Path) -> None:
    """The paper quotes CUT from the DAVIS site, whose masks are at hand; its J decay is rounded up."""
    with (test_data / "davis2016_published" / "val_summary.csv").open() as file:
        site = next(row for row in csv.DictReader(file) if row["method"] == "cut")
    for column in papers.table(2).columns:
        value = 100 * float(site[column.heading.replace(" ", "")])
        assert printed(2, "CUT", column.heading) == pytest.approx(value, abs=0.06)


@pytest.mark.parametrize(
    ("number", "method", "options", "name"),
    [
        (1, "aten", {}, "ATEN"),
        (1, "aten", {"l": "3", "p": "2", "unit": "gru", "align": "True"}, "ATEN"),
        (1, "aten", {"preset": "tiny", "weights": "w.safetensors", "device": "cpu"}, "ATEN"),
        (1, "aten", {"p": "1"}, "ATEN-p1"),
        (1, "aten", {"unit": "lstm"}, "ATEN-LSTM"),
        (1, "aten", {"unit": "lstm", "p": "1"}, "aten-p1-unitlstm"),
        (1, "aten", {"l": "4"}, "aten-l4"),
        (1, "frame", {}, "frame"),
        (1, "copy-first", {}, "copy-first"),
        (2, "aten", {}, "ATEN-l3"),
        (2, "aten", {"l": "4"}, "ATEN-l4"),
        (2, "aten", {"l": "5", "p": "2"}, "ATEN-l5"),
        (2, "aten", {"align": "no"}, "aten-alignno"),
        (2, "frame", {}, "ATEN-F"),
        (2, "CUT", {}, "CUT"),
        (3, "aten", {"l": "4"}, "ATEN"),
        (3, "aten", {"l": "4", "align": "false"}, "ATEN-wo-flow-align"),
        (3, "aten", {"l": "4", "align": "no"}, "ATEN-wo-flow-align"),
        (3, "aten", {"l": "4", "unit": "mean"}, "ATEN-wo-convGRU"),
        (3, "aten", {"l": "4", "unit": "lstm"}, "ATEN-convLSTM"),
        (3, "aten", {}, "aten"),
    ],
)
def test_a_record_stands_in_the_row_of_its_options(
    number: int, method: str, options: dict[str, str], name: str
) -> None:
    assert row_of(number, made(method, number, options=options)) == name


@settings(deadline=None)
@given(st.permutations(range(6)))
def test_the_newest_record_counts_whatever_the_order(order: list[int]) -> None:
    records = [made("aten", value=i / 10, created=f"2026-01-0{i + 1}T00:00:00+00:00") for i in order]
    (block,) = blocks(records, papers.table(1))
    assert [r.value("mIoU") or r.scores[0].value for r in block.records] == [0.5]
    assert block.older == 5
    assert "5 older Records" in render(records, 1, "terminal")


def test_a_difference_only_on_the_papers_own_videos() -> None:
    own = made("cut", 2, "davis", "val", DAVIS_VAL, value=0.552398)
    got = cells(render([own], 2, "csv"), "CUT")["J mean"]
    assert float(got["ours"]) == 0.552398 * 100
    assert float(got["difference"]) == 0.552398 * 100 - 55.2
    for other in [
        made("cut", 2, "davis", "val", DAVIS_VAL[:3]),
        made("cut", 2, "davis", "train", DAVIS_VAL),
        made("cut", 2, "synth-davis", "val", DAVIS_VAL),
        made("cut", 2, "davis", "val", DAVIS_VAL, version="2016 1080p"),
        made("cut", 2, "davis", "val", DAVIS_VAL, version="2017 480p"),
    ]:
        assert {c["difference"] for c in cells(render([other], 2, "csv"), "CUT").values()} == {""}
        text, version = render([other], 2, "terminal"), other.provenance.dataset_version
        assert "no difference" in text
        assert f"ours:  {other.dataset} {version} {other.split}, {len(other.videos)} videos" in text
        assert not re.findall(r" diff {2,}", text)
    assert "no difference" not in render([own], 2, "terminal")
    assert re.search(r" diff +\+0\.0 ", render([own], 2, "terminal"))


def test_records_on_different_videos_do_not_share_a_block() -> None:
    records = [made("cut", 2, "davis", "val", DAVIS_VAL[:3]), made("fst", 2, "synth-davis")]
    records.append(made("aten", 2, "davis", "val", DAVIS_VAL))
    found = blocks(records, papers.table(2))
    assert [(b.data.dataset, len(b.data.videos), b.comparable) for b in found] == [
        ("davis", 20, True),
        ("davis", 3, False),
        ("synth-davis", 2, False),
    ]
    (only,) = blocks(records, papers.table(2), dataset="synth-davis")
    assert [r.method for r in only.records] == ["fst"]


def test_records_on_different_ground_truth_do_not_share_a_block() -> None:
    """The same videos at another resolution, or with labels that were changed."""
    records = [made("cut", 2, "davis", "val", DAVIS_VAL), made("fst", 2, "davis", "val", DAVIS_VAL)]
    records.append(made("cut", 2, "davis", "val", DAVIS_VAL, version="2016 1080p"))
    records.append(made("cut", 2, "davis", "val", DAVIS_VAL, truth="e" * 64))
    found = blocks(reversed(records), papers.table(2))
    assert [(b.data.version, b.data.sha256[0], len(b.records)) for b in found] == [
        ("2016 480p", "d", 2),
        ("2016 480p", "e", 1),
        ("2016 1080p", "d", 1),
    ]
    text = render(records, 2, "terminal")
    for part in (
        "val, 20 videos, sha256 dddddddd",
        "val, 20 videos, sha256 eeeeeeee",
        "davis 2016 1080p val",
    ):
        assert part in text
    versions = {row["version"] for row in json.loads(render(records, 2, "json"))}
    assert versions == {"2016 480p", "2016 1080p"}


def test_a_record_of_another_task_is_left_out() -> None:
    assert blocks([made("aten", 2)], papers.table(1))[0].records == []
    assert blocks([made("aten", 1)], papers.table(2))[0].records == []
    assert [r.method for r in blocks([made("aten", 2)], papers.table(3))[0].records] == ["aten"]


def test_unknown_is_a_dash_and_never_zero() -> None:
    for number in (1, 2, 3):
        text = render([], number, "terminal")
        assert "nothing scored yet" in text
        for line in re.findall(r" ours {2,}(.*)", text):
            assert set(line.split()) == {"–"}
        assert {row["ours"] for row in json.loads(render([], number, "json"))} == {None}
    record = made("aten", fps=None)
    undefined = record.scores[0]._replace(value=math.nan)
    damaged = dataclasses.replace(record, scores=(undefined, *record.scores[2:]))
    got = cells(render([damaged], 1, "csv"), "ATEN")
    assert (got["mIoU"]["ours"], got["APr .5"]["ours"], got["fps"]["ours"]) == ("", "", "")
    assert float(got["APr .6"]["ours"]) == pytest.approx(50.2)


def test_fps_come_from_the_timing() -> None:
    got = cells(render([made("aten", fps=3.25)], 1, "csv"), "ATEN")["fps"]
    assert (got["ours"], got["paper"], got["measure"]) == ("3.25", "3.8", "fps")


def test_a_table_with_fps_names_the_stages_they_leave_out() -> None:
    assert "without reading images, checking what the method yields, and writing" in render([], 1, "terminal")
    assert "fps" not in render([], 2, "terminal")


def test_the_long_form_keeps_every_bit() -> None:
    record = made("cut", 2, "davis", "val", DAVIS_VAL, value=0.1 + 0.2)
    for row in json.loads(render([record], 2, "json")):
        if row["method"] == "CUT":
            assert row["ours"] / 100 == pytest.approx(record.value(row["measure"]), rel=1e-15)
    assert render([record], 2, "csv").splitlines()[0] == (
        "table,dataset,version,split,videos,method,column,measure,ours,low,high,paper,difference,caution"
    )
    assert "30.000000000000004" in render([record], 2, "csv")


def test_the_terminal_form_fits_and_says_what_it_shows() -> None:
    records = [made("aten", fps=3.2), made("frame", value=0.4), made("empty", value=0.0)]
    text = render(records, 1, "terminal")
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text
    for part in (
        "synth 1 test",
        "vip-paper",
        "preset tiny",
        "a processor, cpu",
        "2026-01-02",
        "vip 2018 test, 50",
    ):
        assert part in text
    assert re.search(r"^ ATEN +ours +50\.0 +50\.1 .* 3\.2$", text, re.MULTILINE)
    assert re.search(r"^ +paper +37\.9 +90\.8 .* 3\.8$", text, re.MULTILINE)
    assert text.index(" ATEN ") < text.index(" empty ")


def test_markdown_and_latex_have_as_many_cells_as_columns_and_escape_names() -> None:
    records = [made("a|b_c&d", 2, options={"x": "<1>"})]
    rows = [line for line in render(records, 2, "markdown").splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9}
    records[0] = dataclasses.replace(records[0], options={})
    latex = render(records, 2, "latex")
    body = [line for line in latex.splitlines() if line.endswith("\\\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in body} == {7}
    assert latex.count("\\begin{tabular}") == latex.count("\\end{tabular}") == 1


@pytest.mark.parametrize(("number", "fmt", "part"), [(4, "csv", "1, 2, 3"), (1, "html", "markdown")])
def test_an_unknown_table_or_form_is_the_users_error(number: int, fmt: str, part: str) -> None:
    with pytest.raises(UserError, match=part):
        render([], number, fmt)


def test_a_record_knows_its_videos() -> None:
    scopes = ["all", "class:hat", "walk", "walk/00001", "dogs#2", "dogs#2/00003"]
    record = dataclasses.replace(made("x"), scores=tuple(Score("m", s, 0.0, 1) for s in scopes))
    assert record.videos == ("dogs", "walk")


SERIES = {"ant": [0.9, 0.7], "bee": [0.5, 0.5], "cat": [0.4, 0.2], "dog": [0.7, 0.1]}
J_MEAN = "J.mean(frames=inner,objects=foreground)"


def by_hand(record: Record) -> list[float]:
    """The percentile interval of J mean, in percent, from the numbers of single videos."""
    values = [record.value(J_MEAN, video) for video in record.videos]
    drawn = np.random.default_rng((0, 0)).multinomial(
        len(values), np.full(len(values), 1 / len(values)), 2000
    )
    return [100 * float(np.quantile(drawn @ values / len(values), q)) for q in (0.025, 0.975)]


def test_the_interval_is_the_percentile_bootstrap_over_videos() -> None:
    record = series("cut", SERIES)
    cell = cells(render([record], 2, "csv"), "CUT")["J mean"]
    assert [float(cell["low"]), float(cell["high"])] == pytest.approx(by_hand(record), abs=1e-9)
    assert (cell["videos"], float(cell["ours"])) == ("4", pytest.approx(50.0))
    assert float(cell["low"]) < 50 < float(cell["high"])


def test_intervals_stand_below_ours_and_the_table_says_what_they_are() -> None:
    text = render([series("cut", SERIES), made("fst", 2, videos=list(SERIES))], 2, "terminal")
    low, high = by_hand(series("cut", SERIES))
    rows = [line.split()[:3] for line in text.splitlines() if re.match(r" +(low|high) |.* CUT ", line)]
    assert rows[:3] == [
        ["CUT", "ours", "50.0"],
        ["low", f"{low:.1f}", rows[1][2]],
        ["high", f"{high:.1f}", rows[2][2]],
    ]
    assert "95 % interval, percentile bootstrap over whole videos, 2000 resamples, seed 0." in text
    assert "Of fewer than 20 videos" in text
    assert text.count("No interval for FST: no states lie beside the Record") == 1
    for fmt in ("markdown", "latex"):
        assert re.search(r"low.*\n.*high", render([series("cut", SERIES)], 2, fmt))


def test_no_interval_of_one_video_or_of_states_that_are_not_the_records() -> None:
    text = render([series("cut", {"ant": [0.5, 0.75]})], 2, "terminal")
    assert "No interval for CUT: a single video" in text
    changed = dataclasses.replace(
        series("cut", SERIES), states=series("cut", {**SERIES, "ant": [0.0]}).states
    )
    text = " ".join(render([changed], 2, "terminal").split())
    assert "No interval for CUT: cut: its states give" in text
    assert "50.0" in text


def test_the_command_takes_the_states_beside_the_records(cli: Cli) -> None:
    Path("records").mkdir()
    for path in save(Path("records"), series("cut", SERIES), series("fst", SERIES)):
        assert load(path).path == path
    Path("records/fst.states.json.gz").unlink()
    rows = json.loads(cli("table", "--paper-table", 2, "--format", "json").stdout)
    known = {row["method"] for row in rows if row["low"] is not None}
    assert known == {"CUT"}
    Path("records/fst.states.json.gz").write_bytes(b"damaged")
    text = " ".join(cli("table", "--paper-table", 2).stdout.split())
    assert "No interval for FST: records/fst.states.json.gz: not a vipbench/states-1 file" in text
    bare = cli("table", "--paper-table", 2, "--no-intervals").stdout
    assert "interval" not in bare.lower()
    assert " 50.0 " in bare


def test_numbers_of_vip_val_say_on_what_one_trains_and_scores() -> None:
    rule = "train on the 304 videos of train and to score the 50 of val"
    val = made("aten", 1, "vip", "val", [f"videos{i}" for i in range(50)])
    for fmt in ("terminal", "markdown", "latex"):
        assert rule in " ".join(render([val], 1, fmt).split())
    assert rule not in " ".join(render([made("aten", 1)], 1, "terminal").split())


def test_the_words_below_tell_who_made_what_and_where() -> None:
    foreign = made("cut", 2)
    foreign = dataclasses.replace(foreign, provenance=dataclasses.replace(foreign.provenance, run=None))
    text = " ".join(render([foreign, made("aten", 2)], 2, "terminal").split())
    assert "CUT: made by other programs, scored here" in text
    assert "ATEN-l3: preset tiny, w.safetensors" in text
    assert "by vipbench 0.1.0; CUT: a processor; ATEN-l3: a processor, cpu." in text


def test_the_published_masks_of_cut_fill_its_row(test_data: Path) -> None:
    """J decay comes out as 2.2 where the paper prints 2.3; the other five figures agree."""
    data = DatasetSpec.of("davis", test_data / "DAVIS")
    record = score(test_data / "davis2016_predictions/cut", data, "val", method="cut")
    text = render([record], 2, "terminal")
    (block,) = re.findall(r"^ CUT(?:.*\n){5}", text, re.MULTILINE)
    rows = {line.split()[0]: line.split()[1:] for line in block.removeprefix(" CUT").splitlines()}
    assert rows["ours"] == ["55.2", "57.5", "2.2", "55.2", "61.0", "3.4"]
    assert rows["paper"] == ["55.2", "57.5", "2.3", "55.2", "61.0", "3.4"]
    assert rows["diff"] == ["+0.0", "+0.0", "-0.1", "+0.0", "+0.0", "+0.0"]
    for low, ours, high in zip(rows["low"], rows["ours"], rows["high"], strict=True):
        assert float(low) < float(ours) < float(high)
    assert "J decay of 2.2" in text
