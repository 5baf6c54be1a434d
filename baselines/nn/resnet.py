"""ResNet (He et al. 2016) at output stride 16 as N_feat uses it: strides 4, 8, 16, 16.

Parameter names are torchvision's. The stride of a stage sits on the first 1x1 convolution and on the
shortcut (ATEN paper's released graph, Caffe style); the last stage keeps its resolution and dilates its
3x3 convolutions by 2 instead.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1 (stride), 3x3 (dilation), 1x1 to 4 x planes, added to the shortcut."""

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, project: bool) -> None:
        super().__init__()
        outputs = planes * EXPANSION
        self.conv1 = nn.Conv2d(inputs, planes, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(planes, eps=1e-3, momentum=0.01)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes, eps=1e-3, momentum=0.01)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
            )
            if project
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def _stage(inputs: int, planes: int, depth: int, stride: int, dilation: int) -> nn.Sequential:
    """`depth` bottlenecks; the first one changes stride and width."""
    first = Bottleneck(inputs, planes, stride, dilation, project=True)
    rest = (Bottleneck(planes * EXPANSION, planes, 1, dilation, project=False) for _ in range(depth - 1))
    return nn.Sequential(first, *rest)


class ResNet(nn.Module):
    """Image [N, 3, H, W] -> (res2 [N, 4 planes[0], H/4, W/4], res5 [N, 4 planes[3], H/16, W/16])."""

    def __init__(self, stem: int, planes: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        outputs = [p * EXPANSION for p in planes]
        self.conv1 = nn.Conv2d(3, stem, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem, eps=1e-3, momentum=0.01)
        self.layer1 = _stage(stem, planes[0], blocks[0], stride=1, dilation=1)
        self.layer2 = _stage(outputs[0], planes[1], blocks[1], stride=2, dilation=1)
        self.layer3 = _stage(outputs[1], planes[2], blocks[2], stride=2, dilation=1)
        self.layer4 = _stage(outputs[2], planes[3], blocks[3], stride=1, dilation=2)
        self.outputs = (outputs[0], outputs[3])

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.bn1(self.conv1(image)))
        # TF "same" pooling: even sizes are padded at the bottom and right only.
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2)
        low = self.layer1(x)
        return low, self.layer4(self.layer3(self.layer2(low)))
