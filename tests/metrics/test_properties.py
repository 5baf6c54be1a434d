"""What holds of J, F and J&F whatever the maps are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pairs import Array, layer, numbers, pair

from vipbench.metrics.boundary import F
from vipbench.metrics.jf import JF
from vipbench.metrics.measure import Measure
from vipbench.metrics.proposals import FUnsup, JFUnsup, JUnsup
from vipbench.metrics.region import J
from vipbench.metrics.series import Series, decay

MAPS = arrays(np.uint16, (9, 12), elements=st.integers(0, 3), fill=st.just(0))
OBJECTS = (1, 2, 3)
SEVERAL: list[Series] = [J(objects="first-frame"), F(objects="first-frame"), JF(objects="first-frame")]


def one(measure: Measure, gt: Array, pred: Array, **more: object) -> float:
    frame = pair("object", layer(gt), layer(pred), objects=OBJECTS, **more)
    return numbers(measure, [frame])["mean"]


@settings(deadline=None)
@given(MAPS)
def test_perfect_is_one(ids: Array) -> None:
    for measure in (*SEVERAL, J(), F(), JF(), JUnsup(), FUnsup(), JFUnsup()):
        assert one(measure, ids, ids) == 1.0


@given(MAPS, MAPS)
def test_symmetry_and_range(gt: Array, pred: Array) -> None:
    for measure in SEVERAL:
        value = one(measure, gt, pred)
        assert value == one(measure, pred, gt)
        assert 0 <= value <= 1


@given(MAPS, MAPS, st.permutations(OBJECTS))
def test_ids_are_only_names(gt: Array, pred: Array, names: list[int]) -> None:
    rename = np.array([0, *names], np.uint16)
    for measure in SEVERAL:
        assert one(measure, rename[gt], rename[pred]) == pytest.approx(one(measure, gt, pred), abs=1e-15)


@given(MAPS, MAPS, st.permutations(OBJECTS))
def test_proposals_are_matched_whatever_their_ids(gt: Array, pred: Array, names: list[int]) -> None:
    rename = np.array([0, *names], np.uint16)
    found = one(JFUnsup(), gt, rename[pred])
    assert found == pytest.approx(one(JFUnsup(), gt, pred), abs=1e-12)


@given(st.integers(1, 4), st.integers(1, 4))
def test_disjoint_is_zero(height: int, width: int) -> None:
    gt, pred = np.zeros((30, 60), np.uint16), np.zeros((30, 60), np.uint16)
    gt[5 : 5 + height, 5 : 5 + width] = pred[20 : 20 + height, 40 : 40 + width] = 1
    for measure in (J(), F(), JF()):
        assert one(measure, gt, pred) == 0.0


@pytest.mark.parametrize("n", [3, 4, 255, 256, 257, 1000, 3000])
@given(value=st.floats(0, 1))
def test_a_constant_does_not_decay(n: int, value: float) -> None:
    assert abs(decay(np.full(n, value))) <= 1e-12


@pytest.mark.parametrize("length", [3, 255, 256, 1000])
def test_sequences_of_any_length(length: int) -> None:
    """A half that is found until the middle of the sequence: all but the first and last frame count."""
    whole, half, none = layer([1, 1]), layer([1, 0]), layer([0, 0])
    frames = [
        pair(
            "object",
            whole,
            half if 2 * t < length else none,
            frame=f"{t:05d}",
            position=t,
            last=t == length - 1,
        )
        for t in range(length)
    ]
    found = numbers(J(), frames)
    inner = [0.5 if 2 * t < length else 0.0 for t in range(1, length - 1)]
    assert found["mean"] == pytest.approx(np.mean(inner), abs=1e-12)
    assert found["decay"] == pytest.approx(0.5 if length > 3 else 0.0, abs=0.01)
