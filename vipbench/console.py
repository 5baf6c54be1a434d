"""What commands print: results on stdout, everything else on stderr. rich is imported where it draws."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vipbench.errors import Problem
    from vipbench.records import Record

WIDTH = 120
MOST_WARNINGS = 20
MOST_ALIKE = 10
LINE_EVERY = 10  # seconds


def note(text: str) -> None:
    """A message."""
    click.echo(text, err=True)


def result(fmt: str, data: Any, text: str) -> None:
    """A command's result: the data as JSON (full doubles, NaN as null), or the text."""
    from vipbench.records import finite

    click.echo(json.dumps(finite(data), indent=1, ensure_ascii=False) if fmt == "json" else text.rstrip("\n"))


def warn(lines: Sequence[str]) -> None:
    """Warnings, cut where there are too many to read; the last line says so."""
    for line in lines[:MOST_WARNINGS]:
        note(line)
    if len(lines) > MOST_WARNINGS:
        note(f"... and {len(lines) - MOST_WARNINGS} more warnings; `vipbench check` lists all")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A text table; the last `numbers` columns are right-aligned."""
    from io import StringIO

    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(headings):
        right = index >= len(headings) - numbers
        drawn.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*map(Text, row))
    out = StringIO()
    Console(file=out, width=WIDTH, force_terminal=sys.stdout.isatty(), highlight=False).print(drawn)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")


def _described(title: str, what: str, figures: dict[str, float] | None) -> str:
    return " ".join([title, what, *(f"{k} {v:.3f}" for k, v in (figures or {}).items())])


def _lines(title: str) -> Callable[..., None]:
    """Progress as lines, for log files."""
    shown = time.monotonic()

    def tick(what: str, done: int, total: int, figures: dict[str, float] | None = None) -> None:
        nonlocal shown
        if time.monotonic() - shown >= LINE_EVERY:
            shown = time.monotonic()
            note(f"{_described(title, what, figures)} {done}/{total}")

    return tick


@contextmanager
def progress(title: str) -> Iterator[Callable[..., None]]:
    """Progress on stderr, from the first call on: a bar on a terminal, else a line every ten seconds.

    Call it with what, how much, of how much.
    """
    if not sys.stderr.isatty():
        yield _lines(title)
        return
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
    )
    bar = rich.Progress(*columns, console=Console(stderr=True))
    task = bar.add_task(title, total=None)
    last = -1

    def tick(what: str, done: int, total: int, figures: dict[str, float] | None = None) -> None:
        nonlocal last
        shown = _described(title, what, figures)
        if last < 0 or done < last:  # what an earlier run finished does not count as this one's speed
            bar.reset(task, total=total, completed=done)
            bar.start()
        bar.update(task, description=shown, completed=done)
        last = done

    try:
        yield tick
    finally:
        if last >= 0:
            bar.stop()


def problems(fmt: str, where: str, found: Sequence[Problem]) -> None:
    """Print the findings of a check; exit with 1 if any of them is an error."""
    errors = sum(not problem.warning for problem in found)
    counted = f"{where}: {errors} errors, {len(found) - errors} warnings"
    data = {"where": where, "errors": errors, "problems": [asdict(problem) for problem in found]}
    result(fmt, data, "\n".join([*_few_of_each(found), counted]))
    if errors:
        sys.exit(1)


def _few_of_each(found: Sequence[Problem]) -> Iterator[str]:
    """The findings; of many that say the same of different files the first, and how many more there are."""
    alike = Counter((p.warning, p.expected, p.got, p.mend) for p in found)
    shown: Counter[tuple[bool, str, str, str]] = Counter()
    for problem in found:
        kind = (problem.warning, problem.expected, problem.got, problem.mend)
        shown[kind] += 1
        if shown[kind] <= MOST_ALIKE:
            yield str(problem)
        elif shown[kind] == MOST_ALIKE + 1:
            more = alike[kind] - MOST_ALIKE
            what = f"expected {problem.expected}, got {problem.got}"
            yield f"... and {more} more of: {what} (all: --format json)"


def scores(record: Record) -> str:
    """The numbers of a Record over all videos, protocol by protocol, without the thresholds between."""
    known = {score.measure: score for score in record.scores if score.scope == "all"}
    shown = [(name, known[label]) for name, label in record.headline]
    rows = [[name, score.measure, f"{score.value:.6f}", str(score.n)] for name, score in shown]
    left = len(record.totals) - len(rows)
    more = f"\n{left} more thresholds are in the Record" if left else ""
    title = f"{record.method} on {record.dataset} {record.split}, layout {record.provenance.layout}\n"
    return title + table(["protocol", "measure", "value", "n"], rows, numbers=2) + more
