"""Batch norm, as the released Keras graph has it: eps 1e-3, and the statistics that a model chooses."""

from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.nn.options import known

STATISTICS = ("live", "frozen", "batch")


class BatchNorm(nn.BatchNorm2d):
    """BatchNorm2d whose statistics are

    live    of the batch while training, moving ones at inference (torch's own rule);
    frozen  moving ones always, while scale and shift learn: the ATEN model's backbone;
    batch   of the batch always, at inference too: the released frame model and mask head.
    """

    def __init__(self, channels: int, statistics: str = "live") -> None:
        super().__init__(channels, eps=1e-3, momentum=0.01)
        self.statistics = known("statistics of batch norm", statistics, STATISTICS)
        self.train()  # which a frozen norm refuses, so that a new one is frozen too

    def train(self, mode: bool = True) -> Self:
        return super().train(mode and self.statistics != "frozen")

    def forward(self, x: Tensor) -> Tensor:
        if self.statistics == "batch" and x.numel():  # nothing has no statistics
            return F.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)
        return super().forward(x)
