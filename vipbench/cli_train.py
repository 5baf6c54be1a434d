"""`vipbench train`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from vipbench import cli_options as given
from vipbench import console
from vipbench.specs import DatasetSpec


@click.command()
@click.option(
    "--method",
    required=True,
    help="frame, flow, dff, fgfa, aten, aten-lstm, aten-mean or aten-unaligned; and what it starts from.",
)
@given.dataset
@click.option(
    "--preset", default="tiny", show_default=True, help="tiny, or paper-vip or paper-davis for the full size."
)
@click.option("--out", type=given.path, default=Path("weights"), show_default=True, help="Folder of weights.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:0, ...")
@click.option("--precision", default="float32", show_default=True, help="float32, or bf16: mixed precision.")
@click.option(
    "--backbone",
    type=given.path,
    help="ImageNet weights of the preset's ResNet in torchvision's naming: .pth or .safetensors.",
)
@given.as_json
def train(
    method: str,
    data: DatasetSpec,
    preset: str,
    out: Path,
    seed: int,
    device: str,
    precision: str,
    backbone: Path | None,
    fmt: str,
) -> None:
    """Train a baseline from scratch on a data set's train split; go on where it was stopped.

    On several GPUs: torchrun --nproc-per-node 4 -m vipbench train ... --device cuda
    """
    from vipbench.baselines.train import train as fit

    with console.progress("train") as tick:
        weights = fit(method, preset, data.open(), out, seed, device, tick, console.note, precision, backbone)
    if os.environ.get("RANK", "0") == "0":  # torchrun's others say the same
        console.result(fmt, {"weights": str(weights)}, str(weights))
