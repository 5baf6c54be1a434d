"""PNG files of every kind that the format has for ids, most of which Pillow cannot write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""x, y of the first pixel of each pass and the steps between its pixels. PNG specification, 8.2."""


@dataclass(frozen=True)
class Kind:
    """bits: of a pixel, 1, 2, 4, 8 or 16. palette: else gray. filter: of every row, 0..4, 5 takes turns."""

    bits: int = 8
    palette: bool = False
    filter: int = 0
    interlaced: bool = False
    transparent: bool = False


def png(ids: np.ndarray, kind: Kind) -> bytes:
    """The file of ids [H, W], each below 2 ** bits."""
    height, width = ids.shape
    header = struct.pack(">IIBBBBB", width, height, kind.bits, 3 * kind.palette, 0, 0, kind.interlaced)
    colours = bytes(np.random.default_rng(0).integers(0, 256, 3 * 2 ** min(kind.bits, 8), np.uint8))
    parts = [("IHDR", header)]
    parts += [("PLTE", colours)] if kind.palette else []
    parts += [("tRNS", b"\0" if kind.palette else b"\0\0")] if kind.transparent else []
    parts += [("IDAT", zlib.compress(b"".join(_passes(ids, kind)), 1)), ("IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name.encode(), content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _passes(ids: np.ndarray, kind: Kind) -> Iterator[bytes]:
    for x, y, dx, dy in ADAM7 if kind.interlaced else ((0, 0, 1, 1),):
        part = ids[y::dy, x::dx]
        if part.size:
            yield _filtered(_packed(part, kind.bits), max(1, kind.bits // 8), kind.filter)


def _packed(ids: np.ndarray, bits: int) -> np.ndarray:
    """The rows as bytes [H, ...], the first pixel in the highest bits."""
    if bits == 16:
        return ids.astype(">u2").view(np.uint8)
    shifts = np.arange(bits - 1, -1, -1)
    spread = (ids[..., None].astype(np.uint8) >> shifts) & 1
    return np.packbits(spread.reshape(len(ids), -1), axis=1)


def _filtered(rows: np.ndarray, pixel: int, filter_: int) -> bytes:
    """Each row after its filter type. pixel: how many bytes the left neighbour is away. PNG spec., 9.2."""
    here = rows.astype(np.int16)
    above = np.vstack([np.zeros_like(here[:1]), here[:-1]])
    left, corner = (np.pad(a, ((0, 0), (pixel, 0)))[:, : here.shape[1]] for a in (here, above))
    guesses = (0 * here, left, above, (left + above) // 2, _paeth(left, above, corner))
    types = np.arange(len(rows)) % 5 if filter_ == 5 else np.full(len(rows), filter_)
    coded = here - np.choose(types[:, None], guesses)
    return np.hstack([types[:, None], coded]).astype(np.uint8).tobytes()


def _paeth(left: np.ndarray, above: np.ndarray, corner: np.ndarray) -> np.ndarray:
    guess = left + above - corner
    far = [abs(guess - other) for other in (left, above, corner)]
    return np.where((far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner))
