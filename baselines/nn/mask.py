"""The mask head of Mask R-CNN (He et al. 2017), and the side branch that the released ATEN graph adds."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.nn.norm import BatchNorm


class MaskSide(nn.Module):
    """Fully connected side branch (released graph): [R, width, 14, 14] -> [R, 2, 28, 28], not bounded."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(width, width, 3, padding=1), BatchNorm(width, norm)
        self.conv2, self.norm2 = nn.Conv2d(width, width // 2, 3, padding=1), BatchNorm(width // 2, norm)
        self.fc = nn.Conv2d(width // 2, 28 * 28 * 2, 14)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.relu(self.norm2(self.conv2(x)))
        masks: Tensor = self.fc(x).reshape(-1, 28, 28, 2)  # the class is fastest
        return masks.permute(0, 3, 1, 2)


class MaskHead(nn.Module):
    """RoIs [R, C, 14, 14] -> mask logits [R, 2, 28, 28] of background and person (plain Mask R-CNN).

    side: the released graph's branch from the third convolution, added to the probabilities. Their sum is
    clipped to [1e-7, 1 - 1e-7] and given as logits, so that sigmoid and cross-entropy are the released
    ones. norm: the statistics of `BatchNorm`.
    """

    def __init__(self, channels: int, width: int, side: bool = False, norm: str = "live") -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(channels if i == 0 else width, width, 3, padding=1) for i in range(4)
        )
        self.norms = nn.ModuleList(BatchNorm(width, norm) for _ in range(4))
        self.deconv = nn.ConvTranspose2d(width, width, 2, 2)
        self.mask = nn.Conv2d(width, 2, 1)
        self.side = MaskSide(width, norm) if side else None

    def forward(self, rois: Tensor) -> Tensor:
        maps = [rois]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            maps.append(F.relu(norm(conv(maps[-1]))))
        logits: Tensor = self.mask(F.relu(self.deconv(maps[-1])))
        if self.side is None:
            return logits
        exact = torch.promote_types(logits.dtype, torch.float32)  # 1 - 1e-7 is not 1 in single precision
        return torch.logit(logits.to(exact).sigmoid() + self.side(maps[3]).to(exact), eps=1e-7)
