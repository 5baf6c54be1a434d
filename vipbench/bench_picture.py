"""Speed against accuracy: frames a second as measured, scores from Records, and the paper's own points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vipbench import papers, registry
from vipbench.atomic import replacing
from vipbench.bench_figures import Bench, Measured, Spread
from vipbench.errors import UserError
from vipbench.papers import ABSENT, Column, PaperTable
from vipbench.records import Record

FREE = ("weights", "device")
"""Options of a Record that do not make it another method's."""
PAPER = "the paper's, on VIP test, GTX 1080 (presumed)"


@dataclass(frozen=True)
class Point:
    """A method's place in the picture. score: in percent."""

    name: str
    fps: Spread
    score: float


def points(bench: Bench, records: Sequence[Record], table: PaperTable) -> list[Point]:
    """The measured methods that Records of theirs score by the first column of the table.

    Of several Records of a method the newest counts. Raises UserError where no Record is of any method.
    """
    column = table.columns[0]
    here = [record for record in records if record.dataset == bench.data["dataset"]]
    newest = sorted(here, key=lambda r: r.provenance.created, reverse=True)
    found = [
        Point(method.name, method.fps, score)
        for method in bench.methods
        if (score := next(_scores(method, newest, column), None)) is not None
    ]
    if not found:
        names = ", ".join(method.name for method in bench.methods)
        what = f"no Record holds {column.heading} of {names} on {bench.data['dataset']}"
        raise UserError(f"{what}. Run and score them, or name other --records")
    return found


def _scores(method: Measured, records: Sequence[Record], column: Column) -> Iterator[float]:
    wanted = _decisive(method.method, method.options)
    for record in records:
        score = column.of(record)
        if (
            score is not None
            and record.method == method.method
            and _decisive(record.method, record.options) == wanted
        ):
            yield score


def _decisive(method: str, options: dict[str, str]) -> dict[str, str]:
    """The options that say something else than the defaults, but for those that are free."""
    try:
        known = registry.load("methods", method)
        return registry.changed(known, 1, {k: v for k, v in options.items() if k not in FREE})
    except UserError:  # of a plug-in that is not here, or was another then
        return options


def published(table: PaperTable) -> list[Point]:
    """The rows of a table of the paper that have a score and an fps; none in a table without fps."""
    timed = [i for i, column in enumerate(table.columns) if column.timing == "fps"]
    rows = [(row.name, row.values[0], row.values[i]) for row in table.rows for i in timed]
    return [
        Point(name, Spread.of([float(fps)]), float(score))
        for name, score, fps in rows
        if ABSENT not in (score, fps)
    ]


def draw(path: Path, bench: Bench, records: Sequence[Record], number: int) -> None:
    """Write the picture as PNG. number: of the paper's table whose first column is the score.

    Bars reach from quartile to quartile of fps. Raises UserError as `points`, ImportError without matplotlib.
    """
    from matplotlib.figure import Figure  # no pyplot: no windows, no state
    from matplotlib.ticker import LogFormatter

    table = papers.table(number)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(
        xscale="log", xlabel="frames a second, network alone", title=bench.data["frames"]
    )
    axes.set_ylabel(f"{table.columns[0].heading} on {bench.data['dataset']}, percent")
    axes.xaxis.set_major_formatter(LogFormatter())
    axes.xaxis.set_minor_formatter(LogFormatter())
    device = bench.machine.get("gpu") or bench.machine["cpu"]
    _place(axes, points(bench, records, table), "o", f"measured, {device}")
    _place(axes, published(table), "x", PAPER)
    figure.legend(loc="outside lower center", ncols=2)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def _place(axes: Any, found: Sequence[Point], marker: str, label: str) -> None:
    """Points with their names, to the right and left by turns, since methods may be close to each other."""
    if not found:
        return
    ordered = sorted(found, key=lambda p: p.fps.median)
    x = [p.fps.median for p in ordered]
    bars = [[p.fps.median - p.fps.q1 for p in ordered], [p.fps.q3 - p.fps.median for p in ordered]]
    axes.errorbar(x, [p.score for p in ordered], xerr=bars, fmt=marker, label=label)
    for i, point in enumerate(ordered):
        where = (point.fps.median, point.score)
        offset, side = ((-4, -12), "right") if i % 2 else ((4, 5), "left")
        axes.annotate(point.name, where, offset, textcoords="offset points", fontsize=8, ha=side)
