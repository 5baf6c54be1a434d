"""The paper's tables with ours beside them, in five forms.

A table falls into blocks, one for each ground truth that Records were scored on. A difference is stated
only in the block whose data are the paper's. What was not measured is a dash, never 0. Below a number stand
the bounds of its interval over videos; below the table, what its rows cost.
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
from vipbench.table_costs import Figure, costs, known
from vipbench.table_grids import Grid, grids
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
    fps), and what a method costs as further rows. low, high: the 95 % interval over videos, of Records whose
    states are at hand. dataset: only Records of this data set. intervals: whether to resample, seconds a
    Record. Raises UserError for another number or form.
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


def _terminal(found: Sequence[Block]) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=WIDTH, force_terminal=sys.stdout.isatty(), highlight=False)
    for block in found:
        title, *data = heading(block)
        console.print(title, style="bold", markup=False)
        console.print("\n".join(data), markup=False)
        for grid in grids(block):
            console.print(_rich(grid))
        console.print("\n".join(footer(block)), style="dim", markup=False, end="\n\n")
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines()) + "\n"


def _rich(grid: Grid) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for words in grid.headings[: grid.texts]:
        table.add_column(words, max_width=32)
    for words in grid.headings[grid.texts :]:
        table.add_column(words.replace(" ", "\n"), justify="right")
    for name, *cells in grid.rows:
        style = "dim" if grid.texts > 1 and cells[0] != "ours" else "bold"
        table.add_row(Text(name), *(Text(text, style) for text in cells))
    return table


def _markdown(block: Block) -> list[str]:
    title, *data = heading(block)
    body = [line for grid in grids(block) for line in markdown_grid(grid)]
    return [f"### {_md(title)}", "", *body, *(f"- {_md(line)}" for line in [*data, *footer(block)]), ""]


def markdown_grid(grid: Grid) -> list[str]:
    """A grid as a Markdown table, with an empty line after it."""
    rules = ["---" if i < grid.texts else "---:" for i in range(len(grid.headings))]
    return [*(f"| {' | '.join(map(_md, row))} |" for row in [grid.headings, rules, *grid.rows]), ""]


def _md(text: str) -> str:
    return re.sub(r"([\\|*<`])", r"\\\1", text)


def _latex(block: Block) -> list[str]:
    words = [f"% {line}" for line in [*heading(block), *footer(block)]]
    return [*words, *(line for grid in grids(block) for line in _tex_grid(grid))]


def _tex_grid(grid: Grid) -> list[str]:
    headings, *rows = (f"{' & '.join(map(_tex, row))} \\\\" for row in [grid.headings, *grid.rows])
    columns = "l" * grid.texts + "r" * (len(grid.headings) - grid.texts)
    begin = f"\\begin{{tabular}}{{{columns}}}"
    return [begin, "\\toprule", headings, "\\midrule", *rows, "\\bottomrule", "\\end{tabular}", ""]


def _tex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


def _long(found: Sequence[Block]) -> Iterator[dict[str, Any]]:
    """One row a method and column, then what is known of its cost; None where there is no number."""
    for block in found:
        data = block.data
        of = {"table": block.table.number, "dataset": data.dataset, "version": data.version}
        of |= {"split": data.split, "videos": len(data.videos)}
        for line in block.lines:
            for cell in block.cells(line):
                yield {**of, "method": line.name, **_cell(cell), "caution": line.caution}
        for line in known(block):
            for figure in costs(block, line):
                yield {**of, "method": line.name, **_figure(figure), "caution": line.caution}


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "column": cell.column.heading,
        "measure": cell.column.measure or cell.column.timing,
        "ours": cell.ours,
        "low": cell.low,
        "high": cell.high,
        "paper": None if cell.paper == ABSENT else float(cell.paper),
        "difference": cell.difference,
    }


def _figure(figure: Figure) -> dict[str, Any]:
    words = {"column": figure.heading, "measure": figure.key, "ours": figure.value, "low": None}
    return words | {"high": None, "paper": figure.paper, "difference": None}


def _csv(found: Sequence[Block]) -> str:
    out = io.StringIO()
    rows = list(_long(found))
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
