"""The C library's memory, kept by the process that runs a network.

glibc gives maps of 32 MB and more back to the system as soon as they are free and takes them anew, page by
page, which at full size takes ten times as long as a warp.
"""

from __future__ import annotations

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h; mallopt(3)
MOST = 2**31 - 1


@cache
def keep() -> None:
    """Have freed memory kept for the next maps; where there is no glibc, nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, MOST)
