"""What every network method needs: its network with weights, and photos on its canvas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from vipbench import timing
from vipbench.baselines import presets, weights
from vipbench.baselines.canvas import Placement
from vipbench.baselines.network import FrameNet
from vipbench.errors import UserError
from vipbench.pixels import read_image
from vipbench.types import Dataset, Frame

Net = TypeVar("Net", bound=FrameNet)


def task_of(dataset: Dataset) -> str:
    """Which head a data set asks for: "vip" (parts and persons) or "davis" (objects).

    Raises UserError for a data set with neither set of layers.
    """
    if set(dataset.layers) == {"category", "human", "part"}:
        return "vip"
    if set(dataset.layers) == {"object"}:
        return "davis"
    raise UserError(
        f"data set {dataset.name} has layers {dataset.layers}, which no head of the networks predicts"
    )


def check_device(device: str) -> None:
    """UserError unless tensors can be made on it."""
    try:
        if torch.device(device).type not in ("cpu", "cuda", "mps"):
            raise RuntimeError("expected cpu, cuda, cuda:N or mps")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {device!r} is not to be had here ({reason}). Try device cpu") from None


def network(
    kind: type[Net], method: str, dataset: Dataset, preset: str, path: Path | None, device: str
) -> Net:
    """The method's network for this data set, ready for inference. Raises UserError for unfit weights."""
    sizes = presets.load(preset, task_of(dataset))
    check_device(device)
    model = kind(sizes)
    weights.load(model, path or weights.shipped(method, sizes.task, preset))
    return model.to(device).eval()


def about(preset: str, path: Path | None) -> str:
    """What a table says of the network beside the method's name."""
    return f"preset {preset}, {path.name if path else 'the weights that come with vipbench'}"


def load_image(frame: Frame, model: FrameNet, device: str) -> tuple[Tensor, Placement]:
    """A frame's photo as [1, 3, canvas] on the device, and where on the canvas it lies."""
    with timing.stage("decode"):
        rgb = read_image(frame.image)
        placement = Placement.of((rgb.shape[0], rgb.shape[1]), model.preset.input)
        return placement.image(rgb)[None].to(device), placement


@contextmanager
def stage(name: str, device: str) -> Iterator[None]:
    """timing.stage that waits for the device's queue, so that the seconds are this stage's own."""
    with timing.stage(name):
        yield
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
