"""The released Keras files of the ATEN paper, parsing_rcnn.h5 and aten_p2l3.h5, as weights of ours."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor, nn

from vipbench.baselines import presets, weights
from vipbench.baselines.network import FrameNet
from vipbench.baselines.network_aten import AtenNet
from vipbench.baselines.weights_hdf5 import keras_weights
from vipbench.errors import UserError

Kinds = dict[str, tuple[str, ...]]
LAYER: Kinds = {"kernel": ("weight",), "bias": ("bias",)}
NORM: Kinds = {
    "gamma": ("weight",),
    "beta": ("bias",),
    "moving_mean": ("running_mean",),
    "moving_variance": ("running_var",),
}
INPUT: Kinds = {"kernel": ("input.weight",), "bias": ("input.bias",)}
UNITS: dict[str, Kinds] = {
    "gru": INPUT | {"recurrent_kernel": ("gates.weight", "candidate.weight")},  # packed z, r, h
    "lstm": INPUT | {"recurrent_kernel": ("hidden.weight",)},  # i, f, c, o, as ours
}
"""What Keras calls the tensors of a layer -> ours, which it packs along the outputs."""
UNNAMED = re.compile(r"^time_distributed(_\d+)?/")  # Keras numbers a wrapper without a name of its own


def from_keras(source: Path, preset: str) -> tuple[str, dict[str, Tensor]]:
    """The method that a file is of, told by its layers, and our tensors.

    Raises UserError for a damaged file and for one whose weights are not exactly those of the preset.
    """
    with keras_weights(source) as datasets:
        found = {UNNAMED.sub("mrcnn_mask_fc/", name): data for name, data in datasets.items()}
        if len(found) < len(datasets):
            raise UserError(f"{source}: several layers are called time_distributed; expected one, the mask's")
        method, net = _network(preset, {name.partition("/")[0] for name in found})
        slots = keras_slots(net)
        shapes = {name: tuple(data.shape) for name, data in found.items()}
        weights.check(f"{source}: not the weights of preset {preset}", keras_shapes(net, slots), shapes)
        packed = {name: torch.from_numpy(data[()]) for name, data in found.items()}
    sizes = {name: tensor.shape[0] for name, tensor in net.state_dict().items() if tensor.ndim}
    state = _constants(net)
    for name, tensors in slots.items():
        parts = torch.split(axes_of_ours(packed[name]), [sizes[tensor] for tensor in tensors])
        state |= dict(zip(tensors, parts, strict=True))
    return method, {name: tensor.contiguous() for name, tensor in state.items()}


def _network(preset: str, layers: set[str]) -> tuple[str, FrameNet]:
    """The method whose layers these are, and its network without memory."""
    sizes = presets.load(preset, "vip")
    unit = "lstm" if "lstm_recurrent_unit" in layers else "gru"
    with torch.device("meta"):
        if not any(layer.startswith(("flownet_", "gru_", "lstm_")) for layer in layers):
            return "frame", FrameNet(sizes)
        return {"gru": "aten", "lstm": "aten-lstm"}[unit], AtenNet(sizes, unit)


def axes_of_ours(array: Tensor) -> Tensor:
    """Height, width and two axes of channels -> these two swapped, then height and width.

    So [H, W, in, out] of a convolution becomes [out, in, H, W], [H, W, out, in] of a transposed one
    [in, out, H, W], and [in, out] of a dense layer [out, in].
    """
    return array.permute(3, 2, 0, 1) if array.ndim == 4 else array.mT if array.ndim == 2 else array


def keras_slots(net: FrameNet) -> dict[str, tuple[str, ...]]:
    """Each weight of the Keras graph, `layer/weight` -> our tensors."""
    learnt = {name for name, p in net.named_parameters() if p.requires_grad}
    ours = learnt | {name for name, _ in net.named_buffers()}
    slots: dict[str, tuple[str, ...]] = {}
    for layer, module in _layers(net):
        kinds = UNITS.get(module, NORM if isinstance(net.get_submodule(module), nn.BatchNorm2d) else LAYER)
        slots |= {f"{layer}/{kind}": tuple(f"{module}.{t}" for t in kinds[kind]) for kind in kinds}
    return {name: tensors for name, tensors in slots.items() if ours.issuperset(tensors)}


def keras_shapes(net: nn.Module, slots: Mapping[str, tuple[str, ...]]) -> weights.Shapes:
    """The shape in which Keras has each weight."""
    state, shapes = net.state_dict(), {}
    for name, tensors in slots.items():
        outputs = sum(state[tensor].shape[0] for tensor in tensors)
        shape = (outputs, *state[tensors[0]].shape[1:])
        shapes[name] = (*shape[2:], *shape[1::-1])
    return shapes


def _layers(net: FrameNet) -> Iterator[tuple[str, str]]:
    """Each layer of the Keras graph and our module."""
    names = tomllib.loads(files("vipbench.baselines").joinpath("weights_names.toml").read_text())
    for stage, depth in enumerate(net.preset.features.blocks, 2):
        later = "bc" if stage in (2, 5) else [f"b{i}" for i in range(1, depth)]
        for i, block in enumerate(["a", *later][:depth]):
            table = names["keras_block"] | (names["keras_first_block"] if i == 0 else {})
            for theirs, ours in table.items():
                yield theirs.format(s=stage, b=block), ours.format(layer=stage - 1, i=i)
    modules = dict(net.named_modules())
    for table in (names["keras_frame"], names["keras_aten"]):
        yield from ((theirs, ours) for theirs, ours in table.items() if ours in modules)


def _constants(net: nn.Module) -> dict[str, Tensor]:
    """What is not learnt: the scale field's bias, one, and the counters of batch norm."""
    frozen = {name: torch.ones(p.shape) for name, p in net.named_parameters() if not p.requires_grad}
    counters = [name for name, _ in net.named_buffers() if name.endswith("num_batches_tracked")]
    return frozen | {name: torch.tensor(0) for name in counters}
