"""N_feat: ResNet, ASPP and the DeepLabV3+ decoder (Chen et al. 2018) to a map at stride 4."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.nn.resnet import ResNet
from vipbench.baselines.presets import FeatureSizes


class ASPP(nn.Module):
    """Image pooling, 1x1 and three atrous 3x3 branches, concatenated in this order, then 1x1. No norm."""

    def __init__(self, inputs: int, channels: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.pool = nn.Conv2d(inputs, channels, 1)
        self.point = nn.Conv2d(inputs, channels, 1)
        self.atrous = nn.ModuleList(nn.Conv2d(inputs, channels, 3, padding=r, dilation=r) for r in rates)
        self.project = nn.Conv2d(channels * (2 + len(rates)), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = F.relu(self.pool(x.mean((2, 3), keepdim=True))).expand(-1, -1, *x.shape[2:])
        branches = [mean, F.relu(self.point(x)), *(F.relu(conv(x)) for conv in self.atrous)]
        return F.relu(self.project(torch.cat(branches, 1)))


class FeatureNet(nn.Module):
    """N_feat of the ATEN paper: image [N, 3, H, W] (RGB minus mean) -> features [N, C, H/4, W/4], >= 0.

    norm: the statistics of `BatchNorm`.
    """

    def __init__(self, sizes: FeatureSizes, norm: str = "live") -> None:
        super().__init__()
        self.resnet = ResNet(sizes.stem, sizes.planes, sizes.blocks, sizes.tap, sizes.stride_on, norm)
        low, top = self.resnet.outputs
        self.aspp = ASPP(top, sizes.aspp, sizes.rates)
        self.low = nn.Conv2d(low, sizes.low, 1)
        self.decode1 = nn.Conv2d(sizes.aspp + sizes.low, sizes.channels, 3, padding=1)
        self.decode2 = nn.Conv2d(sizes.channels, sizes.channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        low, top = self.resnet(image)
        context = F.interpolate(self.aspp(top), low.shape[2:], mode="bilinear", align_corners=True)
        merged = torch.cat([context, F.relu(self.low(low))], 1)
        return F.relu(self.decode2(F.relu(self.decode1(merged))))
