"""Layers of others, tap by tap in float64: what imported weights must compute."""

from typing import Any

import numpy as np
import torch


def data(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def chw(x: Any) -> Any:
    """[H, W, C] -> [1, C, H, W]."""
    return torch.from_numpy(x).permute(2, 0, 1)[None]


def convolved(x: Any, kernel: Any, stride: int = 1, pad: int = 1) -> Any:
    """Keras's convolution of x [H, W, in] with [h, w, in, out], tap by tap."""
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    side = kernel.shape[0]
    rows, columns = ((n - side) // stride + 1 for n in x.shape[:2])
    taps = (
        x[i : i + rows * stride : stride, j : j + columns * stride : stride] @ kernel[i, j].astype(float)
        for i in range(side)
        for j in range(side)
    )
    return sum(taps)


def spread(x: Any, kernel: Any, stride: int = 2) -> Any:
    """Keras's transposed convolution, valid: each cell of x [H, W, in] lays down [h, w, out, in]."""
    side, outputs = kernel.shape[0], kernel.shape[2]
    out = np.zeros(((x.shape[0] - 1) * stride + side, (x.shape[1] - 1) * stride + side, outputs))
    for row, column in np.ndindex(*x.shape[:2]):
        place = np.s_[row * stride : row * stride + side, column * stride : column * stride + side]
        out[place] += kernel.astype(float) @ x[row, column]
    return out


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-9, rtol=1e-9)
