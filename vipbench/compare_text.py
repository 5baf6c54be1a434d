"""A comparison in words: lines, tables, Markdown, CSV."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vipbench.compare import Comparison, Difference, Estimate, Report

ABSENT = "–"
FEW = 20
"""Videos below which a percentile interval of a mean misses more than it may (tests/test_stats.py)."""
CONSTANT = ("videos", "resamples", "seed", "alpha", "exchanges", "exact")


@dataclass(frozen=True)
class Grid:
    """A table; its last `numbers` columns are numbers."""

    title: str
    headings: tuple[str, ...]
    rows: list[list[str]]
    numbers: int


def heading(report: Report) -> list[str]:
    """What was resampled and how."""
    count = len(report.videos)
    data = f"{report.dataset} {report.version} {report.split}, {_count(count, 'video')}"
    lines = [
        f"{data}, ground truth sha256 {report.dataset_hash[:8]}",
        f"Intervals: {100 * (1 - report.alpha):.6g} %, {report.interval} over whole videos, "
        f"{report.resamples} resamples, seed {report.seed}",
    ]
    if _several(report):
        lines += [
            "Differences: the first minus the second, the same resampled videos for both",
            f"p: two-sided randomisation test, whole videos exchanged between two methods, {_tries(report)}",
            "p Holm: corrected for the pairs of a number",
            f"rank: shared by all that no test separates from the best of them, alpha {report.alpha:g}",
        ]
    if count == 1:
        lines.append("A single video says nothing of how videos differ: no interval")
    elif count < FEW:
        lines.append(f"Of fewer than {FEW} videos the intervals tend to be too short")
    return lines


def _tries(report: Report) -> str:
    if report.exact:
        smallest = min(1.0, 2 / report.exchanges)
        return f"all {report.exchanges} exchanges (no p is below {smallest:.3g})"
    return f"{report.exchanges - 1} random exchanges, seed {report.seed}"


def shown(report: Report) -> list[Grid]:
    """The tables of a report."""
    return [grid for c in report.measures for grid in _grids(c)] if _several(report) else [_single(report)]


def _several(report: Report) -> bool:
    return any(comparison.pairs for comparison in report.measures)


def _single(report: Report) -> Grid:
    """The numbers of one method."""
    rows = [[c.measure, *_estimate(e)] for c in report.measures for e in c.methods]
    name = report.measures[0].methods[0].method
    return Grid(name, ("measure", "value", "low", "high"), rows, 3)


def _grids(comparison: Comparison) -> Iterator[Grid]:
    """The methods by one number, best first, then their pairs."""
    ranked = sorted(comparison.methods, key=lambda e: (e.rank is None, e.rank, _order(comparison, e)))
    rows = [[e.method, *_estimate(e), ABSENT if e.rank is None else str(e.rank)] for e in ranked]
    direction = ", lower is better" if comparison.lower_is_better else ""
    title = f"{comparison.measure}{direction}"
    yield Grid(title, ("method", "value", "low", "high", "rank"), rows, 4)
    headings = ("method", "other", "difference", "low", "high", "p", "p Holm", "win", "tie", "loss")
    yield Grid("", headings, [_difference(d) for d in comparison.pairs], 8)


def _order(comparison: Comparison, estimate: Estimate) -> float:
    return estimate.value if comparison.lower_is_better else -estimate.value


def _estimate(estimate: Estimate) -> list[str]:
    return [_number(estimate.value), _number(estimate.low), _number(estimate.high)]


def _difference(d: Difference) -> list[str]:
    numbers = [_number(number, "+") for number in (d.value, d.low, d.high)]
    counts = [str(count) for count in (d.wins, d.ties, d.losses)]
    return [d.method, d.other, *numbers, _p(d.p), _p(d.holm), *counts]


def _number(value: float | None, sign: str = "") -> str:
    return ABSENT if value is None or math.isnan(value) else f"{value:{sign}z.4f}"


def _p(p: float) -> str:
    return ABSENT if math.isnan(p) else f"{p:.2g}"


def notes(report: Report) -> list[str]:
    """What was left out, and where."""
    return [line for comparison in report.measures for line in _notes(comparison, report)]


def _notes(comparison: Comparison, report: Report) -> Iterator[str]:
    for e in comparison.methods:
        if e.undefined:
            why = "too many for an interval" if e.low is None else "the interval is of the others"
            share = f"{e.undefined} of {report.resamples} resamples have no value"
            yield f"{comparison.measure}, {e.method}: {share}, {why}"
    for d in comparison.pairs:
        where = f"{comparison.measure}, {d.method} and {d.other}"
        if d.undefined_exchanges:
            yield f"{where}: {d.undefined_exchanges} exchanges have no value and count as extreme"
        left = len(report.videos) - d.wins - d.ties - d.losses
        if left:
            yield f"{where}: {_count(left, 'video')} without a value of both"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def to_markdown(report: Report) -> str:
    """Tables with their titles, and lists of lines."""
    first, last = ([f"- {_md(line)}" for line in lines] for lines in (heading(report), notes(report)))
    tables = [line for grid in shown(report) for line in _table(grid)]
    return "\n".join([*first, "", *tables, *last]).rstrip() + "\n"


def _table(grid: Grid) -> Iterator[str]:
    if grid.title:
        yield from (f"### {_md(grid.title)}", "")
    rules = ["---"] * (len(grid.headings) - grid.numbers) + ["---:"] * grid.numbers
    for row in (grid.headings, rules, *grid.rows):
        yield f"| {' | '.join(map(_md, row))} |"
    yield ""


def _md(text: str) -> str:
    return re.sub(r"([\\|*<`])", r"\\\1", text)


def to_csv(report: Report) -> str:
    """A row for each number of a method, and one with `other` for each difference; full doubles."""
    constant = {name: getattr(report, name) for name in CONSTANT} | {"videos": len(report.videos)}
    columns = ["measure", *dict.fromkeys([*Estimate.__annotations__, *Difference.__annotations__]), *constant]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for comparison in report.measures:
        rows: Sequence[Any] = (*comparison.methods, *comparison.pairs)
        writer.writerows({"measure": comparison.measure} | _known(asdict(row)) | constant for row in rows)
    return out.getvalue()


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """The row without what is undefined."""
    return {key: value for key, value in row.items() if not (isinstance(value, float) and math.isnan(value))}
