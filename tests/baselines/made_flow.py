"""Bilinear sampling in float64, written out: what flow is judged by."""

import numpy as np
from numpy.typing import NDArray


def sampled(image: NDArray[np.uint8], flow: NDArray[np.float32]) -> NDArray[np.float64]:
    """image(y + v, x + u), bilinear in float64, written out; positions moved to the edge."""
    height, width = image.shape[:2]
    x = (np.arange(width) + flow[..., 0].astype(float)).clip(0, width - 1)
    y = (np.arange(height)[:, None] + flow[..., 1].astype(float)).clip(0, height - 1)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, low = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    a, b = (x - left)[..., None], (y - top)[..., None]
    upper = (1 - a) * image[top, left] + a * image[top, right]
    mixed: NDArray[np.float64] = (1 - b) * upper + b * ((1 - a) * image[low, left] + a * image[low, right])
    return mixed


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)
