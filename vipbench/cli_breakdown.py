"""The command `vipbench breakdown`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipbench import cli_options as given
from vipbench import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vipbench.breakdown import Row

BY = ("video", "object", "class", "frame", "attribute", "size", "occlusion")


@click.command()
@click.argument("records", metavar="RECORD...", type=given.path, nargs=-1, required=True)
@click.option("--by", type=click.Choice(BY), required=True, help="What the numbers are of.")
@click.option(
    "--measure",
    "measures",
    metavar="LABEL",
    multiple=True,
    help="Only this number, with or without its parameters: J.mean. Default: the headline numbers.",
)
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["terminal", "csv", "json", "markdown"]),
    default="terminal",
    help="How to print.",
)
def breakdown(records: tuple[Path, ...], by: str, measures: tuple[str, ...], fmt: str) -> None:
    """Print the numbers of Records by video, object, class, frame, attribute, size or level of occlusion."""
    from vipbench import breakdown as numbers
    from vipbench.records import load

    tables = [numbers.breakdown([load(path)], by, measures) for path in records]
    forms = {"csv": numbers.to_csv, "json": numbers.to_json, "markdown": numbers.to_markdown}
    if fmt in forms:
        click.echo(forms[fmt](row for rows in tables for row in rows), nl=False)
    else:
        click.echo("\n\n".join([*(_table(rows, by) for rows in tables), *_legend(tables, by)]))


def _table(rows: Sequence[Row], by: str) -> str:
    """The rows of a Record."""
    from vipbench.breakdown import number

    title = f"{rows[0].method} on {rows[0].dataset} {rows[0].split}"
    cells = [[row.measure, row.group, number(row.value), str(row.n)] for row in rows]
    return f"{title}\n{console.table(['measure', by, 'value', 'n'], cells, numbers=2)}"


def _legend(tables: Sequence[Sequence[Row]], by: str) -> list[str]:
    """What the codes of attributes mean."""
    from vipbench.datasets.davis_attributes import meanings

    known = meanings() if by == "attribute" else {}
    codes = dict.fromkeys(row.group for rows in tables for row in rows if row.group in known)
    return ["\n".join(f"{code:<5}{known[code]}" for code in codes)] if codes else []
