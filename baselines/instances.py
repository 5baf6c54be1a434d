"""From detections and part probabilities to the VIP layers (the released code's section "visualize").

Persons are painted by falling score; what an earlier one owns is taken. Part instances are the pixels
where a person and a class agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vipbench.baselines.presets import HeadSizes
from vipbench.types import Box, Parsing, Segment, SegmentMap


def paste(mask: NDArray[np.float32], box: Box, size: tuple[int, int], threshold: float) -> NDArray[np.bool_]:
    """A 28x28 probability map stretched over its box and cut at the threshold, bool [H, W]."""
    y1, x1, y2, x2 = box
    full = np.zeros(size, bool)
    stretched = Image.fromarray(mask).resize((x2 - x1, y2 - y1), Image.Resampling.BILINEAR)
    full[y1:y2, x1:x2] = np.asarray(stretched) >= threshold
    return full


def paint_persons(
    boxes: NDArray[np.int64],
    scores: NDArray[np.float32],
    masks: NDArray[np.float32],
    size: tuple[int, int],
    sizes: HeadSizes,
) -> SegmentMap:
    """Detections by falling score -> disjoint persons 1, 2, ...

    boxes: [D, 4] in the photo. scores: [D]. masks: [D, 28, 28] in 0..1. size: (H, W) of the photo. sizes:
    the preset's mask_threshold and visible.
    """
    ids = np.zeros(size, np.uint16)
    segments: list[Segment] = []
    for corners, score, mask in zip(boxes, scores, masks, strict=True):
        y1, x1, y2, x2 = (int(c) for c in corners)
        if y2 <= y1 or x2 <= x1:
            continue
        person = paste(mask, (y1, x1, y2, x2), size, sizes.mask_threshold)
        free = person & (ids == 0)
        if person.sum() == 0 or free.sum() / person.sum() <= sizes.visible:
            continue
        ids[free] = len(segments) + 1
        segments.append(Segment(len(segments) + 1, score=float(score), box=(y1, x1, y2, x2)))
    return SegmentMap(ids, tuple(segments))


def parts_of(category: NDArray[np.uint16], confidence: NDArray[np.float32], human: SegmentMap) -> SegmentMap:
    """Part instances: class ascending, then person ascending, numbered 1, 2, ...

    The score is the mean confidence of the class over the part's pixels times the person's score.
    """
    ids = np.zeros(category.shape, np.uint16)
    segments: list[Segment] = []
    inside = human.ids > 0
    for k in np.unique(category[inside & (category > 0)]):
        for person in human.segments:
            part = (category == k) & (human.ids == person.id)
            if part.any():
                ids[part] = len(segments) + 1
                score = float(confidence[part].mean()) * person.score
                segments.append(Segment(len(segments) + 1, int(k), person.id, score))
    return SegmentMap(ids, tuple(segments))


def vip_parsing(probabilities: NDArray[np.float32], human: SegmentMap) -> Parsing:
    """All VIP layers from class probabilities [classes, H, W] and painted persons."""
    category = probabilities.argmax(0).astype(np.uint16)
    part = parts_of(category, probabilities.max(0), human)
    return Parsing(category=SegmentMap(category), human=human, part=part)
