"""FlowNet-S (Dosovitskiy et al. 2015) with the scale field of Deep Feature Flow.

It sees the target frame first, then the reference, and gives the backward flow: where the content of a
target pixel lies in the reference. Trained output is flow / 20 in input pixels, at stride 4.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.nn.precision import full
from vipbench.baselines.presets import FlowSizes

FLOW_UNIT = 20.0  # input pixels for an output of one (FlowNet's training unit)
STRIDE = 4


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2), nn.LeakyReLU(0.1, inplace=True)
    )


def _deconv(inputs: int, outputs: int, bias: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1, bias=bias), nn.LeakyReLU(0.1, inplace=True)
    )


class FlowNetS(nn.Module):
    """Two images [N, 3, H, W] -> flow [N, 2, H/4, W/4] in feature cells, scale [N, C, H/4, W/4].

    sizes.factor: cells for an output of one, FLOW_UNIT / STRIDE; the released graph takes FLOW_UNIT as it is.
    sizes.bias: Caffe and Keras have them, PyTorch's conversions of FlowNet-S do not.
    """

    def __init__(self, sizes: FlowSizes, channels: int) -> None:
        super().__init__()
        self.factor, bias = sizes.factor, sizes.bias
        c1, c2, c3, c4, c5, c6 = sizes.encoder
        d5, d4, d3, d2 = sizes.decoder
        self.conv1, self.conv2 = _conv(6, c1, 7, 2), _conv(c1, c2, 5, 2)
        self.conv3 = nn.Sequential(_conv(c2, c3, 5, 2), _conv(c3, c3))
        self.conv4 = nn.Sequential(_conv(c3, c4, 3, 2), _conv(c4, c4))
        self.conv5 = nn.Sequential(_conv(c4, c5, 3, 2), _conv(c5, c5))
        self.conv6 = nn.Sequential(_conv(c5, c6, 3, 2), _conv(c6, c6))
        concats = [c6, c5 + d5 + 2, c4 + d4 + 2, c3 + d3 + 2, c2 + d2 + 2]
        self.predict = nn.ModuleList(nn.Conv2d(c, 2, 3, padding=1, bias=bias) for c in concats)
        widths = zip(concats, (d5, d4, d3, d2), strict=False)
        self.deconv = nn.ModuleList(_deconv(c, d, bias) for c, d in widths)
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(2, 2, 4, 2, padding=1, bias=bias) for _ in range(4))
        # Scale field: 1x1, zero weights, bias one and frozen, so that it starts as the identity.
        self.scale = nn.Conv2d(concats[-1], channels, 1)
        nn.init.zeros_(self.scale.weight)
        nn.init.ones_(self.scale.bias).requires_grad_(False)  # type: ignore[arg-type]

    def pyramid(self, target: Tensor, reference: Tensor) -> tuple[list[Tensor], Tensor]:
        """Raw flows (unit: FLOW_UNIT input pixels), coarse to fine, and the last concatenated map."""
        # As the released graph: mean-subtracted images over 255, channels reversed to BGR.
        x = torch.cat([target.flip(1), reference.flip(1)], 1) / 255
        skips: list[Tensor] = []
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5, self.conv6):
            x = conv(x)
            skips.append(x)
        flows = [full(self.predict[0], x)]
        for level, skip in enumerate(reversed(skips[1:5])):
            size = skip.shape[2:]
            up = full(self.upsample[level], flows[-1]).to(skip.dtype)
            # Odd sizes come back one cell too large.
            parts = (p[..., : size[0], : size[1]] for p in (self.deconv[level](x), up))
            x = torch.cat([skip, *parts], 1)
            flows.append(full(self.predict[level + 1], x))
        return flows, x

    def forward(self, target: Tensor, reference: Tensor, scaled: bool = True) -> tuple[Tensor, Tensor]:
        """scaled: without, the scale has no channels."""
        flows, last = self.pyramid(target, reference)
        none = last.new_empty(len(last), 0, *last.shape[2:])
        return flows[-1] * self.factor, self.scale(last) if scaled else none


def flow_loss(flows: Sequence[Tensor], truth: Tensor) -> Tensor:
    """Multi-scale end-point error of FlowNet-S, weights .32 to .02 from fine to coarse, mean over pixels.

    flows: as `pyramid` gives them. truth: [N, 2, H, W] in input pixels. Coarse targets are area means.
    """
    total = truth.new_zeros(())
    for weight, flow in zip((0.02, 0.04, 0.08, 0.16, 0.32), flows, strict=True):
        target = F.adaptive_avg_pool2d(truth, (flow.shape[2], flow.shape[3])) / FLOW_UNIT
        # eps: the plain norm has no gradient at 0.
        total = total + weight * ((flow - target).square().sum(1) + 1e-12).sqrt().mean()
    return total
