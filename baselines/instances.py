"""From detections and part probabilities to the VIP layers (the released code's section "visualize").

Persons are painted by falling score; what an earlier one owns is taken. Part instances are the pixels
where a person and a class agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vipbench.baselines.presets import HeadSizes
from vipbench.types import Parsing, Segment, SegmentMap


def paste(mask: NDArray[np.float32], size: tuple[int, int], threshold: float) -> NDArray[np.bool_]:
    """A 28x28 probability map stretched to a box of size (h, w) and cut at the threshold, bool [h, w]."""
    stretched = Image.fromarray(mask).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(stretched) >= threshold


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
        person = paste(mask, (y2 - y1, x2 - x1), sizes.mask_threshold)
        within = ids[y1:y2, x1:x2]
        free = person & (within == 0)
        if not person.any() or np.count_nonzero(free) / np.count_nonzero(person) <= sizes.visible:
            continue
        within[free] = len(segments) + 1
        segments.append(Segment(len(segments) + 1, score=float(score), box=(y1, x1, y2, x2)))
    return SegmentMap(ids, tuple(segments))


def parts_of(category: NDArray[np.uint16], confidence: NDArray[np.float32], human: SegmentMap) -> SegmentMap:
    """Part instances: class ascending, then person ascending, numbered 1, 2, ...

    The score is the mean confidence of the class over the part's pixels times the person's score.
    """
    ids = np.zeros(category.shape, np.uint16)
    segments: list[Segment] = []
    both = [(k, i) for i, person in enumerate(human.segments) for k in _classes(category, human, person)]
    for k, i in sorted(both):
        person, at = human.segments[i], _place(human.segments[i])
        part = (category[at] == k) & (human.ids[at] == person.id)
        ids[at][part] = len(segments) + 1
        score = float(confidence[at][part].mean()) * person.score
        segments.append(Segment(len(segments) + 1, k, person.id, score))
    return SegmentMap(ids, tuple(segments))


def _place(person: Segment) -> tuple[slice, slice]:
    """Where all the pixels of a person are."""
    if person.box is None:
        return slice(None), slice(None)
    y1, x1, y2, x2 = person.box
    return slice(y1, y2), slice(x1, x2)


def _classes(category: NDArray[np.uint16], human: SegmentMap, person: Segment) -> list[int]:
    """The classes of a person's pixels, without background."""
    at = _place(person)
    pixels = np.bincount(category[at][human.ids[at] == person.id])
    return [int(k) for k in pixels.nonzero()[0] if k]


def vip_parsing(probabilities: NDArray[np.float32], human: SegmentMap) -> Parsing:
    """All VIP layers from class probabilities [classes, H, W] and painted persons."""
    category = probabilities.argmax(0).astype(np.uint16)
    part = parts_of(category, probabilities.max(0), human)
    return Parsing(category=SegmentMap(category), human=human, part=part)
