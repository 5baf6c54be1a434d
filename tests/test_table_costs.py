"""What rows cost, below a table: times, counts, Eq. 8 and 9, and the paper's speed-ups, by hand."""

import csv
import dataclasses
import io
import json
from typing import Any

import pytest
from made_records import made

from vipbench import papers
from vipbench.costs import Cost
from vipbench.records import Record
from vipbench.tables import render

MODULES = {"features": 100, "heads": 20, "flow": 30, "warp": 2, "temporal": 50}
COSTS = {
    "frame": Cost(MODULES, {"features": 1, "heads": 1}, 1),
    "dff": Cost(MODULES, {"features": 1, "flow": 9, "warp": 9, "heads": 10}, 10, 0),
    "aten": Cost(MODULES, {"features": 1, "flow": 4, "warp": 4, "temporal": 3, "heads": 3}, 3, 2),
}


def record(method: str, fps: float | None, number: int = 2, cost: Any = True, **changes: Any) -> Record:
    """A Record of 10 frames with that many a second, of which features and writing take a quarter each."""
    timing = {}
    if fps:
        seconds = 10 / fps
        stages = {"features": seconds / 4, "write": seconds / 4}
        timing = {"stages": stages, "seconds": seconds, "fps": 4 / 3 * fps, "fps_end_to_end": fps}
    found = made(method, number, **timing)
    said = dataclasses.asdict(COSTS[method]) if cost is True else cost
    run = {**(found.provenance.run or {}), "cost": said, **changes}
    return dataclasses.replace(found, provenance=dataclasses.replace(found.provenance, run=run))


def values(records: list[Record], method: str, number: int = 2) -> dict[str, float | None]:
    rows = json.loads(render(records, number, "json", intervals=False))
    return {row["measure"]: row["ours"] for row in rows if row["method"] == method}


def test_ratios_by_hand() -> None:
    aten, dff = COSTS["aten"], COSTS["dff"]
    assert aten.a_frame == (100 + 4 * 30 + 4 * 2 + 3 * 50 + 3 * 20) / 3
    assert aten.ratio == pytest.approx(438 / 360)
    assert aten.eq8 == pytest.approx((3 * 50 + 5 * (2 + 30) + 3 * 20 + 100) / (3 * 120))
    assert aten.eq9 == pytest.approx(5 * 30 / 300 + 1 / 3)
    assert dff.eq8 == pytest.approx((10 * 32 + 10 * 20 + 100) / 1200)
    assert dff.ratio == pytest.approx((100 + 9 * 32 + 10 * 20) / 1200)
    assert (COSTS["frame"].ratio, COSTS["frame"].eq8) == (1, None)


def test_times_and_counts_in_the_long_form() -> None:
    found = values([record("frame", 3), record("aten", 2)], "ATEN-l3")
    assert (found["fps"], found["fps_end_to_end"]) == (pytest.approx(8 / 3), 2)
    assert (found["ms.features"], found["ms.write"], found["ms.heads"]) == (125, 125, 0)
    assert found["ms.other"] == pytest.approx(250)
    assert found["gmac"] == pytest.approx(146e-9)
    modules = {"features": 100 / 3, "flow": 40, "warp": 8 / 3, "temporal": 50, "embedding": 0, "heads": 20}
    assert {m: found[f"gmac.{m}"] for m in modules} == pytest.approx(
        {m: n * 1e-9 for m, n in modules.items()}
    )
    assert (found["r.exact"], found["r.measured"]) == (pytest.approx(438 / 360), 1.5)
    assert found["speedup.counted"] == pytest.approx(360 / 438)
    assert found["speedup.measured"] == pytest.approx(2 / 3)
    rows = csv.DictReader(io.StringIO(render([record("aten", 2)], 2, "csv", intervals=False)))
    (claim,) = (r for r in rows if r["measure"] == "speedup.counted" and r["method"] == "ATEN-l3")
    assert (claim["paper"], claim["caution"]) == ("3.0", "")


def verdict(fps: float | None, alone: float | None = 1.0, **changes: Any) -> str:
    records = [record("dff", fps, **changes), *([record("frame", alone)] if alone else [])]
    text = " ".join(render(records, 2, "terminal", intervals=False).split())
    return text.partition("DFF is 10 times as fast as frame, says the paper's text: ")[2].partition(".  ")[0]


def test_what_the_paper_says_holds_or_not_by_what_was_measured() -> None:
    assert verdict(9.6).startswith("the counts allow 2.04, measured 9.60: holds.")
    assert verdict(9.4).startswith("the counts allow 2.04, measured 9.40: does not hold.")
    assert verdict(12.0).startswith("the counts allow 2.04, measured 12.00: holds.")


def test_dashes_where_there_is_nothing_to_compare_with() -> None:
    assert verdict(9.6, None).startswith("the counts allow 2.04, measured –: not measured.")
    assert verdict(None).startswith("the counts allow 2.04, measured –: not measured.")
    assert verdict(9.6, cost=None).startswith("the counts allow –, measured –: not measured.")
    assert verdict(9.6, cost={"modules": 1}).startswith("the counts allow –, measured –: not measured.")
    other = {"cpu": "another processor", "torch": "cuda"}
    assert verdict(9.6, device=other).startswith("the counts allow 2.04, measured –: not measured.")
    wider = dataclasses.asdict(dataclasses.replace(COSTS["dff"], modules=MODULES | {"features": 200}))
    assert "measured –: not measured." in verdict(9.6, cost=wider)


def test_nothing_where_nothing_is_known_or_claimed() -> None:
    assert "times as fast" not in render([record("aten", None, cost=None)], 2, "terminal", intervals=False)
    assert "times as fast" not in render([], 1, "terminal")
    assert "r exact" not in render([record("aten", 2, 3)], 3, "markdown", intervals=False)


@pytest.mark.parametrize("number", [1, 2])
def test_every_claim_is_about_a_row(number: int) -> None:
    table = papers.table(number)
    assert {claim.row for claim in table.claims} <= {row.name for row in table.rows}
    times = {claim.row.replace("-l3", ""): claim.times for claim in table.claims}
    assert (times["ATEN"], times["DFF"]) == (3, 10)


def test_both_blocks_in_every_form() -> None:
    records = [record("frame", 3), record("aten", 2)]
    terminal, markdown, latex = (
        render(records, 2, fmt, intervals=False) for fmt in ("terminal", "markdown", "latex")
    )
    assert max(map(len, terminal.splitlines())) <= 120
    assert "| ATEN-l3 | 2.67 | 2.00 | 125.0 |" in markdown
    assert "| 0.000 | 0.000 | 0.833 | 1.306 | 1.217 | 1.500 |" in markdown
    assert latex.count("\\begin{tabular}") == latex.count("\\end{tabular}") == 3
    assert "| frame | " not in markdown  # the row of Table 2 is called otherwise
    assert "| ATEN-F | 4.00 | 3.00 |" in markdown


def test_undertrained_rows_say_so_and_a_note_explains() -> None:
    records = [record("aten", 2, about="preset tiny, w.safetensors, undertrained"), record("dff", 2)]
    for fmt in ("terminal", "markdown", "latex"):
        text = render(records, 2, fmt, intervals=False)
        assert "ATEN-l3 (undertrained)" in text
        assert "DFF (undertrained)" not in text
        assert "undertrained: the log of these weights shows no plateau" in " ".join(text.split())
    rows = json.loads(render(records, 2, "json", intervals=False))
    assert {row["caution"] for row in rows if row["method"] == "ATEN-l3"} == {"undertrained"}
    assert {row["caution"] for row in rows if row["method"] != "ATEN-l3"} == {""}
    named = [record("aten", 2, about="preset tiny, undertrained.safetensors")]
    assert "(undertrained)" not in render(named, 2, "terminal", intervals=False)
