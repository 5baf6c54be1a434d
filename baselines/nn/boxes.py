"""Boxes (y1, x1, y2, x2) in canvas pixels, float [N, 4]: coding, overlap, suppression, anchors."""

from collections.abc import Sequence

import torch
from torch import Tensor


def anchors(
    height: int, width: int, scales: Sequence[float], ratios: Sequence[float], stride: int = 4
) -> Tensor:
    """Anchors of a feature map [height, width], float [height * width * A, 4].

    h = s / sqrt(r), w = s * sqrt(r); in a cell ratio-major, scale-minor; centre (stride * row,
    stride * column) without a half-cell offset (ATEN paper's released graph).
    """
    r, s = (
        t.flatten() for t in torch.meshgrid(torch.tensor(ratios), torch.tensor(scales).float(), indexing="ij")
    )
    half = torch.stack([s / r.sqrt(), s * r.sqrt()], 1) / 2
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.stack([rows, columns], -1).reshape(-1, 1, 2) * float(stride)
    return torch.cat([centres - half, centres + half], -1).reshape(-1, 4)


def encode(boxes: Tensor, references: Tensor, std: Sequence[float]) -> Tensor:
    """(dy, dx, log dh, log dw) / std that turns each reference into its box, [N, 4]."""
    size, centre = references[:, 2:] - references[:, :2], (references[:, 2:] + references[:, :2]) / 2
    target, middle = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    deltas = torch.cat([(middle - centre) / size, (target / size).log()], 1)
    return deltas / deltas.new_tensor(std)


def decode(deltas: Tensor, references: Tensor, std: Sequence[float]) -> Tensor:
    """The inverse of `encode`. Sizes are limited to e^4 times the reference, so that none overflows."""
    deltas = deltas * deltas.new_tensor(std)
    size, centre = references[:, 2:] - references[:, :2], (references[:, 2:] + references[:, :2]) / 2
    middle = centre + deltas[:, :2] * size
    half = size * deltas[:, 2:].clamp(max=4).exp() / 2
    return torch.cat([middle - half, middle + half], 1)


def clip(boxes: Tensor, window: tuple[float, float, float, float]) -> Tensor:
    """Boxes cut to the window (y1, x1, y2, x2)."""
    y1, x1, y2, x2 = window
    lower = boxes.new_tensor([y1, x1, y1, x1])
    upper = boxes.new_tensor([y2, x2, y2, x2])
    return boxes.clamp(lower, upper)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of each pair, [len(a), len(b)]; 0 where both are empty."""
    overlap = (
        torch.minimum(a[:, None, 2:], b[None, :, 2:]) - torch.maximum(a[:, None, :2], b[None, :, :2])
    ).clamp(min=0)
    inter = overlap.prod(-1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(-1), (b[:, 2:] - b[:, :2]).prod(-1)
    return inter / (area_a[:, None] + area_b[None] - inter).clamp(min=1e-9)


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Greedy non-maximum suppression: kept indices by falling score, at most `limit`.

    A box is suppressed if its IoU with a kept one is > threshold. Equal scores keep their order.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    boxes = boxes[order]
    alive = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    kept: list[int] = []
    for i in range(len(order)):
        if len(kept) == limit:
            break
        if alive[i]:
            kept.append(i)
            alive &= iou(boxes[i : i + 1], boxes)[0] <= threshold
    return order[torch.as_tensor(kept, dtype=torch.long, device=order.device)]
