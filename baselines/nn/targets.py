"""What the heads are asked to learn: anchor and RoI targets of one image (Mask R-CNN's assignment)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vipbench.baselines.nn.boxes import encode, iou
from vipbench.baselines.nn.roi import roi_align
from vipbench.baselines.presets import Targets


@dataclass(frozen=True)
class Truth:
    """Ground truth of one image on its canvas.

    category: int64 [H, W], 255 = ignored. masks: float 0/1 [G, H, W], one a person. boxes: [G, 4].
    """

    category: Tensor
    masks: Tensor
    boxes: Tensor

    def to(self, device: torch.device) -> Truth:
        """The same on another device."""
        return Truth(self.category.to(device), self.masks.to(device), self.boxes.to(device))


def _labels(positive: Tensor, negative: Tensor) -> Tensor:
    """1 for each positive, then 0 for each negative."""
    return torch.cat([torch.ones_like(positive), torch.zeros_like(negative)])


def _sample(pool: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` of the indices where pool is True, drawn without replacement; the generator is on the CPU."""
    found = pool.nonzero().flatten()
    drawn = torch.randperm(len(found), generator=generator)[:count]
    return found[drawn.to(found.device)]


def anchor_targets(
    anchors: Tensor, boxes: Tensor, rule: Targets, std: Sequence[float], generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """(indices, labels 0/1, deltas of the positive ones) of the sampled anchors.

    Positive: enough IoU with a person, or a person's best anchor. Negative: little IoU with all. std: of the
    deltas.
    """
    count = rule.anchors
    if len(boxes) == 0:
        chosen = _sample(torch.ones_like(anchors[:, 0], dtype=torch.bool), count, generator)
        return chosen, torch.zeros_like(chosen), anchors.new_zeros(0, 4)
    overlap = iou(anchors, boxes)
    best, owner = overlap.max(1)
    positive = best >= rule.anchor_positive
    top = overlap.argmax(0)
    positive[top] = True
    owner[top] = torch.arange(len(boxes), device=owner.device)
    chosen = _sample(positive, int(count * rule.anchor_share), generator)
    negative = _sample((best < rule.anchor_negative) & ~positive, count - len(chosen), generator)
    return (
        torch.cat([chosen, negative]),
        _labels(chosen, negative),
        encode(boxes[owner[chosen]], anchors[chosen], std),
    )


@dataclass(frozen=True)
class RoiTargets:
    """Sampled RoIs [R, 4], positive ones first; labels [R]; and for the P positive ones deltas [P, 4] and
    28x28 masks [P, 28, 28] of 0 and 1."""

    boxes: Tensor
    labels: Tensor
    deltas: Tensor
    masks: Tensor


def roi_targets(
    proposals: Tensor, truth: Truth, rule: Targets, std: Sequence[float], generator: torch.Generator
) -> RoiTargets:
    """Sample RoIs for the heads: negative ones in proportion to the positive ones. std: of the deltas.

    Where few are positive there are `roi_least` negative ones all the same, so that the class loss has some;
    the released code fills up with empty slots and counts them as background.
    """
    if len(truth.boxes):
        best, owner = iou(proposals, truth.boxes).max(1)
    else:
        best, owner = (
            proposals.new_zeros(len(proposals)),
            proposals.new_zeros(len(proposals), dtype=torch.long),
        )
    positive = _sample(best >= rule.roi_positive, int(rule.rois * rule.roi_share), generator)
    wanted = max(int(len(positive) / rule.roi_share) - len(positive), int(rule.rois * rule.roi_least))
    negative = _sample(best < rule.roi_positive, wanted, generator)
    owner = owner[positive]
    boxes = proposals[positive]
    masks = [
        roi_align(truth.masks[o][None], b[None], 28, 1.0)[0, 0] for o, b in zip(owner, boxes, strict=True)
    ]
    return RoiTargets(
        boxes=torch.cat([boxes, proposals[negative]]),
        labels=_labels(positive, negative),
        deltas=encode(truth.boxes[owner], boxes, std) if len(owner) else boxes.new_zeros(0, 4),
        masks=(torch.stack(masks) >= 0.5).to(boxes.dtype) if masks else boxes.new_zeros(0, 28, 28),
    )
