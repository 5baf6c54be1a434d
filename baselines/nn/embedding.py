"""Flow-Guided Feature Aggregation (Zhu et al. 2017): the embedding network and the adaptive weights.

w_j(p) is the softmax over frames j of cos(e_j(p), e(p)), where e is the embedding of the current frame and
e_j that of frame j, warped to it; the aggregate is the sum of w_j(p) f_j(p). One weight for all channels.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (128, 128, 512)  # the paper's 512, 512, 2048 of 1024 channels, scaled to 256


class Embedding(nn.Module):
    """Features [N, C, H, W] -> embeddings [N, widths[2], H, W]: 1x1, 3x3 and a linear 1x1."""

    def __init__(self, channels: int, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        first, second, third = widths
        self.conv1 = nn.Conv2d(channels, first, 1)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1)
        self.conv3 = nn.Conv2d(second, third, 1)
        for conv in (self.conv1, self.conv2, self.conv3):
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        embedded: Tensor = self.conv3(F.relu(self.conv2(F.relu(self.conv1(features)))))
        return embedded


def adaptive_weights(embeddings: Sequence[Tensor], current: Tensor) -> Tensor:
    """Each frame's weight at each cell, [frames, N, 1, H, W], sum 1 over frames.

    embeddings: [N, E, H, W] a frame, warped to the current one. current: [N, E, H, W]. Where an embedding
    is zero, as beyond a warp's border, its cosine is 0.
    """
    cosines = torch.stack([F.cosine_similarity(e, current, 1) for e in embeddings])
    return cosines.softmax(0)[:, :, None]


def aggregate(frames: Iterable[tuple[Tensor, Tensor]], current: Tensor) -> Tensor:
    """The weighted sum of the frames' features [N, C, H, W], each given with its embedding, both warped.

    It is `adaptive_weights` summed as the frames come, so that one at a time is in memory; a cosine's
    exponential needs no shift by the maximum.
    """
    total = mass = current.new_zeros(())
    for features, embedding in frames:
        weight = F.cosine_similarity(embedding, current, 1)[:, None].exp()
        total, mass = total + weight * features, mass + weight
    return total / mass
