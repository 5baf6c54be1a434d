"""Layers of FlowNet-S and its refinement as oneDNN takes them: with their leaky ReLU, large weights arranged.

Inference on a CPU alone. torch arranges the weights of a convolution anew in each call. The deep layers of
the full-size FlowNet-S have most of its weights and see few cells, so that this takes a third of its time,
half of it for a single pair. Few weights are left as they are: what oneDNN guesses often does not fit their
maps, and it would arrange them again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGE = 1 << 17
"""Weights of a layer for which it pays to arrange them once."""
TILE = 32
"""Channels that a matrix unit takes at once. In bfloat16 oneDNN takes 386 inputs six times as long as 416."""
OPERATORS: Any = torch.ops.mkldnn
ONEDNN: Any = torch.backends.mkldnn


class Packed(nn.Module):
    """A convolution and the leaky ReLU after it, up to rounding; [N, C, H, W].

    For inference alone: it has no gradients, and its weights are in no state_dict.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, relu: nn.LeakyReLU) -> None:
        super().__init__()
        self.bias, self.slope, self.padding, weight = conv.bias, relu.negative_slope, 0, conv.weight.detach()
        self.geometry: list[Any] = [conv.padding, conv.stride, conv.dilation, conv.groups]
        if isinstance(conv, nn.ConvTranspose2d):
            self.geometry.insert(1, conv.output_padding)
            self.padding = -len(weight) % TILE if weight.dtype == torch.bfloat16 else 0
            weight = F.pad(weight, (0, 0) * 3 + (0, self.padding))
            self.convolve, arranged = OPERATORS._convolution_transpose_pointwise, _arranged_transposed
        else:
            self.convolve, arranged = OPERATORS._convolution_pointwise, _arranged
        self.weight = arranged(weight, self.geometry) if weight.numel() >= LARGE else weight
        self.plain = nn.Sequential(conv, relu).to("meta")

    def forward(self, x: Tensor) -> Tensor:
        """On the meta device, where operations are counted, the layers as they were."""
        if x.is_meta:
            counted: Tensor = self.plain(x)
            return counted
        x = x.to(self.weight.dtype)
        if self.padding:
            x = F.pad(x, (0, 0) * 2 + (0, self.padding))
        x = x.contiguous(memory_format=torch.channels_last)
        after = "leaky_relu", [self.slope], ""
        found: Tensor = self.convolve(x, self.weight, self.bias, *self.geometry, *after)
        return found


def _arranged(weight: Tensor, geometry: list[Any]) -> Tensor:
    arranged: Tensor = torch._C._nn.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *geometry)
    return arranged


def _arranged_transposed(weight: Tensor, geometry: list[Any]) -> Tensor:
    arranged: Tensor = OPERATORS._reorder_convolution_transpose_weight(weight, *geometry)
    return arranged


def packable(weight: Tensor) -> bool:
    """Whether oneDNN computes on the CPU in the weights' type."""
    there = ONEDNN.is_available() and hasattr(OPERATORS, "_convolution_transpose_pointwise")
    if weight.device.type != "cpu" or not there:
        return False
    low = weight.dtype == torch.bfloat16 and OPERATORS._is_mkldnn_bf16_supported()
    return bool(low or weight.dtype == torch.float32)


def pack(net: nn.Module) -> None:
    """Rewrite a network in place, as far as its layers are packable."""
    for name, module in list(net.named_modules()):
        match list(module) if isinstance(module, nn.Sequential) else ():
            case nn.Conv2d() | nn.ConvTranspose2d() as conv, nn.LeakyReLU() as relu if packable(conv.weight):
                net.set_submodule(name, Packed(conv, relu))
