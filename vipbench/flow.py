"""Optical flow files in the Middlebury format (.flo)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vipbench.atomic import replacing
from vipbench.errors import ProblemError

MAGIC = np.float32(202021.25)
"""The first four bytes of a .flo file ("PIEH"). Baker et al. 2011, vision.middlebury.edu/flow."""
HEADER = 12
AGAIN = "Write or copy it again"


def read_flow(path: Path) -> NDArray[np.float32]:
    """Flow in pixels, float32 [H, W, 2]: u to the right, v down; what is at (x, y) went to (x + u, y + v).

    Raises UserError for a missing file, another format, and a file that is too short or too long.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProblemError(path, "a .flo file", error.strerror or "nothing", AGAIN) from None
    if len(data) < HEADER or np.frombuffer(data, "<f4", 1)[0] != MAGIC:
        raise ProblemError(path, "a .flo file, which begins with PIEH", f"{data[:4]!r}", AGAIN)
    width, height = (int(n) for n in np.frombuffer(data, "<i4", 2, 4))
    if width <= 0 or height <= 0 or len(data) != HEADER + 8 * width * height:
        expected = f"a width and height above 0 and {HEADER} + 8 x width x height bytes"
        raise ProblemError(path, expected, f"{width} x {height} and {len(data)} bytes", AGAIN)
    flow = np.frombuffer(data, "<f4", offset=HEADER).reshape(height, width, 2)
    return flow.astype(np.float32)


def write_flow(path: Path, flow: NDArray[np.floating]) -> None:
    """Write flow [H, W, 2] in pixels as float32; a reader sees all of it or nothing."""
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ValueError(f"flow must be [H, W, 2], got {list(flow.shape)}")
    size = np.array([flow.shape[1], flow.shape[0]], "<i4")
    with replacing(path) as temporary:
        temporary.write_bytes(MAGIC.astype("<f4").tobytes() + size.tobytes() + flow.astype("<f4").tobytes())
