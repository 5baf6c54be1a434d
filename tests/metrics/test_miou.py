"""mIoU: by hand, and the same from masks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pairs import Array, layer, number, numbers, pair

from vipbench.datasets import vip
from vipbench.errors import UserError
from vipbench.metrics.miou import MeanIoU
from vipbench.parts import CLASSES

LABELS = st.sampled_from([0, 1, 2, 13, 19])


def test_by_hand() -> None:
    gt, pred = layer([0, 0, 0, 1, 1, 5]), layer([0, 0, 1, 1, 5, 5])
    values = MeanIoU().finish(MeanIoU().observe(pair("category", gt, pred)), ["v"])
    found = {v.scope: (v.value, v.n) for v in values}
    assert found == {
        "all": (pytest.approx((2 / 3 + 1 / 3 + 1 / 2) / 3), 3),
        "class:background": (2 / 3, 1),
        "class:hat": (1 / 3, 1),
        "class:upper-clothes": (1 / 2, 1),
        "v": (found["all"][0], 3),
    }


def test_pixels_are_pooled_over_videos_and_videos_scored_alone() -> None:
    a = pair("category", layer([1, 1, 1]), layer([1, 1, 1]), video="a")
    b = pair("category", layer([1]), layer([2]), video="b")
    assert numbers(MeanIoU(), [a, b])[""] == pytest.approx((3 / 4 + 0) / 2)
    assert number(MeanIoU(), [a, b], scope="a") == 1.0
    assert number(MeanIoU(), [a, b], scope="b") == 0.0


def test_nothing_labelled_is_not_a_number() -> None:
    assert math.isnan(number(MeanIoU(), [pair("category", layer([255, 255]), layer([0, 1]))]))


def test_an_id_that_is_no_class_is_named() -> None:
    one = pair("category", layer([0, 255]), layer([0, 255]), video="videos1", frame="26")
    with pytest.raises(UserError, match=r"videos1, frame 26, category: predicted id 255.*0\.\.19"):
        MeanIoU().observe(one)


def test_classes_are_those_of_the_data_set() -> None:
    assert vip.CLASSES is CLASSES
    assert (len(CLASSES), CLASSES[5], CLASSES[14]) == (20, "upper-clothes", "left-arm")


@given(st.data())
def test_from_masks(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    gt = data.draw(arrays(np.uint16, shape, elements=st.one_of(LABELS, st.sampled_from([20, 255]))))
    pred = data.draw(arrays(np.uint16, shape, elements=LABELS))
    expected = [iou for c in range(20) if (iou := _iou(gt, pred, c)) is not None]
    found = number(MeanIoU(), [pair("category", layer(gt), layer(pred))])
    assert found == pytest.approx(np.mean(expected) if expected else math.nan, nan_ok=True)


def _iou(gt: Array, pred: Array, c: int) -> float | None:
    counted = gt < 20
    union = (counted & ((gt == c) | (pred == c))).sum()
    return float((counted & (gt == c) & (pred == c)).sum() / union) if union else None
