"""The paper's tables with ours beside them, in five forms.

A table falls into blocks, one for each ground truth that Records were scored on. A difference is stated
only in the block whose data are the paper's. What was not measured is a dash, never 0. Below a number stand
the bounds of its interval over videos.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from vipbench import papers
from vipbench.errors import UserError
from vipbench.papers import ABSENT
from vipbench.papers.intervals import with_intervals
from vipbench.papers.join import Block, Cell, blocks
from vipbench.records import Record
from vipbench.table_words import footer, heading

WIDTH = 120
LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "–": "--",
}


def render(
    records: Iterable[Record], number: int, fmt: str, dataset: str | None = None, intervals: bool = True
) -> str:
    """A table of the paper with the Records that hold its measures, as text.

    number: 1, 2 or 3. fmt: terminal (120 columns, coloured on a terminal), markdown, latex (needs booktabs),
    csv or json; the last two hold one row a method and column, full doubles in the paper's unit (percent;
    fps). low, high: the 95 % interval over videos, of Records whose states are at hand. dataset: only Records
    of this data set. intervals: whether to resample, seconds a Record. Raises UserError for another number or
    form.
    """
    forms: dict[str, Callable[[Sequence[Block]], str]] = {
        "terminal": _terminal,
        "markdown": lambda found: "\n".join(line for b in found for line in _markdown(b)),
        "latex": lambda found: "\n".join(line for b in found for line in _latex(b)),
        "csv": _csv,
        "json": lambda found: json.dumps(list(_long(found)), indent=1, ensure_ascii=False) + "\n",
    }
    if fmt not in forms:
        raise UserError(f"format {fmt!r}: expected one of {', '.join(forms)}")
    found = blocks(records, papers.table(number), dataset)
    return forms[fmt]([with_intervals(block) for block in found] if intervals else found)


def _grid(block: Block) -> Iterator[tuple[str, str, list[str]]]:
    """The rows to print: (method, what it is, cells); the method is only in the first of its rows."""
    for line in block.lines:
        cells = list(block.cells(line))
        yield line.name, "ours", [_number(c, c.ours) for c in cells]
        if line.intervals:
            yield "", "low", [_number(c, c.low) for c in cells]
            yield "", "high", [_number(c, c.high) for c in cells]
        if line.row:
            yield "", "paper", [c.paper for c in cells]
        if line.row and line.record and block.comparable:
            yield "", "diff", [_number(c, c.difference, "+") for c in cells]


def _number(cell: Cell, value: float | None, sign: str = "") -> str:
    return ABSENT if value is None else f"{value:{sign}z.{cell.column.decimals}f}"


def _terminal(found: Sequence[Block]) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=WIDTH, force_terminal=sys.stdout.isatty(), highlight=False)
    for block in found:
        title, *data = heading(block)
        console.print(title, style="bold", markup=False)
        console.print("\n".join(data), markup=False)
        console.print(_rich(block))
        console.print("\n".join(footer(block)), style="dim", markup=False, end="\n\n")
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines()) + "\n"


def _rich(block: Block) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("method", max_width=32)
    table.add_column("")
    for column in block.table.columns:
        table.add_column(column.heading.replace(" ", "\n"), justify="right")
    for name, kind, cells in _grid(block):
        style = "bold" if kind == "ours" else "dim"
        table.add_row(Text(name), *(Text(text, style) for text in [kind, *cells]))
    return table


def _markdown(block: Block) -> list[str]:
    title, *data = heading(block)
    headings = ["method", "", *(c.heading for c in block.table.columns)]
    rules = ["---", "---", *("---:" for _ in block.table.columns)]
    rows = [headings, rules, *([name, kind, *cells] for name, kind, cells in _grid(block))]
    body = [f"| {' | '.join(map(_md, row))} |" for row in rows]
    return [f"### {_md(title)}", "", *body, "", *(f"- {_md(line)}" for line in [*data, *footer(block)]), ""]


def _md(text: str) -> str:
    return re.sub(r"([\\|*<`])", r"\\\1", text)


def _latex(block: Block) -> list[str]:
    headings = ["method", "", *(c.heading for c in block.table.columns)]
    rows = [f"{' & '.join(map(_tex, [name, kind, *cells]))} \\\\" for name, kind, cells in _grid(block)]
    return [
        *(f"% {line}" for line in [*heading(block), *footer(block)]),
        f"\\begin{{tabular}}{{ll{'r' * len(block.table.columns)}}}",
        "\\toprule",
        f"{' & '.join(map(_tex, headings))} \\\\",
        "\\midrule",
        *rows,
        "\\bottomrule",
        "\\end{tabular}",
        "",
    ]


def _tex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def _long(found: Sequence[Block]) -> Iterator[dict[str, Any]]:
    """One row a method and column; None where there is no number."""
    for block in found:
        for line in block.lines:
            for cell in block.cells(line):
                yield {
                    "table": block.table.number,
                    "dataset": block.data.dataset,
                    "version": block.data.version,
                    "split": block.data.split,
                    "videos": len(block.data.videos),
                    "method": line.name,
                    "column": cell.column.heading,
                    "measure": cell.column.measure or cell.column.timing,
                    "ours": cell.ours,
                    "low": cell.low,
                    "high": cell.high,
                    "paper": None if cell.paper == ABSENT else float(cell.paper),
                    "difference": cell.difference,
                }


def _csv(found: Sequence[Block]) -> str:
    out = io.StringIO()
    rows = list(_long(found))
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
