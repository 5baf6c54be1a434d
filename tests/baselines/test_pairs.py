"""Procedural pairs: their flow is exact, and what is visible is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_flow import rng, sampled  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines.pairs import OPAQUE, Layer, around, compose, translation  # noqa: E402
from vipbench.baselines.procedural import make_pair, texture  # noqa: E402


def plane(motion: NDArray[np.float64], seed: int = 0) -> Layer:
    """A textured layer that is there everywhere, 64 pixels beyond an image of 48x80."""
    size = (208, 176)
    return Layer(
        texture(np.random.default_rng(seed), *size),
        Image.new("L", size, OPAQUE),
        translation(-64, -64),
        motion,
    )


def square(left: int, top: int, side: int, motion: NDArray[np.float64]) -> Layer:
    return Layer(
        texture(np.random.default_rng(5), side, side),
        Image.new("L", (side, side), OPAQUE),
        translation(left, top),
        motion,
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_reference_warped_by_the_flow_is_the_target_where_it_is_visible(seed: int) -> None:
    pair = make_pair(rng(seed), 96, 160)
    target, moved = pair.target.astype(float), pair.reference.astype(float)
    error = np.abs(sampled(pair.reference, pair.flow) - target).mean(2)[pair.visible]
    still = np.abs(moved - target).mean(2)[pair.visible]
    assert 0.4 < pair.visible.mean() < 1
    assert error.mean() < 1.5  # of 255: two bilinear samplings and the rounding
    assert np.quantile(error, 0.99) < 16
    assert error.mean() < 0.5 * still.mean()


@pytest.mark.parametrize("shift", [(3, 0), (0, -2), (5, 7), (-4, 1)])
def test_a_translation_is_its_flow_to_the_bit_and_shifts_the_pixels(shift: tuple[int, int]) -> None:
    pair = compose([plane(translation(*shift))], 48, 80)
    assert (pair.flow == np.array(shift, np.float32)).all()
    u, v = shift
    rows = slice(max(0, -v), 48 - max(0, v))
    columns = slice(max(0, -u), 80 - max(0, u))
    there = pair.reference[
        rows.start + v : rows.stop + v,
        columns.start + u : columns.stop + u,
    ]
    assert np.array_equal(pair.target[rows, columns], there)
    inside = np.zeros((48, 80), bool)
    inside[rows, columns] = True
    assert np.array_equal(pair.visible, inside)


def test_no_motion_is_no_flow_and_one_image() -> None:
    pair = compose([plane(np.eye(3)), square(10, 10, 12, np.eye(3))], 48, 80)
    assert not pair.flow.any()
    assert pair.visible.all()
    assert np.array_equal(pair.target, pair.reference)


def test_a_turn_and_a_zoom_move_pixel_centres_as_the_formula_says() -> None:
    centre, angle, zoom = (40.0, 24.0), 0.05, 1.04
    pair = compose([plane(around(centre, angle, zoom))], 48, 80)
    for x, y in ((0, 0), (79, 0), (13, 40), (40, 24)):
        z = complex(x + 0.5 - centre[0], y + 0.5 - centre[1])
        moved = z * zoom * np.exp(1j * angle) - z
        assert pair.flow[y, x] == pytest.approx([moved.real, moved.imag], abs=1e-5)


def test_what_a_sprite_covers_in_the_reference_is_not_visible() -> None:
    """A square of 12 moves 6 to the right over a still ground: hand-counted."""
    pair = compose([plane(np.eye(3)), square(20, 10, 12, translation(6, 0))], 48, 80)
    covered = np.zeros((48, 80), bool)
    covered[10:22, 32:38] = True  # ground in the target, square in the reference
    assert np.array_equal(~pair.visible, covered)
    moving = np.zeros((48, 80), bool)
    moving[10:22, 20:32] = True
    assert np.array_equal(pair.flow[..., 0], 6.0 * moving)
    assert not pair.flow[..., 1].any()


def test_a_sprite_outside_the_image_changes_nothing() -> None:
    alone = compose([plane(translation(1, 0))], 48, 80)
    for left, top in ((-40, 5), (200, 5), (5, -60), (5, 90)):
        both = compose([plane(translation(1, 0)), square(left, top, 12, np.eye(3))], 48, 80)
        assert np.array_equal(both.target, alone.target)
        assert np.array_equal(both.flow, alone.flow)


def test_pairs_depend_on_the_seed_alone() -> None:
    one, two, other = (make_pair(rng(*s), 48, 80) for s in ((1, 2), (1, 2), (1, 3)))
    assert np.array_equal(one.target, two.target)
    assert np.array_equal(one.flow, two.flow)
    assert not np.array_equal(one.target, other.target)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (33, 129), (128, 64)])
def test_any_canvas(height: int, width: int) -> None:
    pair = make_pair(rng(0), height, width)
    assert pair.target.shape == pair.reference.shape == (height, width, 3)
    assert pair.flow.shape == (height, width, 2)
    assert np.isfinite(pair.flow).all()


def test_too_small_a_canvas_is_refused() -> None:
    with pytest.raises(UserError, match="16 or more"):
        make_pair(rng(0), 8, 80)


def test_sprites_move_on_their_own() -> None:
    """More than the background's single affine field is in a pair."""
    y, x = np.mgrid[:96, :160]
    basis = np.stack([np.ones(96 * 160), x.ravel(), y.ravel()], 1)
    rest = []
    for seed in range(10):
        flow = make_pair(rng(seed), 96, 160).flow.reshape(-1, 2)
        rest.append(np.abs(basis @ np.linalg.lstsq(basis, flow, rcond=None)[0] - flow).mean())
    assert np.mean(rest) > 0.5


def test_displacements_are_what_the_docstring_says() -> None:
    flows = [make_pair(rng(1, i), 96, 160).flow for i in range(60)]
    length = np.linalg.norm(np.stack(flows), axis=-1)
    assert 3 < length.mean() < 5.5
    assert 2 < np.median(length) < 4.5
