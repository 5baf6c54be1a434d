"""N_parse: what turns a feature map at stride 4 into people and parts (or into an object mask)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.nn import boxes as bx
from vipbench.baselines.nn.boxes import Window
from vipbench.baselines.nn.mask import MaskHead
from vipbench.baselines.nn.nms import ROUNDS, nms, nms_batch
from vipbench.baselines.nn.precision import exact, full
from vipbench.baselines.nn.roi import roi_align
from vipbench.baselines.nn.targets import RoiTargets, Truth, anchor_targets, roi_targets
from vipbench.baselines.presets import HeadSizes, Targets


def upsample(logits: Tensor, stride: int = 4) -> Tensor:
    """Bilinear, with cell i at pixel stride * i, where the strided convolutions centre it.

    The same as TF1's resize with align_corners=False, which the released graph uses; the last
    stride - 1 rows and columns repeat the last cell.
    """
    height, width = ((n - 1) * stride + 1 for n in logits.shape[2:])
    exact = F.interpolate(logits, (height, width), mode="bilinear", align_corners=True)
    return F.pad(exact, (0, stride - 1, 0, stride - 1), mode="replicate")


class Atrous(nn.ModuleList):
    """Atrous 3x3 convolutions of the same maps, summed; not in bfloat16."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([exact(conv(x)) for conv in self]).sum(0)


class AtrousByTaps(nn.Module):
    """The same as one matrix product, which so few outputs take better, and a sum over shifted maps.

    A convolution's tap is a 1x1 convolution whose result is added where the tap looks from. F.fold does that,
    too, but takes longer for few classes on large maps.
    """

    bias: Tensor

    def __init__(self, convs: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.rates = [int(conv.dilation[0]) for conv in convs]
        taps = torch.cat([conv.weight.flip(2, 3).permute(2, 3, 0, 1).flatten(0, 2) for conv in convs])
        self.taps = nn.Linear(taps.shape[1], len(taps), bias=False, device="meta")  # draws no numbers
        self.taps.weight = nn.Parameter(taps.detach())
        biases = [taps.new_zeros(convs[0].out_channels), *(c.bias for c in convs if c.bias is not None)]
        self.register_buffer("bias", torch.stack(biases).sum(0).detach()[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        n, (height, width), most = len(x), x.shape[2:], max(self.rates)
        rows = x.permute(0, 2, 3, 1).flatten(0, 2)
        # Turned, so that each tap gives maps; a 1x1 convolution of channels-last maps would give rows.
        maps = (self.taps.weight @ rows.T).view(len(self.rates), 9, -1, n, height, width)
        summed = exact(maps.new_zeros(n, maps.shape[2], height + 2 * most, width + 2 * most))
        for rate, taps in zip(self.rates, maps, strict=True):
            for tap, shift in zip(taps, product((-rate, 0, rate), repeat=2), strict=True):
                top, left = (most + s for s in shift)
                summed[..., top : top + height, left : left + width] += tap.transpose(0, 1)
        return summed[..., most:-most, most:-most] + self.bias


class AtrousClassifier(nn.Module):
    """Features -> class logits, by the sum of parallel atrous convolutions, upsampled to the canvas."""

    def __init__(self, channels: int, classes: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.atrous: nn.Module = Atrous(nn.Conv2d(channels, classes, 3, padding=r, dilation=r) for r in rates)

    def forward(self, features: Tensor) -> Tensor:
        return upsample(self.atrous(features))


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
            full(self.score, x).permute(0, 2, 3, 1).reshape(n, -1, 2),
            full(self.delta, x).permute(0, 2, 3, 1).reshape(n, -1, 4),
        )


class BoxHead(nn.Module):
    """RoIs [R, C, 7, 7] -> (logits [R, 2], deltas of the person class [R, 4])."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, width, 7), nn.Conv2d(width, width, 1)
        self.score, self.delta = nn.Linear(width, 2), nn.Linear(width, 2 * 4)

    def forward(self, rois: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.fc2(F.relu(self.fc1(rois)))).flatten(1)
        return full(self.score, x), full(self.delta, x)[:, 4:]


@dataclass(frozen=True)
class Detections:
    """Persons of one image by falling score: boxes [D, 4] in canvas pixels, scores [D], masks [D, 28, 28]."""

    boxes: Tensor
    scores: Tensor
    masks: Tensor


class ParsingRCNN(nn.Module):
    """The VIP head: global parsing and Mask R-CNN on one feature map (ATEN paper section 3.4)."""

    def __init__(self, channels: int, classes: int, sizes: HeadSizes, targets: Targets) -> None:
        super().__init__()
        self.sizes, self.targets = sizes, targets
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
        return bx.anchors(height, width, self.sizes.scales, self.sizes.ratios, device=features.device)

    def candidates(
        self, logits: Tensor, deltas: Tensor, anchors: Tensor, canvas: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """RPN output -> its `top_k` (`train_top_k`) boxes [N, K, 4] on the canvas and their scores [N, K]."""
        most = self.sizes.train_top_k if self.training else self.sizes.top_k
        scores, top = logits.softmax(-1)[..., 1].topk(min(most, len(anchors)))
        moves = _picked(deltas, top)
        return bx.clip(bx.decode(moves, anchors[top], self.sizes.box_std), (0, 0, *canvas)), scores

    def proposals(self, logits: Tensor, deltas: Tensor, anchors: Tensor, canvas: tuple[int, int]) -> Tensor:
        """RPN output of one image -> at most `proposals` (`train_proposals`) boxes on the canvas."""
        boxes, scores = (each[0] for each in self.candidates(logits[None], deltas[None], anchors, canvas))
        count = self.sizes.train_proposals if self.training else self.sizes.proposals
        return boxes[nms(boxes, scores, self.sizes.rpn_nms, count)]

    def losses(
        self, features: Tensor, truths: Sequence[Truth], draws: Sequence[torch.Generator]
    ) -> dict[str, Tensor]:
        """The terms of Eq. 7; the RPN's two terms are implied by it.

        Each is the mean over the images of its mean in one image, and each image has draws of its own, so
        that a batch may be divided among processes.
        """
        category = torch.stack([t.category for t in truths])
        anchors, canvas = self.anchors(features), (category.shape[1], category.shape[2])
        logits, deltas = map(exact, self.rpn(self.rpn_trunk(features)))
        std, terms, rois = self.sizes.box_std, [], []
        for truth, scores, moves, draw in zip(truths, logits, deltas, draws, strict=True):
            chosen, labels, wanted = anchor_targets(anchors, truth.boxes, self.targets, std, draw)
            moved = moves[chosen[: len(wanted)]]
            terms.append(
                {"rpn_class": F.cross_entropy(scores[chosen], labels), "rpn_box": _smooth_l1(moved, wanted)}
            )
            with torch.no_grad():
                proposals = self.proposals(scores, moves, anchors, canvas)
            rois.append(roi_targets(proposals, truth, self.targets, std, draw))
        parsing = pixel_loss(self.parsing(features), category)
        return {"parsing": parsing} | _means(terms) | self._roi_losses(self.roi_trunk(features), rois)

    def _roi_losses(self, trunk: Tensor, targets: Sequence[RoiTargets]) -> dict[str, Tensor]:
        """Class and box terms over an image's sampled RoIs, the mask term over its positive ones."""
        counts, positives = [len(t.labels) for t in targets], [len(t.deltas) for t in targets]
        small = torch.cat([roi_align(m, t.boxes, 7, 0.25) for m, t in zip(trunk, targets, strict=True)])
        boxes = [t.boxes[:p] for t, p in zip(targets, positives, strict=True)]
        large = torch.cat([roi_align(m, b, 14, 0.25) for m, b in zip(trunk, boxes, strict=True)])
        scores, moves = map(exact, self.box(small))
        # Batch norm cannot average over no RoI at all.
        masks = exact(self.mask(large)[:, 1] if len(large) else large.new_zeros(0, 28, 28))
        by_image = (torch.split(scores, counts), torch.split(moves, counts), torch.split(masks, positives))
        return _means(
            [
                {
                    "class": F.cross_entropy(score, t.labels),
                    "box": _smooth_l1(move[: len(t.deltas)], t.deltas),
                    "mask": F.binary_cross_entropy_with_logits(mask, t.masks) if len(mask) else mask.sum(),
                }
                for t, score, move, mask in zip(targets, *by_image, strict=True)
            ]
        )

    def detect(self, features: Tensor, windows: Sequence[Window]) -> tuple[list[Detections], Tensor]:
        """Images [N, C, H, W] -> the persons of each, and class probabilities [N, classes, canvas].

        windows: where each image's photo lies on the canvas; persons are clipped to it. One wait for the
        device, and one a batch whose suppressions are in long chains.
        """
        trunk, canvas = self.roi_trunk(features), (features.shape[2] * 4, features.shape[3] * 4)
        logits, deltas = self.rpn(self.rpn_trunk(features))
        candidates = self.candidates(logits, deltas, self.anchors(features), canvas)
        people, settled = self._people(*candidates, trunk, windows, ROUNDS)
        if not settled:
            people, _ = self._people(*candidates, trunk, windows, None)
        masks = self.person_masks(trunk, [boxes for boxes, _ in people])
        found = [Detections(*person, mask) for person, mask in zip(people, masks, strict=True)]
        return found, self.parsing(features).softmax(1)

    def _people(
        self, boxes: Tensor, scores: Tensor, trunk: Tensor, windows: Sequence[Window], rounds: int | None
    ) -> tuple[list[tuple[Tensor, Tensor]], bool]:
        """Candidates -> boxes and scores of each image's persons; whether NMS has settled (`nms_batch`)."""
        s = self.sizes
        first = nms_batch(
            boxes, scores, torch.ones_like(scores, dtype=torch.bool), s.rpn_nms, s.proposals, rounds
        )
        proposals = _picked(boxes, first.indices)
        rois = torch.cat([roi_align(m, b, 7, 0.25) for m, b in zip(trunk, proposals, strict=True)])
        logits, moves = (each.unflatten(0, first.indices.shape) for each in self.box(rois))
        person = logits.softmax(-1)[..., 1]
        found = bx.clip(bx.decode(moves, proposals, s.box_std), windows)
        seen = first.there & (person >= s.score)
        kept = nms_batch(found, person, seen, s.nms, s.detections, rounds)
        found, person = _picked(found, kept.indices), person.gather(1, kept.indices)
        settled = first.settled & kept.settled
        *counts, done = torch.cat([kept.there.sum(1), settled[None]]).tolist()  # the wait
        return [(f[:n], p[:n]) for f, p, n in zip(found, person, counts, strict=True)], bool(done)

    def person_masks(self, trunk: Tensor, boxes: Sequence[Tensor]) -> list[Tensor]:
        """Trunk [N, C, H, W] and each image's boxes [D, 4] -> their probabilities [D, 28, 28]."""
        rois = [roi_align(m, b, 14, 0.25) for m, b in zip(trunk, boxes, strict=True)]
        if not self.slots:
            masks = exact(self.mask(torch.cat(rois))[:, 1]).sigmoid()
            return list(torch.split(masks, [len(b) for b in boxes]))
        return [self._slot_masks(each) for each in rois]

    def _slot_masks(self, rois: Tensor) -> Tensor:
        empty = rois.new_zeros(max(self.slots - len(rois), 0), *rois.shape[1:])
        masks: Tensor = exact(self.mask(torch.cat([rois, empty]))[: len(rois), 1]).sigmoid()
        return masks


def _picked(boxes: Tensor, index: Tensor) -> Tensor:
    """Boxes [N, K, 4] at the indices [N, S] -> [N, S, 4]."""
    return boxes.gather(1, index[..., None].expand(-1, -1, 4))


def _smooth_l1(found: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1 (beta 1), mean over all coordinates of the positives; 0 without positives."""
    return F.smooth_l1_loss(found, wanted) if len(wanted) else found.sum()


def pixel_loss(logits: Tensor, category: Tensor) -> Tensor:
    """Cross-entropy of [N, classes, H, W] over the labelled pixels of [N, H, W]: mean over the images."""
    lost = F.cross_entropy(exact(logits), category, ignore_index=255, reduction="none").flatten(1).sum(1)
    return (lost / (category != 255).flatten(1).sum(1).clamp(min=1)).mean()


def _means(images: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of every term over the images."""
    return {name: torch.stack([terms[name] for terms in images]).mean() for name in images[0]}
