"""Boundaries and F: counts that the reference gives, and its slow formulation on random maps."""

import numpy as np
import pytest
import restated
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pairs import Array, layer, pair

from vipbench.metrics import boundary as boundary_module
from vipbench.metrics.boundary import FAR, F, contours, radius
from vipbench.metrics.boundary import boundary as points
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
    return np.stack(np.divmod(points(mask), mask.shape[1]), axis=1)


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
    mask = filled((100, 100), rows, columns)
    assert len(boundary(mask > 0)) == count
    assert contours(layer(mask), layer(mask), ((1, FOREGROUND),), 0) == [(count,) * 4]


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


def counted(gt: Array, pred: Array, r: int) -> tuple[int, int, int, int]:
    """Boundary pixels of two masks, and how many have one of the other within r: every distance measured."""
    one, other = (np.argwhere(restated.boundary(mask)) for mask in (gt, pred))
    near = ((one[:, None] - other[None]) ** 2).sum(axis=2) <= r * r
    return len(one), int(near.any(axis=1).sum()), len(other), int(near.any(axis=0).sum())


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_contours_of_any_two_objects_at_any_radius(data: st.DataObject) -> None:
    """Maps of up to 12 lines and 200 columns, which are more than three words of 64 bits."""
    shape = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 200))
    few = arrays(np.uint16, shape, elements=st.integers(0, 3), fill=st.integers(0, 1))
    gt, pred = data.draw(few), data.draw(few)
    r = data.draw(st.one_of(st.integers(0, 20), st.integers(0, 2 * FAR)))
    pairs = ((1, 1), (2, 2), (1, 3), (3, 1), (1, 65535), (-1, 2))
    wanted = [counted(gt == one, pred == other, r) for one, other in pairs]
    assert contours(layer(gt), layer(pred), pairs, r) == wanted
    assert contours(layer(gt), layer(pred), ((0, 0),), r) == [counted(gt > 0, pred > 0, r)]


@pytest.mark.parametrize("r", [0, 1, 8, 31, 36, 63, 64, 100, FAR, FAR + 1])
def test_a_dot_reaches_as_far_as_the_radius(r: int) -> None:
    """One boundary pixel each, r and r + 1 apart, on either axis and askew: 3-4-5 triangles."""
    for y, x in ((0, 1), (1, 0), (3, 4), (4, 3)):
        far = (y * r, x * r) if y + x == 1 else (y * (r // 5), x * (r // 5))
        whole = r if y + x == 1 else 5 * (r // 5)
        gt, pred, beyond = (np.zeros((far[0] + 3, far[1] + 3), np.uint16) for _ in range(3))
        gt[0, 0] = pred[far] = beyond[far[0] + (y > 0), far[1] + (x > 0)] = 1
        (near,), (gone,) = (contours(layer(gt), layer(m), ((1, 1),), whole) for m in (pred, beyond))
        # A dot inside the image is bounded by the four pixels up and left of it.
        assert near.gt_matched == 1
        assert near.pred_matched >= 1
        assert gone.pred_matched < 4


@given(arrays(np.uint16, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 4)))
def test_definition_and_kernel_are_the_same(ids: Array) -> None:
    pairs = tuple((i, k) for i in range(1, 5) for k in range(1, 5))
    turned = layer(ids[::-1, ::-1])
    assert contours(layer(ids), turned, pairs, 2) == boundary_module._contours(layer(ids), turned, pairs, 2)


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
