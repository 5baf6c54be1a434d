"""Accuracies: by hand, and from masks. (Equality with the released script: test_aten.py.)"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pairs import Array, layer, number, numbers, pair

from vipbench.metrics.accuracy import FrequencyWeightedIoU, MeanAccuracy, PixelAccuracy
from vipbench.metrics.measure import Measure
from vipbench.metrics.miou import MeanIoU

ALL: list[Measure] = [PixelAccuracy(), MeanAccuracy(), FrequencyWeightedIoU()]
GT, PRED = [0, 0, 0, 1, 1, 5], [0, 0, 1, 1, 5, 2]
EXPECTED = {
    "pAcc": 3 / 6,
    "mAcc": (2 / 3 + 1 / 2 + 0) / 3,  # class 2 is nowhere true
    "fwIoU": 3 / 6 * 2 / 3 + 2 / 6 * 1 / 3 + 1 / 6 * 0,
}
CLASSES = {
    "pAcc": {"background": 2 / 3, "hat": 1 / 2, "upper-clothes": 0.0},
    "mAcc": {"background": 2 / 3, "hat": 1 / 2, "upper-clothes": 0.0},
    "fwIoU": {"background": 2 / 3, "hat": 1 / 3, "upper-clothes": 0.0, "hair": 0.0},
}


@pytest.mark.parametrize("measure", ALL, ids=str)
def test_by_hand(measure: Measure) -> None:
    values = measure.finish(measure.observe(pair("category", layer(GT), layer(PRED))), ["v"])
    found = {v.scope: v.value for v in values}
    assert found["all"] == found["v"] == pytest.approx(EXPECTED[measure.name])
    by_class = {scope.removeprefix("class:"): value for scope, value in found.items() if scope[:5] == "class"}
    assert by_class == pytest.approx(CLASSES[measure.name])


@pytest.mark.parametrize("measure", ALL, ids=str)
def test_void_does_not_count_and_nothing_labelled_is_not_a_number(measure: Measure) -> None:
    assert number(measure, [pair("category", layer([0, 255, 1]), layer([0, 3, 1]))]) == 1.0
    assert math.isnan(number(measure, [pair("category", layer([255]), layer([0]))]))


def test_a_frame_without_a_prediction() -> None:
    """Background everywhere, or not looked at."""
    found = pair("category", layer([1, 1]), layer([1, 1]), frame="1")
    lacks = pair("category", layer([1, 0]), layer([0, 0]), frame="2", missing=True)
    assert number(PixelAccuracy(), [found, lacks]) == 3 / 4
    assert number(PixelAccuracy(frames="submitted"), [found, lacks]) == 1.0
    assert number(MeanIoU(), [found, lacks]) == (2 / 3 + 1 / 2) / 2
    assert number(MeanIoU(frames="submitted"), [found, lacks]) == 1.0


def test_absent_classes_as_zero() -> None:
    """3 of 20 classes, as Self-Correction-Human-Parsing counts them."""
    one = pair("category", layer([0, 0, 1, 5]), layer([0, 0, 1, 5]))
    assert number(MeanIoU(), [one]) == 1.0
    assert number(MeanIoU(absent="zero"), [one]) == pytest.approx(3 / 20)
    values = MeanIoU(absent="zero").finish(MeanIoU().observe(one), ["v"])
    assert {v.n for v in values if v.scope == "all"} == {20}


LABELS = st.sampled_from([0, 1, 2, 13, 19])


@given(st.data())
def test_from_masks(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    gt = data.draw(arrays(np.uint16, shape, elements=st.one_of(LABELS, st.sampled_from([20, 255]))))
    pred = data.draw(arrays(np.uint16, shape, elements=LABELS))
    one = pair("category", layer(gt), layer(pred))
    counted = gt < 20
    if counted.any():
        right = ((gt == pred) & counted).sum() / counted.sum()
        assert number(PixelAccuracy(), [one]) == pytest.approx(right)
        present = np.unique(gt[counted]).tolist()
        assert number(MeanAccuracy(), [one]) == pytest.approx(np.mean([_right(gt, pred, c) for c in present]))
        ious = numbers(MeanIoU(absent="zero"), [one])[""] * 20
        assert ious == pytest.approx(sum(_iou(gt, pred, c) for c in range(20)))
        weighted = sum((gt == c).sum() / counted.sum() * _iou(gt, pred, c) for c in present)
        assert number(FrequencyWeightedIoU(), [one]) == pytest.approx(weighted)


def _right(gt: Array, pred: Array, c: int) -> float:
    return float((pred[gt == c] == c).mean())


def _iou(gt: Array, pred: Array, c: int) -> float:
    union = ((gt < 20) & ((gt == c) | (pred == c))).sum()
    return float(((gt == c) & (pred == c)).sum() / union) if union else 0.0
