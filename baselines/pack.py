"""FlowNet-S and its refinement with their weights as oneDNN reads them; inference on a CPU alone.

torch arranges the weights of a convolution anew in each call. The deep layers of FlowNet-S have most of its
weights and see few cells, so that this takes a third of its time, and half of it for a single pair.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TILE = 32
"""Channels that a matrix unit takes at once; oneDNN is six times slower with 386 inputs than with 416."""


class Packed(nn.Module):
    """A convolution and the leaky ReLU after it, up to rounding; maps are channels-last."""

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, relu: nn.LeakyReLU) -> None:
        super().__init__()
        self.bias, self.slope, self.more, weight = conv.bias, relu.negative_slope, 0, conv.weight.detach()
        self.geometry: list[Any] = [conv.padding, conv.stride, conv.dilation, conv.groups]
        if isinstance(conv, nn.ConvTranspose2d):
            self.geometry.insert(1, conv.output_padding)
            self.more = -len(weight) % TILE if weight.dtype == torch.bfloat16 else 0
            weight = F.pad(weight, (0, 0) * 3 + (0, self.more))
            self.run = torch.ops.mkldnn._convolution_transpose_pointwise
            self.weight = torch.ops.mkldnn._reorder_convolution_transpose_weight(weight, *self.geometry)
        else:
            self.run = torch.ops.mkldnn._convolution_pointwise
            self.weight = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *self.geometry)
        self.plain = nn.Sequential(conv, relu).to("meta")

    def forward(self, x: Tensor) -> Tensor:
        """On the meta device, where operations are counted, the layers as they were."""
        if x.is_meta:
            counted: Tensor = self.plain(x)
            return counted
        x = x.to(self.weight.dtype)
        if self.more:
            x = F.pad(x, (0, 0) * 2 + (0, self.more))
        x = x.contiguous(memory_format=torch.channels_last)
        found: Tensor = self.run(x, self.weight, self.bias, *self.geometry, "leaky_relu", [self.slope], "")
        return found


def packable(weight: Tensor) -> bool:
    """Whether oneDNN is there and computes on the CPU in the type of a weight."""
    onednn: Any = torch.backends.mkldnn
    if weight.device.type != "cpu" or not onednn.is_available():
        return False
    return weight.dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pack(net: nn.Module) -> None:
    """Rewrite a network in place, as far as it is packable."""
    for name, module in list(net.named_modules()):
        match list(module.children()):
            case nn.Conv2d() | nn.ConvTranspose2d() as conv, nn.LeakyReLU() as relu if packable(conv.weight):
                net.set_submodule(name, Packed(conv, relu))
