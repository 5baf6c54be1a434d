"""The command line. Commands say what to call with what; the work is elsewhere and imported when needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipbench import cli_options as given
from vipbench import console
from vipbench.cli_bench import bench
from vipbench.cli_breakdown import breakdown
from vipbench.cli_compare import compare
from vipbench.cli_data import data as data_commands
from vipbench.cli_reproduce import reproduce
from vipbench.cli_train import train
from vipbench.cli_weights import weights as weights_commands
from vipbench.errors import UserError
from vipbench.version import __version__

if TYPE_CHECKING:
    from vipbench.specs import DatasetSpec, MethodSpec

RECORDS = Path("records")


@click.group(
    cls=given.Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="vipbench")
def main() -> None:
    """Train, run, score and compare video human parsing and video object segmentation."""


@main.command()
@given.method
@given.selection
@given.jobs
@click.option("--out", type=given.path, help="Prediction folder. Default: preds/<method>/<dataset>.")
@given.as_json
def run(
    method: MethodSpec,
    data: DatasetSpec,
    split: str,
    sequences: tuple[str, ...] | None,
    jobs: int,
    out: Path | None,
    fmt: str,
) -> None:
    """Predict a data set's videos with a method; go on where an earlier run was stopped."""
    from vipbench import runner

    out = out or Path("preds") / method.label / data.label
    with console.progress(f"run {method.label}") as tick:
        done = runner.run(method, data, split, out, jobs, sequences, tick)
    frames = sum(video.frames for video in done)
    found = {"out": str(out), "videos": [vars(video) for video in done]}
    console.result(fmt, found, f"{out}: {len(done)} videos, {frames} frames")


@main.command()
@click.argument("folder", type=given.path)
@given.selection
@given.jobs
@given.strict_frames
@given.protocol
@given.as_json
def check(
    folder: Path,
    data: DatasetSpec,
    split: str,
    sequences: tuple[str, ...] | None,
    jobs: int,
    strict_frames: bool,
    asked: tuple[str, ...],
    fmt: str,
) -> None:
    """List everything that is wrong with a prediction folder; exit with 1 if anything is an error."""
    from vipbench.checking import check_folder
    from vipbench.folders import open_folder

    layout = open_folder(folder, data.open().layers).name
    with console.progress(f"check {folder}") as tick:
        problems = check_folder(folder, data, split, sequences, jobs, strict_frames, tick, asked)
    console.problems(fmt, f"{folder} (layout {layout})", problems)


@main.command()
@click.argument("folder", type=given.path)
@given.selection
@given.jobs
@given.strict_frames
@click.option(
    "--out",
    type=given.path,
    callback=given.new_file,
    help="Record. Default: records/<method>.<dataset>.<split>.json.",
)
@click.option(
    "--no-cache",
    is_flag=True,
    help="Measure every video anew, not from $XDG_CACHE_HOME/vipbench (default ~/.cache/vipbench).",
)
@click.option(
    "--method",
    callback=given.some_text,
    help="Its name in the Record. Default: what `run` noted, else the folder's name.",
)
@given.protocol
@given.as_json
def score(
    folder: Path,
    data: DatasetSpec,
    split: str,
    sequences: tuple[str, ...] | None,
    jobs: int,
    strict_frames: bool,
    out: Path | None,
    no_cache: bool,
    method: str | None,
    asked: tuple[str, ...],
    fmt: str,
) -> None:
    """Score a prediction folder and write a Record."""
    from vipbench import scorer

    cache = None if no_cache else given.cache_folder()
    given.writable(out or RECORDS / "any")
    with console.progress(f"score {folder}") as tick:
        record = scorer.score(folder, data, split, sequences, jobs, cache, method, strict_frames, tick, asked)
    out = out or RECORDS / scorer.file_name(record, data, sequences, asked)
    record.save(out)
    console.warn(record.provenance.warnings)
    console.note(f"record: {out}")
    click.echo(record.to_json() if fmt == "json" else console.scores(record), nl=fmt != "json")


@main.command()
@click.option("--paper-table", type=click.IntRange(1, 3), required=True, help="Number of the paper's table.")
@click.option("--records", type=given.path, default=RECORDS, show_default=True, help="Folder of Records.")
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["terminal", "markdown", "latex", "csv", "json"]),
    default="terminal",
    help="How to print.",
)
@click.option("--dataset", help="Only Records of this data set.")
@click.option("--intervals/--no-intervals", default=True, help="Over videos; AP takes seconds a Record.")
def table(paper_table: int, records: Path, fmt: str, dataset: str | None, intervals: bool) -> None:
    """Print a table of the ATEN paper, ours beside the paper's."""
    from vipbench import tables
    from vipbench.records import load_folder

    if records == RECORDS and not records.is_dir():
        console.note(f"no Records in {records} yet: `vipbench run`, then `vipbench score`, make them")
        found = []
    else:
        found = load_folder(records)
    click.echo(tables.render(found, paper_table, fmt, dataset, intervals).rstrip("\n"))


@main.command()
@click.argument("folder", type=given.path)
@given.selection
@click.option("--out", type=given.path, required=True, help="Where to draw, <out>/<video>/<frame>.png.")
@given.as_json
def overlay(
    folder: Path,
    data: DatasetSpec,
    split: str,
    sequences: tuple[str, ...] | None,
    out: Path,
    fmt: str,
) -> None:
    """Draw image, ground truth and prediction side by side, one PNG a frame."""
    from vipbench.folders import open_folder
    from vipbench.report.overlay import overlay as draw

    dataset = data.open()
    with console.progress(f"overlay {folder}") as tick:
        count = draw(open_folder(folder, dataset.layers), dataset, split, out, sequences, tick)
    console.result(fmt, {"out": str(out), "frames": count}, f"{out}: {count} frames")


@main.group(cls=given.Commands)
def leaderboard() -> None:
    """The static leaderboard."""


@leaderboard.command("build")
@click.argument("records", type=given.path)
@click.option("--out", type=given.path, required=True, help="Folder of the page.")
@given.as_json
def leaderboard_build(records: Path, out: Path, fmt: str) -> None:
    """Write one page with a sortable table of Records."""
    from vipbench.leaderboard import build

    page = build(records, out)
    console.result(fmt, {"page": str(page)}, str(page))


@main.command()
@given.as_json
def methods(fmt: str) -> None:
    """List the methods with their options."""
    from vipbench.listing import methods as listed

    rows = listed()
    text = console.table(
        ["method", "options", "what it is"], ([r["name"], r["options"], r["about"]] for r in rows)
    )
    console.result(fmt, rows, text)


@main.command()
@given.as_json
def datasets(fmt: str) -> None:
    """List the data sets with their options and splits."""
    from vipbench.listing import datasets as listed

    rows = listed()
    columns = ["name", "options", "splits", "env", "about"]
    console.result(fmt, rows, console.table(columns, ([row[c] for c in columns] for row in rows)))


@main.command()
@click.argument("name", required=False)
@given.as_json
def protocols(name: str | None, fmt: str) -> None:
    """List the protocols that `score` knows; of one, say everything that decides its numbers."""
    from vipbench.listing import protocols as listed

    rows = listed()
    if name is None:
        console.result(
            fmt, rows, console.table(["protocol", "what it is"], ([r["name"], r["about"]] for r in rows))
        )
        return
    found = next((row for row in rows if row["name"] == name), None)
    if found is None:
        raise UserError(f"unknown protocol {name!r}. Known: {', '.join(row['name'] for row in rows)}")
    lines = {**found, "measures": "\n".join(found["measures"])}
    console.result(fmt, found, console.table(["", ""], lines.items()))


main.add_command(data_commands)
main.add_command(bench)
main.add_command(breakdown)
main.add_command(compare)
main.add_command(reproduce)
main.add_command(weights_commands)
main.add_command(train)
