"""Records -> one HTML page that asks nothing of any server: a sortable table a version of a data set.

Every text from a Record is escaped: anyone may have written it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from vipbench.atomic import write_text
from vipbench.errors import UserError
from vipbench.records import Record, Score, load_folder

ABSENT = "–"
THRESHOLD = re.compile(r"\w+@([\d.]+)\(")


@dataclass(frozen=True)
class Column:
    """A measure of a data set's table. protocols: those that report it."""

    measure: str
    protocols: tuple[str, ...]


def build(records: Path, out: Path) -> Path:
    """Write `<out>/index.html` from the Records (*.json) of a folder; returns its path.

    Raises UserError for a folder that is missing or holds no Record, and for a damaged one.
    """
    found = load_folder(records)
    if not found:
        raise UserError(f"{records}: no Records. `vipbench score FOLDER --dataset NAME` writes them there")
    template = files("vipbench.leaderboard").joinpath("page.html").read_text(encoding="utf-8")
    page = out / "index.html"
    write_text(page, Template(template).substitute(summary=_summary(found), boards=_boards(found)))
    return page


def _summary(records: Sequence[Record]) -> str:
    return f"{len(records)} Records on {len(set(map(_data, records)))} data sets."


def _data(record: Record) -> str:
    """The data set and its version: numbers of two versions do not compare."""
    return f"{record.dataset} {record.provenance.dataset_version}"


def _boards(records: Sequence[Record]) -> str:
    names = sorted(set(map(_data, records)))
    return "\n".join(_board(name, [r for r in records if _data(r) == name]) for name in names)


def _board(name: str, records: list[Record]) -> str:
    """One data set's table, best first by its first number."""
    columns = _columns(records)
    records.sort(key=lambda r: _rank(r, columns))
    head = [_heading("method", text=True), _heading("split", text=True), _heading("videos")]
    head += [_heading(c.measure.partition("(")[0], c, first=c is columns[0]) for c in columns]
    head += [_heading("fps"), _heading("date", text=True)]
    bodies = "\n".join(_body(record, columns) for record in records)
    return (
        f'<h2>{escape(name)}</h2>\n<div class="scroll"><table>\n'
        f"<thead><tr>{''.join(head)}</tr></thead>\n{bodies}\n</table></div>"
    )


def _columns(records: Iterable[Record]) -> list[Column]:
    """The measures with a value for the whole split, of AP at one threshold only .5 (rows open to all)."""
    protocols: dict[str, dict[str, None]] = {}
    for record in records:
        for protocol, measures in record.protocols.items():
            for measure in measures:
                threshold = THRESHOLD.match(measure)
                if record.value(measure) is not None and (not threshold or threshold[1] == "0.5"):
                    protocols.setdefault(measure, {})[protocol] = None
    return [Column(measure, tuple(names)) for measure, names in protocols.items()]


def _rank(record: Record, columns: list[Column]) -> tuple[float, str]:
    value = record.value(columns[0].measure) if columns else None
    return (math.inf if value is None or math.isnan(value) else -value, record.method)


def _heading(title: str, column: Column | None = None, text: bool = False, first: bool = False) -> str:
    kind = ' class="text"' if text else ""
    about = f' title="{escape(column.measure)}"' if column else ""
    order = ' aria-sort="descending"' if first else ""
    small = f"<small>{escape(', '.join(column.protocols))}</small>" if column else ""
    return f'<th scope="col"{kind}{about}{order}><button type="button">{escape(title)}</button>{small}</th>'


def _body(record: Record, columns: list[Column]) -> str:
    """A record's row and the row that it opens."""
    title = " ".join([record.method, *(f"{k}={v}" for k, v in sorted(record.options.items()))])
    button = f'<button type="button" aria-expanded="false">{escape(title)}</button>'
    created = record.provenance.created
    cells = [
        _cell(button, title, text=True),
        _cell(escape(record.split), record.split, text=True),
        _cell(str(len(record.videos)), len(record.videos)),
        *(_number(record.value(c.measure), 100) for c in columns),
        _number((record.timing or {}).get("fps"), 1),
        _cell(escape(created[:10]), created, text=True),
    ]
    more = f'<tr class="more" hidden><td colspan="{len(cells)}">{_more(record)}</td></tr>'
    return f"<tbody><tr>{''.join(cells)}</tr>\n{more}</tbody>"


def _cell(content: str, value: object, text: bool = False) -> str:
    kind = ' class="text"' if text else ""
    return f'<td{kind} data-value="{escape(str(value))}">{content}</td>'


def _number(value: float | None, scale: int) -> str:
    if value is None or not math.isfinite(value):
        return _cell(ABSENT, "")
    return _cell(f"{value * scale:z.1f}", repr(value))


def _more(record: Record) -> str:
    """Provenance, then every number for the whole split with its measure in full."""
    p = record.provenance
    facts: dict[str, Any] = {
        "made by": f"vipbench {p.version}, git {p.git or ABSENT}",
        "command": p.command,
        "created": p.created,
        "data set": f"{_data(record)}, sha256 {p.dataset_hash}",
        "predictions": f"{p.layout} folder, sha256 {p.prediction_hash}",
        "device": p.device,
        "timing": record.timing,
        "run": p.run,
    }
    lines = "".join(
        f"<dt>{key}</dt><dd><code>{escape(_text(value))}</code></dd>" for key, value in facts.items()
    )
    warnings = "".join(f"<li>{escape(warning)}</li>" for warning in p.warnings)
    rows = "".join(_score(s) for s in record.scores if s.scope == "all")
    return (
        f'<div class="facts"><dl>{lines}'
        f"<dt>warnings</dt><dd>{f'<ul>{warnings}</ul>' if warnings else 'none'}</dd></dl>"
        f'<table><thead><tr><th class="text">measure</th><th>value</th><th>n</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _score(score: Score) -> str:
    value = repr(score.value) if math.isfinite(score.value) else ABSENT
    label = f'<td class="text"><code>{escape(score.measure)}</code></td>'
    return f"<tr>{label}<td>{value}</td><td>{score.n}</td></tr>"


def _text(value: Any) -> str:
    if value is None:
        return ABSENT
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
