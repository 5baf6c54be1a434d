"""N_parse: what turns a feature map at stride 4 into people and parts (or into an object mask)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.nn import boxes as bx
from vipbench.baselines.nn.mask import MaskHead
from vipbench.baselines.nn.roi import roi_align
from vipbench.baselines.nn.targets import RoiTargets, Truth, anchor_targets, roi_targets
from vipbench.baselines.presets import HeadSizes

Window = tuple[float, float, float, float]


def upsample(logits: Tensor, stride: int = 4) -> Tensor:
    """Bilinear, with cell i at pixel stride * i, where the strided convolutions centre it.

    The same as TF1's resize with align_corners=False, which the released graph uses; the last
    stride - 1 rows and columns repeat the last cell.
    """
    height, width = ((n - 1) * stride + 1 for n in logits.shape[2:])
    exact = F.interpolate(logits, (height, width), mode="bilinear", align_corners=True)
    return F.pad(exact, (0, stride - 1, 0, stride - 1), mode="replicate")


class AtrousClassifier(nn.Module):
    """Parallel atrous 3x3 convolutions to class logits, summed; upsampled to the canvas."""

    def __init__(self, channels: int, classes: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.atrous = nn.ModuleList(nn.Conv2d(channels, classes, 3, padding=r, dilation=r) for r in rates)

    def forward(self, features: Tensor) -> Tensor:
        return upsample(torch.stack([conv(features) for conv in self.atrous]).sum(0))


def _trunk(channels: int) -> nn.Sequential:
    layers = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)]
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU())


class RPN(nn.Module):
    """Features -> (logits [N, anchors, 2] of background and person, deltas [N, anchors, 4])."""

    def __init__(self, channels: int, width: int, per_cell: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.score = nn.Conv2d(width, 2 * per_cell, 1)
        self.delta = nn.Conv2d(width, 4 * per_cell, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.conv(features))
        n = len(x)
        return (
            self.score(x).permute(0, 2, 3, 1).reshape(n, -1, 2),
            self.delta(x).permute(0, 2, 3, 1).reshape(n, -1, 4),
        )


class BoxHead(nn.Module):
    """RoIs [R, C, 7, 7] -> (logits [R, 2], deltas of the person class [R, 4])."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, width, 7), nn.Conv2d(width, width, 1)
        self.score, self.delta = nn.Linear(width, 2), nn.Linear(width, 2 * 4)

    def forward(self, rois: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.fc2(F.relu(self.fc1(rois)))).flatten(1)
        return self.score(x), self.delta(x)[:, 4:]


@dataclass(frozen=True)
class Detections:
    """Persons of one image by falling score: boxes [D, 4] in canvas pixels, scores [D], masks [D, 28, 28]."""

    boxes: Tensor
    scores: Tensor
    masks: Tensor


class ParsingRCNN(nn.Module):
    """The VIP head: global parsing and Mask R-CNN on one feature map (ATEN paper section 3.4)."""

    def __init__(self, channels: int, classes: int, sizes: HeadSizes) -> None:
        super().__init__()
        self.sizes = sizes
        # Batch statistics at inference are over all slots, as released: unused ones are zero.
        self.slots = sizes.detections if sizes.mask_norm == "batch" else 0
        self.parsing = AtrousClassifier(channels, classes, sizes.rates)
        # Two convolutions before the RPN and two before the RoI heads, as released; the paper omits them.
        self.rpn_trunk, self.roi_trunk = _trunk(channels), _trunk(channels)
        self.rpn = RPN(channels, sizes.rpn, len(sizes.scales) * len(sizes.ratios))
        self.box = BoxHead(channels, sizes.box)
        self.mask = MaskHead(channels, sizes.mask, sizes.mask_side, sizes.mask_norm)

    def anchors(self, features: Tensor) -> Tensor:
        """All anchors of a feature map [N, C, H, W]."""
        height, width = features.shape[2:]
        return bx.anchors(height, width, self.sizes.scales, self.sizes.ratios).to(features.device)

    def proposals(self, logits: Tensor, deltas: Tensor, anchors: Tensor, canvas: tuple[int, int]) -> Tensor:
        """RPN output of one image -> at most `proposals` (`train_proposals`) boxes on the canvas."""
        s = self.sizes
        top_k, count = (s.train_top_k, s.train_proposals) if self.training else (s.top_k, s.proposals)
        scores = logits.softmax(-1)[:, 1]
        top = scores.topk(min(top_k, len(scores))).indices
        boxes = bx.clip(bx.decode(deltas[top], anchors[top]), (0, 0, *canvas))
        return boxes[bx.nms(boxes, scores[top], s.rpn_nms, count)]

    def losses(
        self, features: Tensor, truths: Sequence[Truth], generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The terms of Eq. 7, each a mean over the batch; the RPN's two terms are implied by it."""
        category = torch.stack([t.category for t in truths])
        anchors, canvas = self.anchors(features), (category.shape[1], category.shape[2])
        parsing = self.parsing(features)
        logits, deltas = self.rpn(self.rpn_trunk(features))
        trunk = self.roi_trunk(features)
        rpn, rois = [], []
        for truth, scores, moves in zip(truths, logits, deltas, strict=True):
            chosen, labels, wanted = anchor_targets(anchors, truth.boxes, self.sizes.anchors, generator)
            rpn.append((scores[chosen], labels, moves[chosen[: len(wanted)]], wanted))
            with torch.no_grad():
                proposals = self.proposals(scores, moves, anchors, canvas)
            rois.append(roi_targets(proposals, truth, self.sizes.rois, generator))
        found, labels, moved, wanted = (torch.cat(terms) for terms in zip(*rpn, strict=True))
        return {
            "parsing": F.cross_entropy(parsing, category, ignore_index=255),
            "rpn_class": F.cross_entropy(found, labels),
            "rpn_box": _smooth_l1(moved, wanted),
        } | self._roi_losses(trunk, rois)

    def _roi_losses(self, trunk: Tensor, targets: Sequence[RoiTargets]) -> dict[str, Tensor]:
        """Class and box terms over the sampled RoIs, the mask term over the positive ones."""
        small = torch.cat([roi_align(m, t.boxes, 7, 0.25) for m, t in zip(trunk, targets, strict=True)])
        scores, moves = self.box(small)
        labels = torch.cat([t.labels for t in targets])
        wanted = torch.cat([t.deltas for t in targets])
        masks = torch.cat([t.masks for t in targets])
        positives = [t.boxes[: len(t.deltas)] for t in targets]
        large = torch.cat([roi_align(m, b, 14, 0.25) for m, b in zip(trunk, positives, strict=True)])
        # Batch norm cannot average over no RoI at all.
        mask = (
            F.binary_cross_entropy_with_logits(self.mask(large)[:, 1], masks) if len(large) else large.sum()
        )
        return {
            "class": F.cross_entropy(scores, labels),
            "box": _smooth_l1(moves[labels == 1], wanted),
            "mask": mask,
        }

    def detect(self, features: Tensor, window: Window) -> tuple[Detections, Tensor]:
        """One image [1, C, H, W] -> its persons, and class probabilities [classes, canvas]."""
        logits, deltas = self.rpn(self.rpn_trunk(features))
        canvas = (features.shape[2] * 4, features.shape[3] * 4)
        proposals = self.proposals(logits[0], deltas[0], self.anchors(features), canvas)
        trunk = self.roi_trunk(features)[0]
        scores, moves = self.box(roi_align(trunk, proposals, 7, 0.25))
        person = scores.softmax(-1)[:, 1]
        keep = (person >= self.sizes.score).nonzero().flatten()
        found = bx.clip(bx.decode(moves[keep], proposals[keep]), window)
        keep_nms = bx.nms(found, person[keep], self.sizes.nms, self.sizes.detections)
        found, person = found[keep_nms], person[keep][keep_nms]
        masks = self.person_masks(trunk, found)
        return Detections(found, person, masks), self.parsing(features)[0].softmax(0)

    def person_masks(self, trunk: Tensor, boxes: Tensor) -> Tensor:
        """One image's trunk [C, H, W] and boxes [D, 4] -> probabilities [D, 28, 28]."""
        rois = roi_align(trunk, boxes, 14, 0.25)
        empty = rois.new_zeros(max(self.slots - len(rois), 0), *rois.shape[1:])
        masks: Tensor = self.mask(torch.cat([rois, empty]))[: len(boxes), 1].sigmoid()
        return masks


def _smooth_l1(found: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1 (beta 1), mean over all coordinates of the positives; 0 without positives."""
    return F.smooth_l1_loss(found, wanted) if len(wanted) else found.sum()
