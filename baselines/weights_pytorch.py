"""FlowNet-S of FlowNetPytorch (Clement Pinard), as weights of ours."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vipbench.baselines import presets, weights
from vipbench.baselines.nn.flownet import FLOW_UNIT, FlowNetS
from vipbench.errors import UserError

THEIR_MEAN = (0.45, 0.432, 0.411)  # RGB of images in 0..1, subtracted by its main.py
RGB_TO_BGR = [2, 1, 0, 5, 4, 3]  # of two images


def from_flownet_pytorch(source: Path, preset: str) -> dict[str, Tensor]:
    """Our tensors; the scale field, which it lacks, starts as the identity.

    Raises UserError for a file of more than tensors and numbers, and for one that is not FlowNet-S without
    batch norm.
    """
    theirs, unit = _content(source)
    # Its own training has biases in conv1 to conv6_1 alone. With more a file is Caffe's, whose networks see
    # BGR (README of FlowNetPytorch, "Note on networks from caffe").
    caffe = any(name.endswith(".bias") and not name.startswith("conv") for name in theirs)
    sizes = presets.load(preset, presets.tasks(preset)[0])  # FlowNet-S is the same for every task
    state = FlowNetS(sizes.flow, sizes.features.channels).state_dict()
    names = tomllib.loads(files("vipbench.baselines").joinpath("weights_names.toml").read_text())
    wanted = {
        f"{name}.{kind}": f"{module}.{kind}"
        for name, module in names["flownet_pytorch"].items()
        for kind in ("weight", "bias")
        if f"{module}.{kind}" in state
    }
    for name, ours in wanted.items():
        if name.endswith(".bias") and not name.startswith("conv"):
            theirs.setdefault(name, torch.zeros(state[ours].shape))
    shapes = {name: tuple(state[ours].shape) for name, ours in wanted.items()}
    found = {name: tuple(tensor.shape) for name, tensor in theirs.items()}
    weights.check(f"{source}: not FlowNet-S of preset {preset}", shapes, found)
    state |= {ours: theirs[name].float().contiguous() for name, ours in wanted.items()}
    first = state["conv1.0.weight"] if caffe else state["conv1.0.weight"][:, RGB_TO_BGR].contiguous()
    state |= _on_our_images(first, state["conv1.0.bias"], sizes.input.mean)
    return state | _in_our_unit(state, unit)


def _in_our_unit(state: dict[str, Tensor], unit: float) -> dict[str, Tensor]:
    """Predictions for outputs of `unit` pixels; what they are upsampled to stays, for the decoder sees it."""
    share = unit / FLOW_UNIT
    predicted = {name: t * share for name, t in state.items() if name.startswith("predict.")}
    kernels = {n: t / share for n, t in state.items() if n.startswith("upsample.") and n.endswith(".weight")}
    return predicted | kernels


def _on_our_images(weight: Tensor, bias: Tensor, mean: Sequence[float]) -> dict[str, Tensor]:
    """The first convolution (of BGR) for our images: another mean, which moves the bias.

    Theirs are image / 255 - THEIR_MEAN, ours (image - mean) / 255. The result is the same wherever the kernel
    lies on the canvas; across its border, where both see zeros, these stand for two slightly different greys.
    """
    apart = torch.tensor(mean).double().flip(0) / 255 - torch.tensor(THEIR_MEAN).double().flip(0)
    moved = bias.double() + (weight.double().sum((2, 3)) * apart.repeat(2)).sum(1)
    return {"conv1.0.weight": weight, "conv1.0.bias": moved.float()}


def _content(source: Path) -> tuple[dict[str, Tensor], float]:
    """Its tensors by name, and how many pixels an output of one is: its `div_flow`, FLOW_UNIT without."""
    try:
        content: Any = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever its bytes happen to mean
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{source}: neither HDF5 nor a PyTorch file of nothing but tensors ({reason}). "
            "Expected aten_p2l3.h5 or parsing_rcnn.h5 of the ATEN authors, or a .pth of FlowNetPytorch"
        ) from None
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise UserError(f"{source}: expected a dictionary of tensors, or one with the entry state_dict")
    unit = FLOW_UNIT if state is content else content.get("div_flow", FLOW_UNIT)
    if not isinstance(unit, int | float) or not 0 < unit < float("inf"):
        raise UserError(f"{source}: div_flow is {unit!r}, expected pixels, a number above 0")
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}, float(unit)
