"""Plain label PNGs, read and written several times faster than by a general library.

Plain: 8 bits a pixel, gray or palette, one image, not interlaced; what every data set here uses. Anything
else, damage included, is left to Pillow. PNG specification, sections 5 (chunks) and 9 (filters).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from vipbench.native import native, zlib
from vipbench.runs import Runs

DAMAGE = (ValueError, struct.error, zlib.error)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, PALETTE = 0, 3
PLAIN = {
    b"IHDR": 13,
    b"PLTE": None,
    b"IDAT": None,
    b"IEND": 0,
    b"tIME": 7,
    b"gAMA": 4,
    b"sRGB": 1,
    b"pHYs": 9,
}
"""The chunks of plain files, and how long they are."""
MOST = 1032
"""How many bytes one byte can be inflated to (RFC 1951): a header that says more lies."""

# glibc gives the memory of an image back to the system and takes it anew, page by page, which is most of the
# time of reading one, until a larger block has been freed: mallopt(3), M_MMAP_THRESHOLD. This one is never
# touched, so it costs nothing.
_freed = bytes(30 << 20)
del _freed


def decode(data: bytes) -> NDArray[np.uint8] | None:
    """The ids [H, W] of a PNG file's bytes: gray values or palette indices; None if it is not a plain one."""
    try:
        return _pixels(*_lines(data))
    except DAMAGE:
        return None


def runs(data: bytes) -> Runs | None:
    """The runs of the same ids; of lines without a filter they are found where these were inflated."""
    try:
        lines, height, width = _lines(data)
        if lines[:: width + 1].count(0) < height:
            return Runs.of(_pixels(lines, height, width))
        return Runs.of_lines(lines, (height, width))
    except DAMAGE:
        return None


def encode(ids: NDArray[np.uint8], colours: bytes | None) -> bytes:
    """A plain PNG file of ids [H, W]. colours: RGB of each id from 0 on; None for gray.

    Runs are what label maps are made of: so compressed, files are smaller than by zlib's own choice, too.
    """
    height, width = ids.shape
    lines = np.zeros((height, width + 1), np.uint8)
    lines[:, 1:] = ids
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    header = struct.pack(">IIBBBBB", width, height, 8, GRAY if colours is None else PALETTE, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", packer.compress(lines.tobytes()) + packer.flush()), (b"IEND", b"")]
    if colours is not None:
        chunks.insert(1, (b"PLTE", colours))
    return SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def _lines(data: bytes) -> tuple[bytes, int, int]:
    """The scanlines, each with its filter byte; height, width."""
    chunks = list(_chunks(data))
    order = [kind for kind, _ in groupby(kind for kind, _ in chunks)]
    # Once each, in one piece: whatever else a file holds, Pillow shall decide.
    once = sum(kind == b"IHDR" for kind, _ in chunks) == 1 and len(set(order)) == len(order)
    fit = all(PLAIN.get(kind, -1) in (None, len(content)) for kind, content in chunks)
    if order[0] != b"IHDR" or not once or not fit:
        raise ValueError("not plain")
    width, height, depth, colour, *methods = struct.unpack(">IIBBBBB", chunks[0][1])
    # Palette images are hardly ever filtered (section 12.7), gray ones nearly always.
    kinds = (GRAY, PALETTE) if native else (PALETTE,)
    if depth != 8 or colour not in kinds or any(methods):
        raise ValueError("not plain")
    packed = b"".join(part for kind, part in chunks if kind == b"IDAT")
    size = height * (width + 1)
    if not 0 < size <= MOST * len(packed) or len(packed) > size + 65536:
        raise ValueError("another size than the header says")
    lines = zlib.decompress(packed, bufsize=size)
    if len(lines) != size:
        raise ValueError("another size than the header says")
    return lines, height, width


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of each chunk up to the end. Raises ValueError for anything but a whole PNG."""
    if not data.startswith(SIGNATURE):
        raise ValueError("no PNG")
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        (check,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(content, zlib.crc32(kind)) != check:
            raise ValueError("damaged")
        at += length + 12
        yield kind, content


def _pixels(lines: bytes, height: int, width: int) -> NDArray[np.uint8]:
    pixels = native.unfilter(lines, height, width) if native else _unfilter(lines, height, width)
    return np.frombuffer(pixels, np.uint8).reshape(height, width)


def _unfilter(lines: bytes, height: int, width: int) -> bytes:
    """The definition for unfiltered lines, the only ones that NumPy undoes faster than Pillow."""
    table = np.frombuffer(lines, np.uint8).reshape(height, width + 1)
    if table[:, 0].any():
        raise ValueError("filtered")
    return table[:, 1:].tobytes()
