"""The flow-guided warp W of the ATEN paper (Eq. 2): backward bilinear sampling.

The border rule is that of the released CUDA op: a position outside 0 <= x < W, 0 <= y < H gives 0, and
between W-1 and W (H-1 and H) the last column (row) is repeated.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """out(y, x) = features(y + v, x + u), bilinear; [N, C, H, W].

    features: float [N, C, H, W] of the reference frame. flow: float [N, 2, H, W], (u, v) in cells of this
    grid, from the target into the reference. A flow that is not finite gives 0.
    """
    height, width = features.shape[2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    x = columns + flow[:, 0]
    y = rows[:, None] + flow[:, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = torch.where(inside, x, 0), torch.where(inside, y, 0)
    # max(..., 1): a map of one row or column has the single normalised position 0.
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    sampled = F.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return sampled * inside[:, None]
