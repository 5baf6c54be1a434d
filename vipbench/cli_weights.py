"""The commands `vipbench weights ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipbench import cli_options as given
from vipbench import console

if TYPE_CHECKING:
    from vipbench.baselines.weights_import import Imported


@click.group(cls=given.Commands)
def weights() -> None:
    """Import weights of others; say what a weights file is."""


@weights.command("import")
@click.argument("file", type=given.path)
@click.option("--out", type=given.path, default=Path("weights"), show_default=True, help="Folder of weights.")
@click.option("--preset", help="Default: paper-vip-released for .h5, paper-vip for .pth.")
@given.as_json
def import_(file: Path, out: Path, preset: str | None, fmt: str) -> None:
    """Import the ATEN authors' aten_p2l3.h5 or parsing_rcnn.h5, or FlowNetPytorch's FlowNet-S (.pth)."""
    from vipbench.baselines.weights_import import import_weights

    found = import_weights(file, out, preset)
    told = vars(found) | {"path": str(found.path), "next": _next(found, out)}
    read = f"{found.tensors} tensors, {found.numbers:,} numbers, of method {found.method}"
    console.result(fmt, told, f"{file}: {read}, preset {found.preset}\n{found.path}\n{told['next']}")


def _next(found: Imported, out: Path) -> str:
    """What to do with a checkpoint."""
    if found.method == "flow":
        return f"vipbench train --method aten --preset {found.preset} --out {out}   starts from it"
    unit = " -o unit=lstm" if found.method == "aten-lstm" else ""
    method = found.method.removesuffix("-lstm")
    return (
        f"vipbench run --method {method}{unit} -o preset={found.preset} -o weights={found.path} --dataset vip"
    )


@weights.command()
@click.argument("file", type=given.path)
@given.as_json
def show(file: Path, fmt: str) -> None:
    """Print what a weights file says of itself: method, preset, task, and how it came to be."""
    from vipbench.baselines.weights import about

    found = about(file)
    console.result(fmt, found, "\n".join(f"{key}: {found[key]}" for key in sorted(found)))
