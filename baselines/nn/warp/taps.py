"""The warp's definition: each output cell is the weighted sum of four cells of the reference.

Plain torch in the precision of the flow (float32 at least), slow and without tricks; float64 in, float64 out.
"""

from typing import NamedTuple

import torch
from torch import Tensor

BORDERS = ("aten", "zeros", "clamp")
"""The border rules; the kernels count them in this order."""


class Axis(NamedTuple):
    """The two cells around each position along one axis, [2, N, H, W] each.

    cell: int64, within the map. weight: 1 - a and a, for a the way from the first to the second. slope: the
    weights' derivatives by the position, 0 where it lies beyond the border rule's reach.
    """

    cell: Tensor
    weight: Tensor
    slope: Tensor


class Taps(NamedTuple):
    """The four neighbours of each position: along y outermost, then x. seen: bool [N, H, W], else 0."""

    x: Axis
    y: Axis
    seen: Tensor

    def cells(self, width: int) -> Tensor:
        """int64 [4, N, H, W], y * width + x."""
        return (self.y.cell[:, None] * width + self.x.cell).flatten(0, 1)

    def weights(self) -> Tensor:
        """[4, N, H, W]."""
        return self._product(self.y.weight, self.x.weight)

    def slopes(self) -> tuple[Tensor, Tensor]:
        """The weights' derivatives by u and by v, [4, N, H, W] each."""
        return self._product(self.y.weight, self.x.slope), self._product(self.y.slope, self.x.weight)

    def _product(self, down: Tensor, across: Tensor) -> Tensor:
        return (down[:, None] * across).flatten(0, 1) * self.seen


def taps(flow: Tensor, border: str) -> Taps:
    """What a flow [N, 2, H, W], (u, v), reads under a border rule; float32 at least."""
    height, width = flow.shape[2:]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    seen = inside if border == "aten" else ~(x.isnan() | y.isnan())
    return Taps(_axis(x, width, border), _axis(y, height, border), seen)


def _axis(position: Tensor, size: int, border: str) -> Axis:
    reach = int(border == "zeros")  # cells beyond the map, of value 0
    low, high = -reach, size - 1 + reach
    held = position.nan_to_num(low, high, low).clamp(low, high)
    first = held.detach().floor()
    part = held - first
    cell = torch.stack([first, first + 1]).long()
    there = ((cell >= 0) & (cell < size)) if reach else torch.ones_like(cell, dtype=torch.bool)
    slope = (held == position).to(part.dtype)
    return Axis(
        cell.clamp(0, size - 1), torch.stack([1 - part, part]) * there, torch.stack([-slope, slope]) * there
    )


def reference(
    features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
) -> Tensor:
    """The warp as it is defined, differentiable by autograd."""
    found = taps(flow, border)
    features = features if keys is None else features[keys]
    n, c, height, width = features.shape
    cells = found.cells(width).transpose(0, 1).reshape(n, 1, -1).expand(-1, c, -1)
    values = features.flatten(2).gather(2, cells).view(n, c, 4, height, width)
    warped: Tensor = (values * found.weights().transpose(0, 1)[:, None]).sum(2).to(features.dtype)
    return warped if scale is None else warped * scale


def gradients(
    grad: Tensor, features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the reference, written out: by features, flow and scale (empty without one).

    With g the output's gradient, w_k the weights and F_k the cells: dF_k += g S w_k; dS = g sum_k w_k F_k;
    du = sum_c g S sum_k F_k dw_k/du, and dv the same.
    """
    found = taps(flow, border)
    n, _, height, width = grad.shape
    first = torch.arange(n, device=grad.device) if keys is None else keys
    cells = (found.cells(width) + (first * height * width)[:, None, None]).flatten(1)
    weights, (across, down) = found.weights().flatten(1), (slope.flatten(1) for slope in found.slopes())
    rows, into = _rows(features).to(weights.dtype), _rows(grad).to(weights.dtype)
    scaled = into if scale is None else into * _rows(scale)
    values = [rows[cell] for cell in cells]
    moved = torch.zeros_like(rows)
    for cell, weight in zip(cells, weights, strict=True):
        moved = moved.index_add(0, cell, scaled * weight[:, None])
    along = torch.stack([(scaled * value).sum(1) for value in values])
    bent = torch.stack([(along * across).sum(0), (along * down).sum(0)], 1)
    warped = sum(
        (value * w[:, None] for value, w in zip(values, weights, strict=True)), torch.zeros_like(into)
    )
    return (
        _maps(moved, features).to(features.dtype),
        bent.view(n, height, width, 2).permute(0, 3, 1, 2).to(flow.dtype),
        grad.new_empty(0) if scale is None else _maps(into * warped, scale).to(scale.dtype),
    )


def _rows(maps: Tensor) -> Tensor:
    """[N, C, H, W] -> [N * H * W, C]; a view of channels-last maps."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _maps(rows: Tensor, like: Tensor) -> Tensor:
    n, c, height, width = like.shape
    return rows.view(n, height, width, c).permute(0, 3, 1, 2)
