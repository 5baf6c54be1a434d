"""RoIAlign (He et al. 2017) as one bilinear sampling."""

import torch
import torch.nn.functional as F
from torch import Tensor


def roi_align(features: Tensor, boxes: Tensor, size: int, scale: float) -> Tensor:
    """Pool each box of one image to size x size cells: [C, H, W], [R, 4] -> [R, C, size, size].

    Two by two bilinear samples a cell, averaged, half-pixel aligned; samples outside the map are 0, as in
    the released graph (torchvision's `roi_align(aligned=True, sampling_ratio=2)` elsewhere). scale: from
    box pixels to cells of the map (1/4 for features at stride 4).
    """
    channels, height, width = features.shape
    if len(boxes) == 0:  # grid_sample refuses an empty grid
        return features.new_zeros(0, channels, size, size)
    points = 2 * size
    steps = (torch.arange(points, device=boxes.device, dtype=boxes.dtype) + 0.5) / points
    start, end = boxes[:, :2] * scale - 0.5, boxes[:, 2:] * scale - 0.5
    position = start[:, None] + steps[:, None] * (end - start)[:, None]  # [R, 2 size, (y, x)]
    y = position[:, :, None, 0].expand(-1, -1, points)
    x = position[:, None, :, 1].expand(-1, points, -1)
    inside = (y >= 0) & (y <= height - 1) & (x >= 0) & (x <= width - 1)
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    tall = grid.reshape(1, -1, points, 2)  # all boxes below one another: one call
    sampled = F.grid_sample(features[None], tall, padding_mode="border", align_corners=True)
    sampled = sampled.reshape(channels, len(boxes), points, points).transpose(0, 1) * inside[:, None]
    return F.avg_pool2d(sampled, 2)
