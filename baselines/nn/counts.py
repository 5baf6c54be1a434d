"""Parameters and multiplications of a network, counted without running it: build it on the meta device."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(module: nn.Module) -> int:
    """How many numbers training changes: frozen ones, as the scale field's bias, are left out."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def multiplies(call: Callable[..., Any], *inputs: Any) -> int:
    """Multiply-adds of convolutions and matrix products in one call, exact; 1 GMAC = 10^9 of them.

    Padding counts as input. A transposed convolution counts each input cell times its kernel.
    """
    with FlopCounterMode(display=False) as counter:
        call(*inputs)
    return int(counter.get_total_flops()) // 2


def multiplies_by_part(module: nn.Module, *inputs: Any) -> dict[str, int]:
    """The same of each submodule, by its path in the module."""
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    root = type(module).__name__ + "."
    counts = {name: ops for name, ops in counter.get_flop_counts().items() if name.startswith(root)}
    return {name.removeprefix(root): sum(ops.values()) // 2 for name, ops in counts.items()}
