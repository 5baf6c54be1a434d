"""Random image pairs with exact flow: what FlowNet-S learns from where there is no FlyingChairs.

After FlyingChairs (Dosovitskiy et al. 2015, section 4): a textured background with an affine motion, and on
it sprites (ellipses, polygons, blots of noise) with affine motions of their own. Nothing is read from disk.

Over 1,000 pairs of 96x160 the displacements have mean 4.1 pixels, median 3.3, 90th percentile 8.3 and 99th
14.6, and at other sizes in proportion; 22% of the target's pixels are not in the reference or lie on an
outline.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from vipbench.baselines.pairs import OPAQUE, Affine, Layer, Pair, around, compose, translation
from vipbench.errors import UserError

VERSION = "procedural pairs 1"
"""Changed whenever equal seeds no longer give equal pairs."""
LEAST = 16
SPRITES = (5, 20)
SLOW, FAST = 0.004, 0.04  # standard deviation of the shifts in a pair, of the image's width
MARGIN = 0.35  # of the longer side: what the camera's motion can bring in, so that the background never ends
STEEP = [[int(v) for v in ((np.arange(256) - 127.5) * gain + 127.5).clip(0, 255)] for gain in range(1, 11)]
"""Tables for Image.point that raise contrast around the middle grey, 1 to 10 times."""


def make_pair(rng: np.random.Generator, height: int, width: int, sprites: int | None = None) -> Pair:
    """One random pair; equal for equal states of rng. sprites: how many, 5 to 20 at random if None.

    Raises UserError for less than 16 pixels a side.
    """
    if min(height, width) < LEAST:
        raise UserError(f"pairs of {width} x {height} pixels: expected {LEAST} or more a side")
    count = int(rng.integers(SPRITES[0], SPRITES[1] + 1)) if sprites is None else sprites
    # Slow and fast pairs alike: video has more of the slow ones.
    reach = width * float(np.exp(rng.uniform(np.log(SLOW), np.log(FAST))))
    ground = _background(rng, height, width, reach)
    moving = [_sprite(rng, height, width, reach, ground.motion) for _ in range(count)]
    return compose([ground, *moving], height, width)


def _motion(rng: np.random.Generator, centre: tuple[float, float], reach: float) -> Affine:
    """A random motion; reach: standard deviation of the shift in pixels. Cut to fit MARGIN."""
    shift = rng.normal(0, reach, 2).clip(-2.5 * reach, 2.5 * reach)
    angle, zoom = rng.normal(0, 0.03, 2).clip(-0.08, 0.08)
    return translation(*shift) @ around(centre, float(angle), float(np.exp(zoom)))


def _background(rng: np.random.Generator, height: int, width: int, reach: float) -> Layer:
    margin = int(np.ceil(MARGIN * max(height, width)))
    size = (width + 2 * margin, height + 2 * margin)
    motion = _motion(rng, (width / 2, height / 2), reach)
    return Layer(texture(rng, *size), Image.new("L", size, OPAQUE), translation(-margin, -margin), motion)


def _sprite(rng: np.random.Generator, height: int, width: int, reach: float, camera: Affine) -> Layer:
    """A sprite anywhere on the image, which moves on top of the camera's motion."""
    side = max(8, round(min(height, width) * rng.uniform(0.12, 0.5)))
    shape = SHAPES[rng.integers(len(SHAPES))]
    centre = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
    stretch = np.diag([*rng.uniform(0.6, 1.3, 2), 1])
    turn = around((0, 0), float(rng.uniform(0, 2 * np.pi)), 1)
    pose = translation(*centre) @ turn @ stretch @ translation(-side / 2, -side / 2)
    return Layer(texture(rng, side, side), shape(rng, side), pose, _motion(rng, centre, reach) @ camera)


def noise(rng: np.random.Generator, mode: str, width: int, height: int, cell: float) -> Image.Image:
    """Smooth noise over cells of that many pixels, mode "L" (all greys) or "RGB" (about a random colour)."""
    grid = (int(np.ceil(height / cell)) + 1, int(np.ceil(width / cell)) + 1)
    values = rng.integers(0, 256, (*grid, 3) if mode == "RGB" else grid, np.uint8)
    if mode == "RGB":
        low, high = np.sort(rng.uniform(0, 1, (2, 3)), 0)
        values = (low * 255 + (high - low) * values).astype(np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def texture(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """A random RGB texture: smooth colours, half of them in two kinds that meet in edges, and finer noise."""
    side = max(width, height)
    colours = noise(rng, "RGB", width, height, side / rng.uniform(1, 6))
    if rng.integers(2):
        other = noise(rng, "RGB", width, height, side / rng.uniform(1, 6))
        edges = noise(rng, "L", width, height, max(3.0, side / rng.uniform(3, 20)))
        colours = Image.composite(colours, other, edges.point(STEEP[rng.integers(len(STEEP))]))
    return Image.blend(colours, noise(rng, "RGB", width, height, rng.uniform(2.5, 8)), rng.uniform(0.05, 0.5))


def _ellipse(rng: np.random.Generator, side: int) -> Image.Image:
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((1, 1, side - 2, side - 2), fill=OPAQUE)
    return mask


def _polygon(rng: np.random.Generator, side: int) -> Image.Image:
    """Three to ten corners around the centre at random distances: convex or a star."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 11)))
    radii = (side / 2 - 1) * rng.uniform(0.4, 1, len(angles))
    x, y = side / 2 + np.cos(angles) * radii, side / 2 + np.sin(angles) * radii
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).polygon(list(zip(x.tolist(), y.tolist(), strict=True)), fill=OPAQUE)
    return mask


def _blot(rng: np.random.Generator, side: int) -> Image.Image:
    """Islands of noise within an ellipse, with soft edges."""
    islands = noise(rng, "L", side, side, max(3.0, side / rng.uniform(2, 6))).point(STEEP[7])
    return Image.composite(islands, Image.new("L", (side, side)), _ellipse(rng, side))


SHAPES: tuple[Callable[[np.random.Generator, int], Image.Image], ...] = (_ellipse, _polygon, _blot)
