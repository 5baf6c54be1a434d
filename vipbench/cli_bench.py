"""The command `vipbench bench`."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vipbench import cli_options as given
from vipbench import console
from vipbench.errors import UserError

if TYPE_CHECKING:
    from vipbench.bench import Place
    from vipbench.bench_figures import Bench
    from vipbench.specs import MethodSpec

TABLES = {"vip": 1, "davis": 2}


def _methods(_: click.Context, __: click.Parameter, value: str) -> list[MethodSpec]:
    from vipbench.specs import MethodSpec

    names = [name.strip() for name in value.split(",") if name.strip()]
    found = [MethodSpec.of(name) for name in names]
    labels = [method.label for method in found]
    twice = [label for label in labels if labels.count(label) > 1]
    if twice or not found:
        what = f"{twice[0]} is named twice" if twice else "no method is named"
        raise UserError(f"option --methods: {what}. Name each once, for instance frame,aten,aten-l5")
    return found


@click.command()
@click.option(
    "--methods",
    default="frame,dff,fgfa,aten",
    show_default=True,
    metavar="A,B",
    callback=_methods,
    help="With options as in aten-l5 or aten-l4-unitmean. Ratios are to frame.",
)
@click.option(
    "--preset",
    help="Of every method: tiny, small, paper-vip, paper-davis, or one with -released. As -o preset=...",
)
@click.option("--device", help="cpu, cuda, cuda:0, ... The same as -o device=...")
@click.option(
    "-o",
    "options",
    metavar="KEY=VALUE",
    multiple=True,
    callback=given.pairs,
    help="Of every method that has it.",
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--task", type=click.Choice(list(TABLES)), help="Of rendered frames. Default: vip.")
@click.option(
    "--size", metavar="HxW", callback=given.size, help="Of rendered frames. Default: the preset's canvas."
)
@click.option("--frames", type=click.IntRange(1), help="How many to render. Default: 30.")
@click.option("--dataset", "name", help="Its frames in place of rendered ones; synth is made.")
@click.option("--data", "root", type=given.path, help="Its root; else its environment variable.")
@given.split
@click.option("--sequences", metavar="A,B", callback=given.names, help="Default: the split's first video.")
@click.option("--out", type=given.path, callback=given.new_file, help="The measurements as JSON.")
@click.option("--picture", type=given.path, callback=given.new_file, help="Speed against accuracy, as PNG.")
@click.option("--records", type=given.path, help="Folder of Records with the accuracies of the picture.")
@click.option("--format", "fmt", type=click.Choice(["terminal", "markdown", "json"]), default="terminal")
def bench(
    methods: list[MethodSpec],
    preset: str | None,
    device: str | None,
    options: dict[str, str],
    rounds: int,
    out: Path | None,
    picture: Path | None,
    records: Path | None,
    fmt: str,
    **frames: Any,
) -> None:
    """Measure the speed of methods in turn: frames a second, time by stage, and what their counts allow.

    Without trained weights of its own a method runs with random ones. Exit with 1 if a method failed.
    """
    from vipbench.bench import bench as measure

    options = {k: v for k, v in {"preset": preset, "device": device}.items() if v} | options
    for path in filter(None, (out, picture)):
        given.writable(path)
    if picture and not records:
        raise UserError("option --picture: needs accuracies. Name a folder of Records by --records")
    try:
        with console.progress("bench") as tick, _frames(options, tick, **frames) as (task, place):
            found = measure(methods, place, rounds, tick)
    except KeyboardInterrupt:
        console.note("interrupted: nothing was written")
        sys.exit(130)
    _print(found, fmt)
    if out:
        _save(found, out)
    if picture and records:
        _draw(found, records, picture, TABLES[task])
    if found.failed:
        sys.exit(1)


@contextmanager
def _frames(
    options: dict[str, str],
    tick: Any,
    task: str | None,
    size: tuple[int, int] | None,
    frames: int | None,
    name: str | None,
    **where: Any,
) -> Iterator[tuple[str, Place]]:
    """The task, and the frames that the options ask for, as long as the block runs."""
    from vipbench import bench_frames

    if name and (task or size or frames):
        raise UserError(
            "options --task, --size and --frames are of rendered frames. Leave them out with --dataset"
        )
    if not name and any(where.values()):
        raise UserError("options --data, --split and --sequences are of a data set. Name it by --dataset")
    with ExitStack() as stack:
        if name:
            place = bench_frames.chosen(name, options=options, progress=tick, **where)
            task = "davis" if place.data.open().layers == ("object",) else "vip"
        else:
            task = task or "vip"
            size = size or _canvas(options.get("preset", "tiny"), task)
            place = stack.enter_context(bench_frames.rendered(task, size, frames or 30, options))
        yield task, place


def _canvas(preset: str, task: str) -> tuple[int, int]:
    from vipbench.baselines import presets

    canvas = presets.load(preset, task).input
    return canvas.height, canvas.width


def _print(found: Bench, fmt: str) -> None:
    from vipbench import bench_text

    if fmt == "json":
        console.result(fmt, found.as_json(), "")
    elif fmt == "markdown":
        click.echo(bench_text.to_markdown(found))
    else:
        tables = [
            console.table(g.headings, g.rows, len(g.headings) - g.texts) for g in bench_text.grids(found)
        ]
        above, below = map(_wrapped, (bench_text.heading(found), bench_text.notes(found)))
        click.echo("\n\n".join([above, *tables, below]))


def _wrapped(lines: list[str]) -> str:
    return "\n".join(textwrap.fill(line, console.WIDTH, break_on_hyphens=False) for line in lines)


def _save(found: Bench, path: Path) -> None:
    from vipbench.atomic import write_text
    from vipbench.records import finite

    write_text(path, json.dumps(finite(found.as_json()), indent=1, ensure_ascii=False) + "\n")
    console.note(f"measurements: {path}")


def _draw(found: Bench, records: Path, path: Path, number: int) -> None:
    from vipbench.bench_picture import draw
    from vipbench.records import load_folder

    draw(path, found, load_folder(records), number)
    console.note(f"picture: {path}")
