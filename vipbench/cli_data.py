"""`vipbench data ...`: make, check and describe data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipbench import cli_options as given
from vipbench import console
from vipbench.errors import UserError

if TYPE_CHECKING:
    from vipbench.specs import DatasetSpec

MADE = ("synth", "synth-davis")
SYNTH = Path("data/synth")


@click.group(cls=given.Commands)
def data() -> None:
    """Make, check and describe data sets."""


@data.command()
@click.argument("name")
@click.option("--out", type=given.path, default=SYNTH, show_default=True, help="Root to write.")
@click.option("--splits", metavar="A,B", callback=given.names, help="Default: all.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--size", default="96x160", show_default=True, callback=given.size, help="HEIGHTxWIDTH of the frames."
)
@click.option(
    "--every", type=click.IntRange(1), default=1, show_default=True, help="Annotate every Nth frame."
)
@given.as_json
def make(
    name: str,
    out: Path,
    splits: tuple[str, ...] | None,
    seed: int,
    size: tuple[int, int],
    every: int,
    fmt: str,
) -> None:
    """Write the embedded procedural data set to disk (synth and synth-davis are one)."""
    from vipbench import registry

    factory = registry.load("datasets", name)
    if name not in MADE:
        raise UserError(
            f"{name!r} cannot be made, only {' or '.join(MADE)}. `vipbench data info {name}` tells more"
        )
    from vipbench.datasets import synth

    with console.progress(f"make {name}") as tick:
        chosen = factory.splits if splits is None else splits
        synth.make(out, chosen, seed=seed, size=size, every=every, progress=tick)
    console.result(fmt, {"root": str(out)}, f"{out}: pass it by --data, or set {factory.env}")


@data.command()
@click.argument("name")
@given.root_of
@given.split
@given.as_json
def check(data: DatasetSpec, split: str | None, fmt: str) -> None:
    """List everything that is wrong with a data set's files; exit with 1 if anything is an error."""
    from vipbench.specs import split_of

    dataset = data.open()
    split = split_of(dataset, split)
    if not hasattr(dataset, "check"):
        raise UserError(f"data set {data.name!r} has no `check(split)`: add it, see CONTRIBUTING.md")
    console.problems(fmt, f"{dataset.name} {split} in {data.root}", dataset.check(split))


@data.command()
@click.argument("name")
@given.as_json
def info(name: str, fmt: str) -> None:
    """Say where to get a data set, its licence and size, and how to unpack it."""
    from vipbench import registry

    factory = registry.load("datasets", name)
    found = {key: getattr(factory, key, "") for key in ("name", "about", "env", "splits", "layers", "layout")}
    text = f"{found['about']}\nroot: --data ROOT, or {found['env']}\nsplits: {', '.join(found['splits'])}"
    console.result(fmt, found, text)
