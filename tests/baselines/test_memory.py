"""Memory that is kept for the next maps."""

import subprocess
import sys

import pytest

CODE = """
import ctypes
import numpy as np
from vipbench.baselines import memory

class Info(ctypes.Structure):  # mallinfo2(3)
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd a b c d e".split()]

libc = ctypes.CDLL(None)
if not hasattr(libc, "mallinfo2"):
    raise SystemExit(77)
libc.mallinfo2.restype = Info
{keep}
maps = np.ones(64 << 20, np.uint8)
print(libc.mallinfo2().hblkhd >= maps.nbytes)
"""


@pytest.mark.parametrize(("keep", "mapped"), [("", "True"), ("memory.keep()", "False")])
def test_large_maps_come_from_memory_that_is_kept(keep: str, mapped: str) -> None:
    """By itself glibc maps each anew, page by page."""
    done = subprocess.run([sys.executable, "-c", CODE.format(keep=keep)], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("no glibc 2.33 or newer here")
    assert done.stdout.strip() == mapped, done.stderr
