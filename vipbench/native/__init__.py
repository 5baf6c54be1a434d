"""What is compiled and may be absent: `native`, the kernels, or None; `zlib`, zlib-ng or Python's own.

Each kernel has its definition beside the call of it, in NumPy (runs.py, png.py, metrics/region.py,
metrics/boundary.py) or by a library (pixels.py), which is what runs without a compiler and gives the same
values. VIPBENCH_NATIVE=0 turns the kernels off.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import Protocol

OFF = os.environ.get("VIPBENCH_NATIVE") == "0"


class Kernels(Protocol):
    """What the C sources beside this file export. Arrays go in as contiguous buffers, out as bytes."""

    def unfilter(self, lines: bytes, height: int, width: int) -> bytes:
        """PNG scanlines of 8-bit pixels, each with its filter byte, to uint8 [height, width].

        Raises ValueError for another length and for an unknown filter.
        """

    def runs(
        self, ids: object, itemsize: int, height: int, width: int, before: int
    ) -> tuple[bytes, bytes, bytes]:
        """(starts int32 [n], values uint16 [n], distinct values uint16, ascending); see runs.py.

        before: how many bytes before each line are none of it; 1 for PNG scanlines, else 0.
        """

    def joint(
        self, gt_starts: object, gt_values: object, pred_starts: object, pred_values: object, total: int
    ) -> bytes:
        """Pixel counts int64 [gt ids, pred ids] of two maps' runs; see metrics/overlap.py."""

    def masks(
        self, starts: object, values: object, groups: object, count: int, height: int, width: int
    ) -> object:
        """The masks 1..count of a map's runs as bits, for `overlaps` and `contours`.

        groups: uint16 [highest id + 1], the mask that each id belongs to, 0 for none.
        """

    def overlaps(self, gt: object, pred: object, pairs: object) -> bytes:
        """int32 [P, 3]: what `overlaps` in metrics/region.py gives of each pair of masks.

        pairs: uint16 [P, 2], a mask of the ground truth and one of the prediction.
        """

    def contours(self, gt: object, pred: object, pairs: object, radius: int) -> bytes:
        """int32 [P, 4]: what `contours` in metrics/boundary.py gives of each pair of masks."""

    def warp(
        self,
        features: object,
        flow: object,
        scale: object,
        keys: object,
        out: object,
        itemsize: int,
        channels: int,
        height: int,
        width: int,
        border: int,
        threads: int,
    ) -> None:
        """What baselines/nn/warp computes, into `out`.

        By so many of torch's threads where GOMP_parallel is found in the process, else by one.

        features [K, H, W, C], scale (or None) and out [N, H, W, C]: bfloat16, float32 or float64 by itemsize;
        flow [N, 2, H, W] float32, for float64 the same; keys int64 [N] or None. Raises ValueError for other
        sizes and for a key that is not there. Lets other threads run.
        """

    def resize(
        self,
        pixels: object,
        height: int,
        width: int,
        rows: object,
        row_weights: object,
        columns: object,
        column_weights: object,
    ) -> bytes:
        """RGB and a fourth byte, uint8 [height, width, 4] -> uint8 [h, w, 3]; see `resized` in pixels.py.

        pixels: bytes, or a capsule "arrow_array" of lists of four bytes.
        rows: int32 [h], the first of the input rows that an output row sums; row_weights: int32 [h, K], of
        that and the K - 1 next ones, times 2^22; columns the same. Raises ValueError for taps outside.
        """


def _kernels() -> Kernels | None:
    if OFF:
        return None
    try:
        found: Kernels = importlib.import_module("vipbench.native._kernels")
    except ImportError:
        return None
    return found


def _zlib() -> ModuleType:
    """The same bytes, from zlib-ng several times faster: the extra `fast`."""
    try:
        return importlib.import_module("zlib" if OFF else "zlib_ng.zlib_ng")
    except ImportError:
        return importlib.import_module("zlib")


native = _kernels()
zlib = _zlib()
