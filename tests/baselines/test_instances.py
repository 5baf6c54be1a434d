"""Persons and parts beside the rule written down for whole frames, a mask at a time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets
from vipbench.baselines.instances import paint_persons, parts_of

HEADS = presets.load("tiny", "vip").heads
SIZE = (40, 60)


def drawn(seed: int) -> tuple[Any, Any, Any]:
    """Boxes of which some are empty and some reach the edge, falling scores, blurred masks."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(-10, 50, (12, 2))
    boxes = np.concatenate([corners, corners + rng.integers(0, 40, (12, 2))], 1).clip(0, [*SIZE, *SIZE])
    masks = rng.random((12, 1, 28), np.float32) * rng.random((12, 28, 1), np.float32) * 1.6
    return boxes, np.sort(rng.random(12, np.float32))[::-1], masks.clip(0, 1)


def whole_frame(boxes: Any, masks: Any) -> list[Any]:
    """Which pixels of the frame each person has, those that are dropped left out."""
    taken, persons = np.zeros(SIZE, bool), []
    for (y1, x1, y2, x2), mask in zip(boxes.tolist(), masks, strict=True):
        if y1 == y2 or x1 == x2:
            continue
        frame = np.zeros(SIZE, np.float32)
        frame[y1:y2, x1:x2] = Image.fromarray(mask).resize((x2 - x1, y2 - y1), Image.Resampling.BILINEAR)
        person = frame >= HEADS.mask_threshold
        own = person & ~taken
        if person.any() and own.sum() > HEADS.visible * person.sum():
            persons.append(own)
            taken |= own
    return persons


@pytest.mark.parametrize("seed", range(8))
def test_persons_and_parts_are_those_of_whole_frames(seed: int) -> None:
    boxes, scores, masks = drawn(seed)
    human = paint_persons(boxes, scores, masks, SIZE, HEADS)
    persons = whole_frame(boxes, masks)
    assert len(persons) > 1
    assert np.array_equal(human.ids, sum((i + 1) * own for i, own in enumerate(persons)))
    rng = np.random.default_rng(seed)
    category = rng.integers(0, 4, (10, 15), np.uint16).repeat(4, 0).repeat(4, 1)
    confidence = rng.random(SIZE, np.float32)
    expected = []
    for k in (1, 2, 3):
        for own, person in zip(persons, human.segments, strict=True):
            if (own & (category == k)).any():
                score = float(confidence[own & (category == k)].mean()) * person.score
                expected.append((len(expected) + 1, k, person.id, score))
    part = parts_of(category, confidence, human)
    assert [(s.id, s.category, s.human, s.score) for s in part.segments] == expected
    for i, k, person, _ in expected:
        assert np.array_equal(part.ids == i, persons[person - 1] & (category == k))
    bare = human.with_rows(replace(person, box=None) for person in human.segments)
    assert np.array_equal(parts_of(category, confidence, bare).ids, part.ids)
