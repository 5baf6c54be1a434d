"""Boundaries and F: counts that the reference gives, and its slow formulation on random maps."""

import numpy as np
import pytest
import restated
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pairs import Array, layer, pair

from vipbench.metrics.boundary import F, boundaries, matched, radius
from vipbench.metrics.region import J
from vipbench.metrics.series import FOREGROUND

pytestmark = pytest.mark.usefixtures("kernels")

SIZES = {
    (480, 854): 8,
    (480, 910): 9,
    (480, 1152): 10,
    (360, 640): 6,
    (720, 1280): 12,
    (1080, 1920): 18,
    (2160, 3840): 36,
    (200, 200): 3,
    (100, 100): 2,
    (60, 80): 1,
    (3, 3): 1,
    (300, 400): 4,  # 0.008 * 500, exactly
}


def f(gt: Array, pred: Array) -> float:
    return F().values(pair("object", layer(gt), layer(pred)), (FOREGROUND,))[0]


def j(gt: Array, pred: Array) -> float:
    return J().values(pair("object", layer(gt), layer(pred)), (FOREGROUND,))[0]


def boundary(mask: Array) -> Array:
    """(y, x) of the boundary pixels of a mask, in reading order."""
    found = boundaries(layer(mask), (FOREGROUND,))[FOREGROUND]
    return np.stack(np.divmod(found, mask.shape[1]), axis=1)


def filled(size: tuple[int, int], rows: slice, columns: slice) -> Array:
    mask = np.zeros(size, np.uint16)
    mask[rows, columns] = 1
    return mask


@pytest.mark.parametrize(("size", "expected"), SIZES.items())
def test_radius(size: tuple[int, int], expected: int) -> None:
    assert radius(size) == expected


@pytest.mark.parametrize(
    ("rows", "columns", "count"),
    [
        (slice(30, 70), slice(30, 70), 160),
        (slice(50, 51), slice(50, 51), 4),
        (slice(0, 1), slice(0, 1), 1),
        (slice(99, 100), slice(99, 100), 3),
        (slice(0, 100), slice(0, 50), 100),
        (slice(0, 100), slice(0, 100), 0),
        (slice(0, 0), slice(0, 0), 0),
    ],
)
def test_boundary_counts(rows: slice, columns: slice, count: int) -> None:
    assert len(boundary(filled((100, 100), rows, columns) > 0)) == count


def test_the_boundary_lies_towards_the_origin() -> None:
    mask = filled((5, 6), slice(2, 3), slice(3, 4)) > 0
    assert boundary(mask).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]


@pytest.mark.parametrize("side", [40, 300])
def test_a_shift_by_the_radius_costs_nothing_and_one_more_does(side: int) -> None:
    at = [filled((480, 854), slice(90, 90 + side), slice(x, x + side)) for x in (200, 208, 209)]
    assert f(at[0], at[1]) == 1.0
    assert f(at[0], at[2]) < 1.0


def test_one_rectangle_of_two() -> None:
    """The mask of davis2017-evaluation's test of void, scored without void: .5 and .628."""
    gt = filled((200, 200), slice(100, 150), slice(100, 150))
    pred = filled((200, 200), slice(50, 150), slice(100, 150))
    assert j(gt, pred) == 0.5
    assert round(f(gt, pred), 3) == 0.628


def test_empty_maps() -> None:
    full, none = np.ones((9, 9), np.uint16), np.zeros((9, 9), np.uint16)
    some = filled((9, 9), slice(2, 5), slice(2, 5))
    assert (j(none, none), f(none, none)) == (1.0, 1.0)
    assert (j(some, none), f(some, none)) == (0.0, 0.0)
    assert (j(none, some), f(none, some)) == (0.0, 0.0)
    assert (j(full, none), f(full, none)) == (0.0, 1.0)  # neither has a boundary


def test_far_apart_is_zero_and_the_same_is_one() -> None:
    left = filled((50, 100), slice(10, 20), slice(10, 20))
    right = filled((50, 100), slice(10, 20), slice(80, 90))
    assert (j(left, right), f(left, right)) == (0.0, 0.0)
    assert (j(left, left), f(left, left)) == (1.0, 1.0)


@st.composite
def two_masks(draw: st.DrawFn) -> tuple[Array, Array]:
    """Noise, or rectangles that touch the image's edges or not."""
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    if draw(st.booleans()):
        noise = arrays(np.uint16, shape, elements=st.integers(0, 1), fill=st.just(0))
        return draw(noise), draw(noise)
    masks = []
    for _ in range(2):
        (y1, y2), (x1, x2) = (sorted(draw(st.tuples(*2 * [st.integers(0, n)]))) for n in shape)
        masks.append(filled(shape, slice(y1, y2), slice(x1, x2)))
    return masks[0], masks[1]


@given(two_masks())
def test_boundary_is_the_references(masks: tuple[Array, Array]) -> None:
    for mask in masks:
        np.testing.assert_array_equal(boundary(mask > 0), np.argwhere(restated.boundary(mask)))


@given(two_masks(), st.integers(0, 400))
def test_f_is_the_references_to_the_bit(masks: tuple[Array, Array], width: int) -> None:
    wide = [np.pad(mask, ((0, 0), (0, width))) for mask in masks]  # a longer diagonal, a larger radius
    assert f(*wide) == restated.f_measure(*wide)


@given(arrays(np.uint16, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 4)))
def test_the_boundaries_of_all_objects_are_those_of_each(ids: Array) -> None:
    found = boundaries(layer(ids), (1, 2, 3, 5))
    for obj, points in found.items():
        assert points.tolist() == np.flatnonzero(restated.boundary(ids == obj)).tolist()


@given(st.data())
def test_matches_at_any_radius(data: st.DataObject) -> None:
    """Up to far more than 31, where a window is longer than a word of 64 bits (4K: radius 36)."""
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 200))
    r = data.draw(st.integers(0, 90))
    place = st.integers(0, height * width - 1)
    ours, theirs = (np.array(sorted(data.draw(st.sets(place, max_size=12))), np.int32) for _ in range(2))
    (y, x), (v, u) = np.divmod(ours, width), np.divmod(theirs, width)
    near = (y[:, None] - v) ** 2 + (x[:, None] - u) ** 2 <= r * r
    assert matched(ours, theirs, r, width) == near.any(axis=1).sum()


@given(two_masks(), st.floats(0, 0.3), st.floats(0, 0.3))
def test_f_grows_with_the_tolerance(masks: tuple[Array, Array], one: float, other: float) -> None:
    frame = pair("object", *map(layer, masks))
    low, high = (F(tolerance=t).values(frame, (FOREGROUND,))[0] for t in sorted((one, other)))
    assert low <= high


def test_a_tolerance_of_one_and_more_is_in_pixels() -> None:
    assert [radius((480, 854), t) for t in (0.0, 0.008, 0.01, 1, 3, 2.5)] == [0, 8, 10, 1, 3, 3]


@given(two_masks())
def test_j_is_the_share_of_pixels(masks: tuple[Array, Array]) -> None:
    gt, pred = (mask > 0 for mask in masks)
    union = int((gt | pred).sum())
    assert j(*masks) == (int((gt & pred).sum()) / union if union else 1.0)
    assert j(*masks) == j(*masks[::-1])
    assert f(*masks) == f(*masks[::-1])


def test_objects_are_told_apart_by_their_ids() -> None:
    gt, pred = layer([[1, 1, 2, 2, 255]]), layer([[1, 2, 2, 2, 1]])
    one = pair("object", gt, pred, objects=(1, 2))
    assert J().values(one, (1, 2)) == [1 / 3, 2 / 3]
    rows = J(objects="first-frame").observe(one).of("v")
    assert [(row[0], row[3]) for row in rows] == [(1, 1 / 3), (2, 2 / 3)]
    assert J().values(one, (FOREGROUND,)) == [1.0]  # 255 is an id like any other
