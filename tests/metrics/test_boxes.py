"""AP of persons by box. (Equality with the released function: test_aten.py.)"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import layer, number, numbers, pair

from vipbench.metrics.ap import APr
from vipbench.metrics.boxes import APb, box_ious, boxes
from vipbench.types import Box, Segment


def test_by_hand() -> None:
    """Ends are exclusive: 2 x 3 and 2 x 3 pixels share 2 x 2, 4 of 8."""
    found: list[Box] = [(0, 0, 2, 3), (0, 1, 2, 4), (5, 5, 6, 6), (3, 3, 3, 9)]
    expected = [[1, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(box_ious(found, found), expected)
    assert box_ious([], found).shape == (0, 4)
    assert box_ious(found, []).shape == (4, 0)


def test_the_listed_box_or_else_the_tightest() -> None:
    rows = [Segment(1), Segment(2, box=(0, 0, 9, 9)), Segment(3)]
    made = layer([[0, 1, 1], [2, 0, 1]], rows)
    assert boxes(made, rows) == [(0, 1, 2, 3), (0, 0, 9, 9), (0, 0, 0, 0)]


def test_boxes_of_masks_that_do_not_fit() -> None:
    """A frame and what it frames: boxes are equal, the masks share nothing."""
    gt, pred = layer([[1, 1, 1], [1, 0, 1], [1, 1, 1]]), layer([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    one = pair("human", gt, pred)
    assert set(numbers(APb(), [one]).values()) == {1.0}
    assert number(APr(), [one], "0.5") == 0.0  # 4 of 8 is not above .5


def test_the_detectors_box_decides() -> None:
    gt = layer([[1, 1, 0, 0]])
    one = pair("human", gt, layer([[1, 1, 0, 0]], [Segment(1, box=(0, 0, 1, 4))]))
    assert number(APb(), [one], "0.5") == 0.0
    assert number(APb(compare=">="), [one], "0.5") == 1.0


BOX = st.tuples(*[st.integers(0, 6)] * 2, *[st.integers(0, 6)] * 2)


@given(st.lists(BOX, min_size=1, max_size=3), st.lists(BOX, min_size=1, max_size=3))
def test_as_their_pixels(found: list[Box], truths: list[Box]) -> None:
    for d, row in zip(found, box_ious(found, truths), strict=True):
        for g, iou in zip(truths, row, strict=True):
            masks = np.zeros((2, 7, 7), bool)
            for mask, (top, left, bottom, right) in zip(masks, (d, g), strict=True):
                mask[top:bottom, left:right] = True
            union = masks.any(axis=0).sum()
            assert iou == pytest.approx(masks.all(axis=0).sum() / union if union else 0.0)
