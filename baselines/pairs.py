"""Two images of moving layers, and the exact flow between them.

A layer is a texture that lies in the target by one affine map and moves to the reference by another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Affine = NDArray[np.float64]
"""Homogeneous [3, 3] on (column, row, 1) in pixels; the centre of the first pixel is (.5, .5)."""
MIXED = -1  # owner of a pixel in which two layers meet
OPAQUE = 255


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images uint8 [H, W, 3] and the backward flow float32 [H, W, 2], (u, v) in pixels.

    What target[y, x] shows lies at reference(y + v, x + u). visible: bool [H, W], where the four pixels
    around that place show the same layer and nothing else, so that bilinear sampling finds it again.
    """

    target: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    flow: NDArray[np.float32]
    visible: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Layer:
    """An RGB texture with its opacity (mode L, same size), how it lies in the target, and how it moves.

    pose: from texture to target. motion: from target to reference. Both affine and invertible.
    """

    texture: Image.Image
    opacity: Image.Image
    pose: Affine
    motion: Affine


def compose(layers: Sequence[Layer], height: int, width: int) -> Pair:
    """Paint the layers, the farthest first, as target and as reference, and derive the flow.

    In a pixel of two layers the flow is that of the nearest one that covers half of it or more.
    """
    target, shown = _render([(layer, layer.pose) for layer in layers], height, width)
    reference, behind = _render([(layer, layer.motion @ layer.pose) for layer in layers], height, width)
    flow = np.zeros((height, width, 2), np.float32)
    owner = np.full((height, width), MIXED, np.int16)
    for index, (layer, (box, alpha)) in enumerate(zip(layers, shown, strict=True)):
        np.copyto(flow[box], displacement(layer.motion, box), where=alpha[..., None] > OPAQUE // 2)
        _own(owner[box], alpha, index)
    hidden = np.full((height, width), MIXED, np.int16)
    for index, (box, alpha) in enumerate(behind):
        _own(hidden[box], alpha, index)
    return Pair(target, reference, flow, _visible(flow, owner, hidden))


Box = tuple[slice, slice]
Cover = tuple[Box, NDArray[np.uint8]]
"""Rows and columns of the image, and how opaque a layer is there."""


def _render(
    layers: Sequence[tuple[Layer, Affine]], height: int, width: int
) -> tuple[NDArray[np.uint8], list[Cover]]:
    """The image of layers that lie in it by these maps, and what each one covers."""
    image = Image.new("RGB", (width, height))
    covers = []
    for layer, pose in layers:
        left, top, right, bottom = _bounds(layer.texture.size, pose, height, width)
        backward = (np.linalg.inv(pose) @ translation(left, top))[:2].ravel().tolist()
        painted, mask = (
            part.transform(
                (right - left, bottom - top), Image.Transform.AFFINE, backward, Image.Resampling.BILINEAR
            )
            for part in (layer.texture, layer.opacity)
        )
        image.paste(painted, (left, top), mask)
        covers.append(((slice(top, bottom), slice(left, right)), np.asarray(mask)))
    return np.asarray(image), covers


def _bounds(size: tuple[int, int], pose: Affine, height: int, width: int) -> tuple[int, int, int, int]:
    """The pixels (left, top, right, bottom) that a texture (width, height) can touch; one at the least."""
    w, h = size
    corners = (pose @ np.array([[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1]]))[:2]
    limit = np.array([width, height])
    low = np.floor(corners.min(1)).clip(0, limit - 1).astype(int)
    high = np.maximum(np.ceil(corners.max(1)).clip(0, limit).astype(int), low + 1)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _own(owner: NDArray[np.int16], alpha: NDArray[np.uint8], index: int) -> None:
    """Note in a part of the map which pixels a layer takes whole, and in which it is mixed with another."""
    owner[alpha > 0] = MIXED
    owner[alpha == OPAQUE] = index


def _visible(
    flow: NDArray[np.float32], owner: NDArray[np.int16], hidden: NDArray[np.int16]
) -> NDArray[np.bool_]:
    """Where the flow points between four reference pixels of the layer that the target pixel shows."""
    height, width = owner.shape
    x, y = np.arange(width) + flow[..., 0], np.arange(height)[:, None] + flow[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1) & (owner != MIXED)
    x, y = np.where(inside, x, 0), np.where(inside, y, 0)
    rows, columns = ([np.floor(at).astype(int), np.ceil(at).astype(int)] for at in (y, x))
    same = [hidden[row, column] == owner for row in rows for column in columns]
    visible: NDArray[np.bool_] = inside & np.logical_and.reduce(same)
    return visible


def displacement(motion: Affine, box: Box) -> NDArray[np.float32]:
    """How far each pixel centre of a box moves: (u, v) [rows, columns, 2]."""
    rows, columns = (np.arange(side.start, side.stop) + 0.5 for side in box)
    turn = motion[:2, :2] - np.eye(2)
    u, v = (turn[i, 0] * columns + turn[i, 1] * rows[:, None] + motion[i, 2] for i in (0, 1))
    return np.stack([u, v], -1).astype(np.float32)


def translation(x: float, y: float) -> Affine:
    """The map that adds (x, y)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def around(centre: tuple[float, float], angle: float, zoom: float) -> Affine:
    """The map that turns by an angle in radians and zooms, and leaves the centre where it is."""
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    placed: Affine = translation(*centre) @ turn @ translation(-centre[0], -centre[1])
    return placed
