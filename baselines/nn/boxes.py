"""Boxes (y1, x1, y2, x2) in canvas pixels, float [N, 4]: coding, overlap, anchors."""

from collections.abc import Sequence

import torch
from torch import Tensor

Window = tuple[float, float, float, float]
"""(y1, x1, y2, x2)."""


def anchors(
    height: int,
    width: int,
    scales: Sequence[float],
    ratios: Sequence[float],
    stride: int = 4,
    device: torch.device | None = None,
) -> Tensor:
    """Anchors of a feature map [height, width], float [height * width * A, 4].

    h = s / sqrt(r), w = s * sqrt(r); in a cell ratio-major, scale-minor; centre (stride * row,
    stride * column) without a half-cell offset (ATEN paper's released graph).
    """
    r, s = (
        t.flatten() for t in torch.meshgrid(torch.tensor(ratios), torch.tensor(scales).float(), indexing="ij")
    )
    half = (torch.stack([s / r.sqrt(), s * r.sqrt()], 1) / 2).to(device, non_blocking=True)
    down, across = (torch.arange(size, device=device) for size in (height, width))
    rows, columns = torch.meshgrid(down, across, indexing="ij")
    centres = torch.stack([rows, columns], -1).reshape(-1, 1, 2) * float(stride)
    return torch.cat([centres - half, centres + half], -1).reshape(-1, 4)


def constant(values: Sequence[float] | Sequence[Sequence[float]], like: Tensor) -> Tensor:
    """Numbers of the type of `like` and on its device, without waiting for it as new_tensor does."""
    return torch.tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)


def encode(boxes: Tensor, references: Tensor, std: Sequence[float]) -> Tensor:
    """(dy, dx, log dh, log dw) / std that turns each reference into its box, [N, 4]."""
    size, centre = references[:, 2:] - references[:, :2], (references[:, 2:] + references[:, :2]) / 2
    target, middle = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    deltas = torch.cat([(middle - centre) / size, (target / size).log()], 1)
    return deltas / constant(std, deltas)


def decode(deltas: Tensor, references: Tensor, std: Sequence[float]) -> Tensor:
    """The inverse of `encode`, [..., 4]. Sizes are at most e^4 times the reference's: none overflows."""
    deltas = deltas * constant(std, deltas)
    low, high = references[..., :2], references[..., 2:]
    size, centre = high - low, (high + low) / 2
    middle = centre + deltas[..., :2] * size
    half = size * deltas[..., 2:].clamp(max=4).exp() / 2
    return torch.cat([middle - half, middle + half], -1)


def clip(boxes: Tensor, window: Window | Sequence[Window]) -> Tensor:
    """Boxes [..., 4] cut to the window (y1, x1, y2, x2); or [N, R, 4], each image's to its own."""
    lower, upper = constant(window, boxes)[..., None, :].chunk(2, -1)
    return boxes.clamp(torch.cat([lower, lower], -1), torch.cat([upper, upper], -1))


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of each pair, [len(a), len(b)]; 0 where both are empty."""
    # An axis at a time: the overlaps of 6,000 boxes with each other are 144 MB.
    height, width = (_shared(a[:, axis::2], b[:, axis::2]) for axis in range(2))
    inter = height * width
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(-1), (b[:, 2:] - b[:, :2]).prod(-1)
    return inter / (area_a[:, None] + area_b[None] - inter).clamp(min=1e-9)


def _shared(a: Tensor, b: Tensor) -> Tensor:
    """Length of each pair of spans [A, 2] and [B, 2] in common, [A, B]."""
    start, end = torch.maximum(a[:, None, 0], b[None, :, 0]), torch.minimum(a[:, None, 1], b[None, :, 1])
    return (end - start).clamp(min=0)
