"""Masks as bits: what the kernels count of them, against the pixels, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pairs import Array, layer, pair

from vipbench.metrics.masks import drawn
from vipbench.metrics.region import overlaps
from vipbench.metrics.series import owned
from vipbench.native import native
from vipbench.runs import Runs

SIZES = st.tuples(st.integers(1, 6), st.one_of(st.integers(1, 200), st.sampled_from([63, 64, 65, 128])))
OBJECTS = (1, 3, 65535, -1)


@st.composite
def two_maps(draw: st.DrawFn) -> tuple[Array, Array]:
    few = arrays(np.uint16, draw(SIZES), elements=st.integers(0, 4), fill=st.integers(0, 2))
    return draw(few), draw(few)


@pytest.mark.usefixtures("kernels")
@given(two_maps())
def test_overlaps_are_those_of_the_pixels(maps: tuple[Array, Array]) -> None:
    for objects in (OBJECTS, (0,)):
        masks = [[owned(ids, obj) for ids in maps] for obj in objects]
        wanted = [(int((gt & pred).sum()), int(gt.sum()), int(pred.sum())) for gt, pred in masks]
        assert list(overlaps(pair("object", *map(layer, maps)), objects)) == wanted


def test_masks_are_drawn_once(kernels: str) -> None:
    if kernels == "numpy":
        assert drawn(layer([[1]]), layer([[1]]), ((1, 1),)) is None
        return
    gt, pred = layer([[1, 2, 0]]), layer([[0, 2, 2]])
    first, again = drawn(gt, pred, ((1, 1), (2, 2))), drawn(gt, pred, ((2, 1), (1, 2)))
    assert first is not None
    assert again is not None
    assert again[0] is not first[0]  # numbered otherwise
    assert again[1] is first[1]


@pytest.mark.skipif(native is None, reason="the kernels are not compiled here")
def test_what_are_no_runs_is_refused() -> None:
    assert native is not None
    found = Runs.of(np.array([[1, 1, 2], [0, 0, 1]], np.uint16))
    groups = np.array([0, 1, 2], np.uint16)
    fine = native.masks(found.starts, found.values, groups, 2, *found.size)
    pairs = np.array([[1, 1], [2, 1]], np.uint16)
    assert np.frombuffer(native.overlaps(fine, fine, pairs), np.int32).tolist() == [3, 3, 3, 0, 1, 3]
    for size in ((2, 4), (3, 2), (1, 3), (0, 3), (2, -3)):
        with pytest.raises(ValueError, match="masks"):
            native.masks(found.starts, found.values, groups, 2, *size)
    for starts in ([0, 3, 2, 5], [-1, 2, 3, 5], [0, 1, 4, 5]):  # backwards, before the map, over a line's end
        with pytest.raises(ValueError, match="masks"):
            native.masks(np.array(starts, np.int32), found.values, groups, 2, *found.size)
    for bad, count in ((groups[:2], 2), (groups, 1)):
        with pytest.raises(ValueError, match="masks"):
            native.masks(found.starts, found.values, bad, count, *found.size)
    with pytest.raises(ValueError, match="pairs"):
        native.overlaps(fine, fine, np.array([[1, 3]], np.uint16))
    with pytest.raises(ValueError, match="contours"):
        native.contours(fine, fine, pairs, -1)
    with pytest.raises(ValueError, match="PyCapsule"):
        native.contours(fine, b"", pairs, 1)
