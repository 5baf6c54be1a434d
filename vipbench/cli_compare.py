"""The command `vipbench compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipbench import cli_options as given
from vipbench import console

if TYPE_CHECKING:
    from vipbench.compare import Report
    from vipbench.compare_text import Grid


@click.command()
@click.argument("records", metavar="RECORD...", type=given.path, nargs=-1, required=True)
@click.option(
    "--measure",
    "measures",
    metavar="LABEL",
    multiple=True,
    help="Only this number, with or without its parameters: J.mean. Default: the headline numbers.",
)
@click.option("--protocol", help="Only the numbers of this protocol.")
@click.option(
    "--resamples",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    help="Of the videos, and at most so many exchanges of them.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="1 - the level of the intervals; p below it separates.",
)
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["terminal", "markdown", "csv", "json"]),
    default="terminal",
    help="How to print.",
)
def compare(
    records: tuple[Path, ...],
    measures: tuple[str, ...],
    protocol: str | None,
    resamples: int,
    seed: int,
    alpha: float,
    fmt: str,
) -> None:
    """Print the numbers of Records with intervals over videos, and test each pair of methods."""
    from dataclasses import asdict

    from vipbench import compare as comparing
    from vipbench import compare_text, entries

    found = entries.read(records)
    labels = entries.labels(found, measures, protocol)
    with console.progress("compare") as tick:
        report = comparing.compare(found, labels, resamples, seed, alpha, tick)
    if fmt == "json":
        console.result(fmt, asdict(report), "")
    else:
        forms = {"terminal": _terminal, "markdown": compare_text.to_markdown, "csv": compare_text.to_csv}
        click.echo(forms[fmt](report).rstrip("\n"))


def _terminal(report: Report) -> str:
    from vipbench import compare_text

    parts = ["\n".join(compare_text.heading(report)), *map(_drawn, compare_text.shown(report))]
    return "\n\n".join([*parts, "\n".join(compare_text.notes(report))])


def _drawn(grid: Grid) -> str:
    table = console.table(grid.headings, grid.rows, numbers=grid.numbers)
    return f"{grid.title}\n{table}" if grid.title else table
