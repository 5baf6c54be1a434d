"""The flow-guided warp W of the ATEN paper (Eq. 2): backward bilinear sampling, with three border rules.

    aten    0 outside 0 <= x < W, 0 <= y < H; between W-1 and W (H-1 and H) the last column (row) repeats.
            The released CUDA op, forward and backward.
    zeros   a corner outside the map counts as 0, so that the edge fades over one cell. Deep Feature Flow and
            FGFA (MXNet's BilinearSampler).
    clamp   a position outside the map is moved to its edge (FlowNet 2's resample2d).

Within 0 <= x <= W-1, 0 <= y <= H-1 the three are equal.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vipbench.baselines.nn.options import known


def warp(features: Tensor, flow: Tensor, scale: Tensor | None = None, border: str = "aten") -> Tensor:
    """out(y, x) = features(y + v, x + u) * scale(y, x), bilinear; [N, C, H, W].

    features: float [N, C, H, W] of the reference frame. flow: float [N, 2, H, W], (u, v) in cells of this
    grid, from the target into the reference; positions are float32 at least. scale: [N, C, H, W], or None
    for 1. A flow that is not a number gives 0. Raises UserError for an unknown border rule.
    """
    height, width = features.shape[2:]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    sample = BORDERS[known("border rule of the warp", border, BORDERS)]
    warped = sample(features, columns + flow[:, 0], rows[:, None] + flow[:, 1])
    return warped if scale is None else warped * scale


def _aten(features: Tensor, x: Tensor, y: Tensor) -> Tensor:
    height, width = features.shape[2:]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return _sample(features, torch.where(inside, x, 0), torch.where(inside, y, 0)) * inside[:, None]


def _zeros(features: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sampling in a frame of zeros one cell wide: also right for a map of one row or column."""
    height, width = features.shape[2:]
    framed = F.pad(features, (1, 1, 1, 1))
    return _sample(framed, _limit(x, -1, width) + 1, _limit(y, -1, height) + 1)


def _clamp(features: Tensor, x: Tensor, y: Tensor) -> Tensor:
    height, width = features.shape[2:]
    known = ~(x.isnan() | y.isnan())
    return _sample(features, _limit(x, 0, width - 1), _limit(y, 0, height - 1)) * known[:, None]


def _limit(position: Tensor, low: float, high: float) -> Tensor:
    return position.nan_to_num(low, high, low).clamp(low, high)


def _sample(features: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear samples at positions within the map, [N, H, W] each."""
    height, width = features.shape[2:]
    # max(..., 1): a map of one row or column has the single normalised position 0.
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    sampled = F.grid_sample(
        features.to(grid.dtype), grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return sampled.to(features.dtype)


BORDERS = {"aten": _aten, "zeros": _zeros, "clamp": _clamp}
