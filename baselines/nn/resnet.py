"""ResNet (He et al. 2016) at output stride 16 as N_feat uses it: strides 4, 8, 16, 16.

Parameter names are torchvision's. A stage strides on the first 1x1 convolution (ATEN paper's released
graph, Caffe) or on the first 3x3 one (torchvision), and on the shortcut; the last stage keeps its
resolution and dilates its 3x3 convolutions by 2 instead.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.nn.norm import BatchNorm
from vipbench.baselines.nn.options import known

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 (dilated), 1x1 to 4 x planes, added to the shortcut. strides: of the first two."""

    def __init__(
        self, inputs: int, planes: int, strides: tuple[int, int], dilation: int, project: bool, norm: str
    ) -> None:
        super().__init__()
        outputs, (first, second) = planes * EXPANSION, strides
        self.conv1 = nn.Conv2d(inputs, planes, 1, first, bias=False)
        self.bn1 = BatchNorm(planes, norm)
        self.conv2 = nn.Conv2d(planes, planes, 3, second, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = BatchNorm(planes, norm)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = BatchNorm(outputs, norm)
        shortcut = nn.Conv2d(inputs, outputs, 1, first * second, bias=False) if project else None
        self.downsample = nn.Sequential(shortcut, BatchNorm(outputs, norm)) if shortcut else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def _stage(
    inputs: int, planes: int, depth: int, strides: tuple[int, int], dilation: int, norm: str
) -> nn.Sequential:
    """`depth` bottlenecks; the first one changes stride and width."""
    first = Bottleneck(inputs, planes, strides, dilation, True, norm)
    rest = (Bottleneck(planes * EXPANSION, planes, (1, 1), dilation, False, norm) for _ in range(depth - 1))
    return nn.Sequential(first, *rest)


class ResNet(nn.Module):
    """Image [N, 3, H, W] -> (tap [N, C, H/4, W/4], res5 [N, 4 planes[3], H/16, W/16]).

    tap: "res2", 4 planes[0] channels (DeepLabV3+), or "stem", the pooled stem (ATEN paper's released graph).
    stride_on: "1x1" or "3x3". norm: the statistics of `BatchNorm`. Raises UserError for other names.
    """

    def __init__(
        self,
        stem: int,
        planes: Sequence[int],
        blocks: Sequence[int],
        tap: str = "res2",
        stride_on: str = "1x1",
        norm: str = "live",
    ) -> None:
        super().__init__()
        self.tap = known("low-level tap of the ResNet", tap, ("res2", "stem"))
        half = {"1x1": (2, 1), "3x3": (1, 2)}
        down = half[known("convolution that strides", stride_on, half)]
        outputs = [p * EXPANSION for p in planes]
        self.conv1 = nn.Conv2d(3, stem, 7, 2, padding=3, bias=False)
        self.bn1 = BatchNorm(stem, norm)
        self.layer1 = _stage(stem, planes[0], blocks[0], (1, 1), 1, norm)
        self.layer2 = _stage(outputs[0], planes[1], blocks[1], down, 1, norm)
        self.layer3 = _stage(outputs[1], planes[2], blocks[2], down, 1, norm)
        self.layer4 = _stage(outputs[2], planes[3], blocks[3], (1, 1), 2, norm)
        self.outputs = (outputs[0] if tap == "res2" else stem, outputs[3])

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.bn1(self.conv1(image)))
        # TF "same" pooling: even sizes are padded at the bottom and right only.
        pooled = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)
        res2 = self.layer1(pooled)
        low = res2 if self.tap == "res2" else pooled
        return low, self.layer4(self.layer3(self.layer2(res2)))
