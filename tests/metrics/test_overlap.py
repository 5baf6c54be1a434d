"""The joint histogram against counting by hand and by masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pairs import layer, pair

from vipbench.errors import UserError
from vipbench.metrics.overlap import Overlap

pytestmark = pytest.mark.usefixtures("kernels")


def test_by_hand() -> None:
    found = Overlap.of(layer([[0, 0, 7], [7, 7, 300]]), layer([[0, 2, 2], [2, 65535, 2]]))
    assert found.gt_ids.tolist() == [0, 7, 300]
    assert found.pred_ids.tolist() == [0, 2, 65535]
    assert found.counts.tolist() == [[1, 1, 0], [0, 2, 1], [0, 1, 0]]
    assert found.ious().tolist() == [[1 / 2, 1 / 5, 0], [0, 2 / 5, 1 / 3], [0, 1 / 4, 0]]


def test_ids_without_pixels_do_not_appear() -> None:
    found = Overlap.of(layer([3, 3]), layer([5, 5]))
    assert (found.gt_ids.tolist(), found.pred_ids.tolist(), found.counts.tolist()) == ([3], [5], [[2]])


@given(st.data())
def test_any_ids_of_16_bits(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    ids = arrays(np.uint16, shape, elements=st.sampled_from([0, 1, 2, 255, 256, 257, 65535]))
    gt, pred = data.draw(ids), data.draw(ids)
    found = Overlap.of(layer(gt), layer(pred))
    assert found.gt_ids.tolist() == sorted(set(gt.ravel().tolist()))
    assert found.pred_ids.tolist() == sorted(set(pred.ravel().tolist()))
    for row, g in zip(found.counts, found.gt_ids, strict=True):
        assert row.tolist() == [int(((gt == g) & (pred == p)).sum()) for p in found.pred_ids]


def test_a_pair_counts_a_layer_once() -> None:
    one = pair("human", layer([1, 0]), layer([1, 1]))
    assert one.overlap("human") is one.overlap("human")


def test_sizes_that_differ_are_named() -> None:
    one = pair("human", layer([1, 0]), layer([1, 1, 1]), video="videos7", frame="000000000026")
    with pytest.raises(UserError, match=r"videos7, frame 000000000026, human: .*\(1, 2\).*\(1, 3\)"):
        one.overlap("human")
    with pytest.raises(ValueError, match="different sizes"):
        Overlap.of(layer([1, 0]), layer([[1], [0]]))
