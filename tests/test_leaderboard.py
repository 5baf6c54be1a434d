"""The leaderboard page: everything in it comes from Records, and it asks nothing of any server."""

from __future__ import annotations

import dataclasses
import math
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_records import made

from vipbench.errors import UserError
from vipbench.leaderboard import build
from vipbench.records import Record

HOSTILE = """<img src=x onerror="alert(1)">'"&$boards</script><script>alert(2)</script>"""
LOADING = ("src", "href", "srcset", "action", "data", "poster", "background")


class Page(HTMLParser):
    """The elements of a page with their attributes, and the texts of its cells, row by row."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.in_cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.in_cell:
            self.rows[-1][-1] += data

    def of(self, method: str) -> list[str]:
        """The cells of a method's row."""
        return next(row for row in self.rows if row and row[0] == method)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def page(tmp_path: Path, *records: Record) -> Page:
    for number, record in enumerate(records):
        record.save(tmp_path / "records" / f"{number}.json")
    return Page(build(tmp_path / "records", tmp_path / "site"))


def test_rows_show_the_numbers_best_first(tmp_path: Path) -> None:
    found = page(
        tmp_path, made("frame", value=0.4), made("aten", value=0.5, fps=3.25), made("cut", 2, "davis")
    )
    assert (tmp_path / "site" / "index.html").is_file()
    assert found.of("aten")[:4] == ["aten", "test", "2", "50.0"]
    assert found.of("aten")[-2:] == ["3.2", "2026-01-02"]
    assert found.of("frame")[-2] == "–"
    names = [row[0] for row in found.rows if row]
    assert names.index("cut") < names.index("aten") < names.index("frame")
    assert "3 Records on 2 data sets" in found.text
    assert ["vip-paper" in cell for cell in found.rows[names.index("aten") - 1]].count(True) == 5


def test_versions_of_a_data_set_have_tables_of_their_own(tmp_path: Path) -> None:
    sizes = [made("cut", 2, "davis", version=f"2016 {size}") for size in ("480p", "1080p")]
    found = page(tmp_path, *sizes, made("fst", 2, "davis"))
    assert len(found.attributes("h2")) == 2
    assert "davis 2016 480p" in found.text
    assert "davis 2016 1080p" in found.text
    assert "3 Records on 2 data sets" in found.text


def test_thresholds_other_than_half_are_in_the_opened_row_only(tmp_path: Path) -> None:
    record = made("aten")
    found = page(tmp_path, record)
    heads = [a["title"] or "" for a in found.attributes("th") if a.get("title")]
    assert any(head.startswith("APr@0.5(") for head in heads)
    assert any(head.startswith("APr@0.5:0.95(") for head in heads)
    assert not any(head.startswith("APr@0.6(") for head in heads)
    for score in record.scores:
        if score.scope == "all":
            assert [score.measure, repr(score.value), str(score.n)] in found.rows


def test_a_row_opens_to_its_provenance(tmp_path: Path) -> None:
    record = made("aten", options={"l": "4"})
    text = page(tmp_path, record).text
    p = record.provenance
    for part in (p.version, p.git, p.command, p.created, p.dataset_hash, p.prediction_hash, p.layout):
        assert str(part) in text
    assert all(warning in text for warning in p.warnings)
    assert "aten l=4" in text


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    record = made(HOSTILE, dataset=HOSTILE, split=HOSTILE, options={HOSTILE: HOSTILE})
    scores = tuple(s._replace(measure=HOSTILE) for s in record.scores)
    provenance = dataclasses.replace(
        record.provenance, command=HOSTILE, layout=HOSTILE, warnings=(HOSTILE,), git=HOSTILE, created=HOSTILE
    )
    record = dataclasses.replace(
        record, scores=scores, protocols={HOSTILE: [HOSTILE]}, provenance=provenance, timing={"fps": None}
    )
    found = page(tmp_path, record)
    assert found.of(f"{HOSTILE} {HOSTILE}={HOSTILE}")[1] == HOSTILE
    assert found.attributes("img") == []
    assert len(found.attributes("script")) == 1
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)


def test_no_request_leaves_the_page(tmp_path: Path) -> None:
    found = page(tmp_path, made("aten"))
    loads = [
        value for _, attributes in found.elements for name, value in attributes.items() if name in LOADING
    ]
    assert loads == ["data:,"]
    source = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in source
    assert not any(word in source for word in ("http:", "https:", "url(", "@import", "fetch("))


def test_unknown_is_a_dash_that_sorts_last(tmp_path: Path) -> None:
    record = made("aten")
    scores = (record.scores[0]._replace(value=math.nan), *record.scores[1:])
    unknown = dataclasses.replace(record, method="unknown", scores=scores)
    found = page(tmp_path, unknown, made("empty", value=0.0))
    assert found.of("unknown")[3] == "–"
    assert found.of("empty")[3] == "0.0"
    names = [row[0] for row in found.rows if row]
    assert names.index("empty") < names.index("unknown")
    assert [a for a in found.attributes("td") if a.get("data-value") == ""]


def test_every_heading_is_a_button_and_one_says_how_the_rows_are_sorted(tmp_path: Path) -> None:
    found = page(tmp_path, made("aten"), made("frame"))
    outer = [a for a in found.attributes("th") if a.get("scope") == "col"]
    toggles = [a for a in found.attributes("button") if "aria-expanded" in a]
    assert len(found.attributes("button")) == len(outer) + len(toggles)
    assert [a["aria-sort"] for a in outer if "aria-sort" in a] == ["descending"]
    assert [a["aria-expanded"] for a in toggles] == ["false", "false"]


def test_a_folder_without_records_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    with pytest.raises(UserError, match="vipbench score"):
        build(tmp_path / "records", tmp_path / "site")
    with pytest.raises(UserError, match="no such folder"):
        build(tmp_path / "nowhere", tmp_path / "site")
    assert not (tmp_path / "site").exists()
