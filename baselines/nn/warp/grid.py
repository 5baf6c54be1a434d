"""The warp by torch's grid_sample: what the networks are trained with."""

import torch
import torch.nn.functional as F
from torch import Tensor


def by_grid_sample(
    features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
) -> Tensor:
    """Positions lose up to 8e-6 cells in float32: grid_sample wants them between -1 and 1."""
    height, width = features.shape[2:]
    features = features if keys is None else features[keys]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    warped = SAMPLERS[border](features, columns + flow[:, 0], rows[:, None] + flow[:, 1])
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


SAMPLERS = {"aten": _aten, "zeros": _zeros, "clamp": _clamp}
