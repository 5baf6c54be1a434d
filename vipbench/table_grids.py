"""A block of a table as cells to print: the table itself, and what its rows cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from vipbench.papers import ABSENT
from vipbench.papers.join import Block, Cell
from vipbench.table_costs import count, known, speed


@dataclass(frozen=True)
class Grid:
    """Cells to print. texts: how many columns at the left are words; the others are numbers."""

    headings: list[str]
    rows: list[list[str]]
    texts: int


def grids(block: Block) -> Iterator[Grid]:
    """The table itself and, where it is known, what its rows cost: measured and counted."""
    yield Grid(["method", "", *(c.heading for c in block.table.columns)], list(_rows(block)), 2)
    lines = known(block)
    for figures in (speed, partial(count, block)) if lines else ():
        headings = ["method", *(figure.heading for figure in figures(lines[0]))]
        yield Grid(headings, [[line.title, *map(str, figures(line))] for line in lines], 1)


def _rows(block: Block) -> Iterator[list[str]]:
    """[method, what it is, numbers]; the method is only in the first of its rows."""
    for line in block.lines:
        cells = list(block.cells(line))
        yield [line.title, "ours", *(_number(c, c.ours) for c in cells)]
        if line.intervals:
            yield ["", "low", *(_number(c, c.low) for c in cells)]
            yield ["", "high", *(_number(c, c.high) for c in cells)]
        if line.row:
            yield ["", "paper", *(c.paper for c in cells)]
        if line.row and line.record and block.comparable:
            yield ["", "diff", *(_number(c, c.difference, "+") for c in cells)]


def _number(cell: Cell, value: float | None, sign: str = "") -> str:
    return ABSENT if value is None else f"{value:{sign}z.{cell.column.decimals}f}"
