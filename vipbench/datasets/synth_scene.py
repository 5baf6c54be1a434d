"""One video of the data set `synth`: people before a moving camera, rendered with everything that is true.

A render keeps, for each pixel, which bone owns it and where on the bone it lies; labels, occlusion and the
exact flow to any other time follow from that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vipbench.datasets.synth_body import BONES, Person, Shape, person, pose

Floats = NDArray[np.float64]
CLUTTER = 14
SHUTTER = (-0.6, -0.3, 0.0, 0.3, 0.6)  # exposure of a motion-blurred frame, in frames


@dataclass(frozen=True)
class Render:
    """What is visible at one time; arrays [H, W].

    owner: bone number BONES * person + bone, -1 for the background. u, v: the point on the bone in body
    units, or the world point of the background. category: class id. human: 1-based person, 0 = none.
    visible: for each person (pixels seen, pixels of its whole silhouette inside the frame).
    """

    owner: NDArray[np.int16]
    u: Floats
    v: Floats
    category: NDArray[np.uint16]
    human: NDArray[np.uint16]
    visible: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Scene:
    """A video's content, fixed by its seed. size: (H, W). people: far to near. camera: start x, y and
    their speeds in pixels a frame, then zoom at frame 0 and its change a frame. blur: kind by frame."""

    size: tuple[int, int]
    length: int
    people: tuple[Person, ...]
    camera: tuple[float, float, float, float, float, float]
    backdrop: Floats
    blur: tuple[str, ...]

    def view(self, t: float) -> tuple[float, float, float]:
        """World point at the image centre, and zoom, at time t."""
        x, y, dx, dy, zoom, change = self.camera
        return x + dx * t, y + dy * t, zoom + change * t

    def bones(self, t: float) -> Floats:
        """Image-space similarities [people * BONES, (x, y, cos * scale, sin * scale)]."""
        cx, cy, zoom = self.view(t)
        height, width = self.size
        rows = []
        for who in self.people:
            for x, y, c, s in pose(who, t):
                scale = who.height * zoom
                rows.append(((x - cx) * zoom + width / 2, (y - cy) * zoom + height / 2, c * scale, s * scale))
        return np.array(rows)

    def render(self, t: float) -> Render:
        """Everything visible at time t."""
        height, width = self.size
        cx, cy, zoom = self.view(t)
        owner = np.full(self.size, -1, np.int16)
        u = np.broadcast_to((np.arange(width) - width / 2) / zoom + cx, self.size).copy()
        v = np.broadcast_to(((np.arange(height) - height / 2) / zoom + cy)[:, None], self.size).copy()
        category, human = np.zeros(self.size, np.uint16), np.zeros(self.size, np.uint16)
        bones, whole = self.bones(t), []
        for number, who in enumerate(self.people):
            silhouette = np.zeros(self.size, bool)
            for shape in who.shapes:
                bone = BONES * number + shape.bone
                window, inside, su, sv = _cover(shape, bones[bone], self.size)
                for target, value in ((owner, bone), (category, shape.category), (human, number + 1)):
                    target[window][inside] = value
                u[window][inside], v[window][inside] = su[inside], sv[inside]
                silhouette[window] |= inside
            whole.append(int(silhouette.sum()))
        seen = np.bincount(human.ravel(), minlength=len(self.people) + 1)[1:]
        return Render(owner, u, v, category, human, tuple(zip(seen.tolist(), whole, strict=True)))

    def flow(self, here: Render, s: float) -> NDArray[np.float32]:
        """Exact backward flow [H, W, (u, v)] from a render to time s: where each pixel's content is then."""
        height, width = self.size
        cx, cy, zoom = self.view(s)
        x, y = (here.u - cx) * zoom + width / 2, (here.v - cy) * zoom + height / 2
        body = here.owner >= 0
        bx, by, c, n = self.bones(s)[here.owner[body]].T
        u, v = here.u[body], here.v[body]
        x[body], y[body] = bx + u * c - v * n, by + u * n + v * c
        columns, rows = np.arange(width), np.arange(height)[:, None]
        return np.stack([x - columns, y - rows], -1).astype(np.float32)

    def shade(self, here: Render) -> Floats:
        """The colours of a render, float64 [H, W, 3] in 0..255."""
        rows = (here.v + self.backdrop.shape[0] / 2).astype(int).clip(0, self.backdrop.shape[0] - 1)
        columns = (here.u + self.backdrop.shape[1] / 2).astype(int).clip(0, self.backdrop.shape[1] - 1)
        image: Floats = self.backdrop[rows, columns]
        body = here.owner >= 0
        who, category = here.owner[body] // BONES, here.category[body]
        frequency, depth = np.moveaxis(self.stripes[who, category], -1, 0)
        wave = np.abs((here.u[body] + 0.5 * here.v[body] + 8) * frequency % 1 - 0.5) * 4 - 1
        image[body] = self.colours[who, category] * (1 - depth * wave)[:, None]
        return image

    @cached_property
    def colours(self) -> Floats:
        """RGB [people, 20, 3]."""
        return np.stack([who.colours for who in self.people])

    @cached_property
    def stripes(self) -> Floats:
        """(frequency, depth) of the texture, [people, 20, 2]."""
        return np.stack([who.stripes for who in self.people])

    def photo(self, frame: int) -> NDArray[np.uint8]:
        """The frame as a camera sees it, uint8 [H, W, 3], blurred where the scene says so."""
        kind = self.blur[frame]
        if kind == "motion":
            image = sum((self.shade(self.render(frame + d)) for d in SHUTTER), np.zeros((*self.size, 3)))
            image = image / len(SHUTTER)
        else:
            image = self.shade(self.render(frame))
        scale = self.size[0] / 96
        image = _disk_blur(image, max(1, round(2 * scale))) if kind == "defocus" else _soften(image)
        return (image.clip(0, 255) + 0.5).astype(np.uint8)


def _cover(
    shape: Shape, bone: Floats, size: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_], Floats, Floats]:
    """The image window around a shape, which of its pixels the shape covers, and their bone points."""
    x, y, c, s = (float(b) for b in bone)
    ends = [(x + u * c - v * s, y + u * s + v * c) for u, v in ((shape.u0, shape.v0), (shape.u1, shape.v1))]
    reach = max(shape.r0, shape.r1) * (c * c + s * s) ** 0.5 + 1
    rows = slice(*(_clip(f(e[1] for e in ends) + r, size[0]) for f, r in ((min, -reach), (max, reach + 1))))
    columns = slice(
        *(_clip(f(e[0] for e in ends) + r, size[1]) for f, r in ((min, -reach), (max, reach + 1)))
    )
    dy = np.arange(rows.start, rows.stop)[:, None] - y
    dx = np.arange(columns.start, columns.stop) - x
    square = c * c + s * s
    u, v = (dx * c + dy * s) / square, (dy * c - dx * s) / square
    au, av = shape.u1 - shape.u0, shape.v1 - shape.v0
    length = au * au + av * av
    along = ((u - shape.u0) * au + (v - shape.v0) * av) / length
    along = along.clip(0, 1)
    du, dv = u - shape.u0 - along * au, v - shape.v0 - along * av
    radius = shape.r0 + along * (shape.r1 - shape.r0)
    return (rows, columns), du * du + dv * dv <= radius * radius, u, v


def _clip(value: float, limit: int) -> int:
    return min(max(int(value), 0), limit)


def _soften(image: Floats) -> Floats:
    """A light 3x3 smoothing, as lenses and sensors have."""
    for axis in (0, 1):
        pad = [(1, 1) if a == axis else (0, 0) for a in range(3)]
        p = np.pad(image, pad, mode="edge")
        n = image.shape[axis]
        before, centre, after = (np.take(p, np.arange(k, n + k), axis) for k in range(3))
        image = (before + 4 * centre + after) / 6
    return image


def _disk_blur(image: Floats, radius: int) -> Floats:
    """The mean over a disk: defocus."""
    height, width = image.shape[:2]
    p = np.pad(image, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    offsets = [
        (y, x)
        for y in range(-radius, radius + 1)
        for x in range(-radius, radius + 1)
        if y * y + x * x <= radius * radius
    ]
    total = np.zeros_like(image)
    for y, x in offsets:
        total += p[radius + y : radius + y + height, radius + x : radius + x + width]
    return total / len(offsets)


def backdrop(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """A textured world plane around the origin, [2 H, 2.5 W, 3]: two octaves of noise, and clutter."""
    height, width = 2 * size[0], size[1] * 5 // 2
    base = 70 + 110 * rng.random(3)
    image = np.zeros((height, width, 3)) + base
    for cell, amount in ((size[0] // 4, 60.0), (size[0] // 16, 36.0)):
        image += amount * (_noise(rng, height, width, cell) - 0.5)
    for _ in range(CLUTTER):
        cy, cx = rng.random() * height, rng.random() * width
        ry, rx = (0.04 + 0.16 * rng.random(2)) * size[0]
        y, x = (np.arange(height)[:, None] - cy) / ry, (np.arange(width) - cx) / rx
        inside = (np.abs(y) < 1) & (np.abs(x) < 1) if rng.random() < 0.6 else y * y + x * x < 1
        image[inside] = 0.35 * image[inside] + 0.65 * 255 * rng.random(3)
    return image.clip(0, 255)


def _noise(rng: np.random.Generator, height: int, width: int, cell: int) -> Floats:
    """Bilinear value noise in 0..1, one random colour a lattice point."""
    lattice = rng.random((height // cell + 2, width // cell + 2, 3))
    y, x = np.arange(height) / cell, np.arange(width) / cell
    i, j = y.astype(int), x.astype(int)
    a, b = (y - i)[:, None, None], (x - j)[None, :, None]
    rows, below = lattice[i], lattice[i + 1]
    top = rows[:, j] * (1 - b) + rows[:, j + 1] * b
    bottom = below[:, j] * (1 - b) + below[:, j + 1] * b
    noise: Floats = top * (1 - a) + bottom * a
    return noise


def scene(
    rng: np.random.Generator,
    size: tuple[int, int],
    length: int,
    crowd: tuple[int, int],
    spread: float,
    blurred: float,
) -> Scene:
    """A random scene. crowd: fewest and most people. spread: width that they share, in frame widths.
    blurred: share of the frames that are blurred, half by motion, half out of focus."""
    unit = size[0] / 96
    count = int(rng.integers(crowd[0], crowd[1] + 1))
    depths = np.sort(rng.random(count))
    slots = rng.permutation(count)
    people = tuple(
        _walker(rng, float(d), int(s), count, spread * size[1], unit, length)
        for d, s in zip(depths, slots, strict=True)
    )
    speed = (rng.random(2) - 0.5) * (2.4, 0.8) * unit
    zoom = (rng.random() - 0.5) * 0.004
    start = -speed * (length - 1) / 2
    camera = (
        float(start[0]),
        float(start[1]),
        float(speed[0]),
        float(speed[1]),
        1 - zoom * (length - 1) / 2,
        zoom,
    )
    order = rng.permutation(length)[: -(-int(blurred * length * 100) // 100)]
    kinds = ["sharp"] * length
    for i, frame in enumerate(order):
        kinds[int(frame)] = ("motion", "defocus")[i % 2]
    return Scene(size, length, people, camera, backdrop(rng, size), tuple(kinds))


def _walker(
    rng: np.random.Generator, depth: float, slot: int, count: int, spread: float, unit: float, length: int
) -> Person:
    """A person of a depth in 0 (far) to 1 (near), who walks about the middle of their slot."""
    height = (56 + 24 * depth + 6 * rng.random()) * unit
    centre = ((slot + 0.5) / count - 0.5) * spread + (rng.random() - 0.5) * 16 * unit
    speed = (rng.random() - 0.5) * 3.2 * unit
    ground = (30 + 12 * depth + 3 * rng.random()) * unit  # where the feet stand, below the image centre
    y = ground - 0.44 * height
    return person(rng, height, (centre - speed * (length - 1) / 2, y, speed, 0.0))
