"""The command `vipbench reproduce`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipbench import cli_options as given
from vipbench import console
from vipbench.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vipbench.papers import PaperTable
    from vipbench.reproduce import Outcome, Place, Progress, Train
    from vipbench.specs import DatasetSpec

WORDS = {"ran": "measured", "kept": "was there", "cannot": "cannot be run", "failed": "failed"}


@click.command()
@click.option("--paper-table", type=click.IntRange(1, 3), required=True, help="Number of the paper's table.")
@click.option("--dataset", "name", help="Default: the paper's; synth is vipbench's own, and is made.")
@click.option("--data", "root", type=given.path, help="Its root; else its environment variable.")
@given.split
@click.option(
    "--out",
    type=given.path,
    default=Path("results"),
    show_default=True,
    help="Folder of everything; run it again and it goes on.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that `vipbench train` wrote. Default: the weights that come with vipbench.",
)
@click.option(
    "--train",
    "training",
    type=given.path,
    help="In place of --weights: a folder into which each row's method is trained first, on the data set's "
    "train split, unless it is there. Days at full size; run it again and it goes on.",
)
@click.option(
    "-o",
    "options",
    metavar="KEY=VALUE",
    multiple=True,
    callback=given.pairs,
    help="Option of every method that has it: -o device=cuda -o preset=paper-davis.",
)
@click.option("--again", is_flag=True, help="Make predictions anew that other code, weights or options made.")
@given.jobs
@given.as_json
def reproduce(
    paper_table: int,
    name: str | None,
    root: Path | None,
    split: str | None,
    out: Path,
    weights: Path | None,
    training: Path | None,
    options: dict[str, str],
    again: bool,
    jobs: int,
    fmt: str,
) -> None:
    """Measure a table of the ATEN paper: data, runs, scores and the table; only what is missing.

    Exit with 1 if a row that can be run was not finished.
    """
    from vipbench import papers
    from vipbench import reproduce as reproducing

    if weights and training:
        raise UserError("--weights and --train: give one, the folder that has weights or is to have them")
    table = papers.table(paper_table)
    reproducing.demand_known(table, options)
    with console.progress("data make") as tick:
        data, split = reproducing.data_of(table, name, root, split, out, tick)
    train = _trainer(data, options.get("device", "cpu")) if training else None
    folder = training or weights
    place = reproducing.Place(data, split, out, jobs, given.cache_folder(), options, folder, again, train)
    outcomes = list(_rows(table, place))
    _print(table, place, outcomes, fmt)
    if any(outcome.state == "failed" for outcome in outcomes):
        sys.exit(1)


def _trainer(data: DatasetSpec, device: str) -> Train:
    """What trains a row's method on the data set."""

    def train(method: str, preset: str, folder: Path, progress: Progress) -> None:
        from vipbench.baselines.train import train as fit

        def told(stage: str, step: int, steps: int, losses: dict[str, float]) -> None:
            progress(f"train {stage}", step, steps)

        fit(method, preset, data.open(), folder, device=device, progress=told, note=console.note)

    return train


def _rows(table: PaperTable, place: Place) -> Iterator[Outcome]:
    """Every row in turn, with what became of it as a line."""
    from vipbench import reproduce as reproducing

    for row in table.rows:
        with console.progress(row.name) as tick:
            outcome = reproducing.measure(row, place, tick)
        console.note(_line(outcome))
        yield outcome


def _line(outcome: Outcome) -> str:
    why = f": {outcome.why}" if outcome.why else ""
    return f"{outcome.row} ({outcome.method}) {WORDS[outcome.state]}{why}"


def _print(table: PaperTable, place: Place, outcomes: Sequence[Outcome], fmt: str) -> None:
    """The table, kept as a file too, and below it the rows that are not measured."""
    from dataclasses import asdict

    from vipbench import tables
    from vipbench.atomic import write_text
    from vipbench.records import load_folder

    found = load_folder(place.records) if place.records.is_dir() else []
    text = tables.render(found, table.number, "terminal", place.data.name)
    path = place.out / f"table{table.number}.txt"
    write_text(path, click.unstyle(text))
    rows = [asdict(outcome) for outcome in outcomes]
    missing = [_line(outcome) for outcome in outcomes if outcome.why]
    body = {"table": table.number, "dataset": place.data.name, "split": place.split, "file": str(path)}
    console.result(fmt, body | {"rows": rows}, "\n".join([text, *missing]))
