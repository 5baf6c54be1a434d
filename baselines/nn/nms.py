"""Greedy non-maximum suppression, of one image and of a batch whose device nobody waits for.

The definition: boxes by falling score, equal scores in their order; a box is kept unless its IoU with one
kept before it is above the threshold; at most `limit`. What is not a number overlaps with everything.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vipbench.baselines.nn.boxes import iou

BLOCK = 64  # boxes that are compared at once on the CPU
ROUNDS = 24  # clustered boxes, 1,000 or 6,000, settle in 9 to 11


class Kept(NamedTuple):
    """indices: int64 [N, S], kept boxes by falling score, as far as there: bool [N, S], True before False.

    S is the number of the fullest image on the CPU, elsewhere min(limit, boxes), for nobody knows how many
    there are. settled: bool [], False if the rounds did not suffice.
    """

    indices: Tensor
    there: Tensor
    settled: Tensor


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """One image's boxes [K, 4] and scores [K] -> int64 [at most limit], the kept ones by falling score.

    Waits for the device.
    """
    there = torch.ones_like(scores, dtype=torch.bool)[None]
    kept = nms_batch(boxes[None], scores[None], there, threshold, limit, ROUNDS)
    if not kept.settled:
        kept = nms_batch(boxes[None], scores[None], there, threshold, limit)
    return kept.indices[kept.there]


def nms_batch(
    boxes: Tensor, scores: Tensor, there: Tensor, threshold: float, limit: int, rounds: int | None = None
) -> Kept:
    """Boxes [N, K, 4], scores [N, K]; those that are not there (bool [N, K]) neither stay nor suppress.

    Does not wait for the device. On the CPU it goes by the definition. Elsewhere "a box is kept unless a kept
    one of higher rank overlaps it" is inserted into itself, starting from all: what a round does not change
    is the answer, for only one satisfies the sentence. rounds: how many there are; whether they sufficed is
    told. None: 2 * limit, slow and always enough: the first box is right from the start, those that it
    suppresses a round later, the next kept one after another round, since all that overlap it from above are
    right by then, and so on. Ranks behind the last of `limit` kept boxes do not matter.
    """
    order = scores.masked_fill(~there, -torch.inf).argsort(dim=1, descending=True, stable=True)
    ranked, valid = boxes.gather(1, order[..., None].expand(-1, -1, 4)), there.gather(1, order)
    find = _by_blocks if boxes.device.type == "cpu" else _by_rounds
    ranks, kept, settled = find(ranked, valid, threshold, limit, rounds)
    return Kept(order.gather(1, ranks), kept, settled)


def _by_blocks(
    boxes: Tensor, there: Tensor, threshold: float, limit: int, _: int | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Ranked boxes -> (ranks of the kept ones, there, settled): the definition."""
    kept = [_greedy(image[valid], threshold, limit) for image, valid in zip(boxes, there, strict=True)]
    slots = max(map(len, kept))
    ranks = torch.tensor([each + [0] * (slots - len(each)) for each in kept], dtype=torch.long)
    counts = torch.tensor([len(each) for each in kept])
    return ranks, torch.arange(slots) < counts[:, None], torch.tensor(True)


def _greedy(boxes: Tensor, threshold: float, limit: int) -> list[int]:
    """Ranks of the kept boxes of one image; looks no further than it must."""
    kept: list[int] = []
    for start in range(0, len(boxes), BLOCK):
        block = boxes[start : start + BLOCK]
        alive = (iou(boxes[kept], block) <= threshold).all(0).numpy()
        apart = (iou(block, block) <= threshold).numpy()
        for i in range(len(block)):
            if len(kept) == limit:
                return kept
            if alive[i]:
                kept.append(start + i)
                alive &= apart[i]
    return kept


def _by_rounds(
    boxes: Tensor, there: Tensor, threshold: float, limit: int, rounds: int | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The same, as the fixed point; anything goes for a slot that is not there."""
    most = 2 * limit
    # An image at a time: the overlaps of 6,000 boxes are 144 MB, their comparison 36.
    suppresses = torch.stack([(~(iou(image, image) <= threshold)).triu(1) for image in boxes])
    kept, last = there, there
    for _ in range(most if rounds is None else min(rounds, most)):
        last, kept = kept, there & ~(suppresses & kept[:, :, None]).any(1)
    settled = (kept == last).all() | (rounds is None or rounds >= most)
    ranks = (~kept).to(torch.uint8).argsort(dim=1, stable=True)[:, :limit]
    return ranks, kept.gather(1, ranks), settled
