"""Numbers of mixed precision: networks may compute in bfloat16, but neither losses nor flows do."""

import torch
from torch import Tensor, nn


def exact(x: Tensor) -> Tensor:
    """In single precision at least; a tensor that is stays as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def full(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer in the precision of its weights, also under autocast.

    For flows and scales: in the eight bits of bfloat16 a flow of 30 pixels is off by up to a sixteenth.
    """
    if not torch.amp.is_autocast_available(x.device.type):  # meta
        plain: Tensor = layer(x)
        return plain
    with torch.autocast(x.device.type, enabled=False):
        exactly: Tensor = layer(x.to(next(layer.parameters()).dtype))
    return exactly


EXACT = (
    "flow.predict",
    "flow.upsample",
    "refine.correct",
    "head.rpn.score",
    "head.rpn.delta",
    "head.box.score",
    "head.box.delta",
)
"""The layers of a network that `full` keeps exact."""


def lower(net: nn.Module) -> None:
    """Keep the weights of all convolutions and matrix products but EXACT in bfloat16; inference alone.

    Autocast rounds them in each call otherwise, which takes as long as one layer in twenty.
    """
    for name, module in net.named_modules():
        weighted = isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
        if weighted and not name.startswith(EXACT):
            module.to(torch.bfloat16)
