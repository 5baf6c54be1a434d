"""From a photo to the network's canvas and back (ATEN paper: larger side 512, zero padded)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vipbench.baselines.presets import Input
from vipbench.pixels import probe, read_photo, resized
from vipbench.types import Ids

if TYPE_CHECKING:  # the process that reads photos has no use for torch
    from torch import Tensor

TIGHT = 64  # FlowNet-S halves six times


@dataclass(frozen=True)
class Placement:
    """Where a photo of `size` (height, width) lies on the canvas: window (y1, x1, y2, x2), in pixels.

    mean: RGB, subtracted from the canvas.
    """

    size: tuple[int, int]
    window: tuple[int, int, int, int]
    canvas: tuple[int, int]
    mean: tuple[float, ...]

    @classmethod
    def of(cls, size: tuple[int, int], spec: Input, tight: bool = False) -> Placement:
        """Scale up until the shorter side is min_side, but never beyond the canvas; centre it.

        tight: of the canvas, no more than a multiple of TIGHT pixels a side that the photo fits into.
        """
        height, width = size
        scale = max(1.0, spec.min_side / min(size))
        scale = min(scale, spec.height / height, spec.width / width)
        h = max(1, min(round(height * scale), spec.height))
        w = max(1, min(round(width * scale), spec.width))
        canvas = (spec.height, spec.width)
        if tight:
            canvas = (min(-(-h // TIGHT) * TIGHT, spec.height), min(-(-w // TIGHT) * TIGHT, spec.width))
        top, left = (canvas[0] - h) // 2, (canvas[1] - w) // 2
        return cls(size, (top, left, top + h, left + w), canvas, spec.mean)

    def image(self, rgb: NDArray[np.uint8]) -> Tensor:
        """uint8 RGB [H, W, 3] -> float32 [3, canvas], mean subtracted."""
        return self.on_canvas(self.resized(Image.fromarray(rgb))).contiguous()

    def resized(self, photo: Image.Image) -> NDArray[np.uint8]:
        """A photo at the size of its window, uint8 RGB."""
        top, left, bottom, right = self.window
        return resized(photo, (bottom - top, right - left))

    def on_canvas(self, resized: NDArray[np.uint8]) -> Tensor:
        """The same in its window, float32 [3, canvas], mean subtracted; channels-last."""
        import torch

        top, left, bottom, right = self.window
        height, width = self.canvas
        lines = np.zeros((height, width * 3), np.uint8)
        lines[top:bottom, 3 * left : 3 * right] = resized.reshape(bottom - top, -1)
        canvas = np.subtract(lines, _line(self.mean, width))
        return torch.from_numpy(canvas).view(height, width, 3).permute(2, 0, 1)

    def labels(self, ids: Ids, fill: int) -> NDArray[np.uint16]:
        """An id map [H, W] -> [canvas], nearest neighbour, padded with `fill`."""
        top, left, bottom, right = self.window
        canvas = np.full(self.canvas, fill, np.uint16)
        rows = ((np.arange(bottom - top) + 0.5) * self.size[0] / (bottom - top)).astype(int)
        columns = ((np.arange(right - left) + 0.5) * self.size[1] / (right - left)).astype(int)
        canvas[top:bottom, left:right] = ids[rows[:, None], columns]
        return canvas

    def restore(self, maps: Tensor) -> Tensor:
        """Maps [C, canvas] -> [C, H, W] of the photo: crop the window, bilinear where its size is another."""
        import torch.nn.functional as F

        top, left, bottom, right = self.window
        cropped = maps[:, top:bottom, left:right]
        if cropped.shape[1:] == self.size:
            return cropped
        return F.interpolate(cropped[None], self.size, mode="bilinear", align_corners=False)[0]

    def boxes(self, boxes: Tensor) -> NDArray[np.int64]:
        """Canvas boxes [N, 4] -> whole pixels of the photo, clipped to it."""
        top, left, bottom, right = self.window
        offset = np.array([top, left, top, left])
        ratio = np.array([self.size[0] / (bottom - top), self.size[1] / (right - left)] * 2)
        pixels = ((boxes.cpu().numpy() - offset) * ratio).astype(np.int64)
        limit: NDArray[np.int64] = pixels.clip(0, np.array([*self.size, *self.size]))
        return limit

    def flow(self, flow: Tensor) -> Tensor:
        """A flow [2, H, W] in pixels of the photo -> [2, canvas] in pixels of the canvas, NaN outside.

        Beside the photo nobody knows the motion: figures leave it out, the training takes it as 0.
        """
        import torch
        import torch.nn.functional as F

        top, left, bottom, right = self.window
        height, width = bottom - top, right - left
        resized = F.interpolate(flow[None], (height, width), mode="bilinear", align_corners=False)[0]
        ratio = torch.tensor([width / self.size[1], height / self.size[0]])
        placed = (left, self.canvas[1] - right, top, self.canvas[0] - bottom)
        return F.pad(resized * ratio[:, None, None], placed, value=torch.nan)


@lru_cache(16)
def _line(mean: tuple[float, ...], width: int) -> NDArray[np.float32]:
    """The mean of each byte of a line, float32 [3 * width]: NumPy is slow along three channels."""
    line = np.tile(np.array(mean, np.float32), width)
    line.flags.writeable = False
    return line


def placed(path: Path, spec: Input, tight: bool) -> tuple[Placement, NDArray[np.uint8]]:
    """A photo's place on the canvas, and its pixels at the size of its window. Raises as `read_photo`."""
    placement = Placement.of(probe(path)[1], spec, tight)
    top, left, bottom, right = placement.window
    return placement, placement.resized(read_photo(path, (bottom - top, right - left)))
