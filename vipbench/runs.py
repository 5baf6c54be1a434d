"""A label map as runs: what of its pixels has to be looked at more than once.

Label maps consist of few and long runs. One pass over the pixels finds them; ids, areas, overlaps, outlines
and content hashes then cost what the runs cost.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import UserError
from vipbench.native import native

MOST_PIXELS = 1 << 30
MOST_PAIRS = 1 << 26


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of equal ids of a map, in reading order; a run ends with its line.

    size: (height, width). starts: int32 [n], the position y * width + x of each run's first pixel. values:
    uint16 [n], its id. ids: uint16, the distinct ids, ascending. masks: kept by metrics/masks.py.
    """

    size: tuple[int, int]
    starts: NDArray[np.int32]
    values: NDArray[np.uint16]
    ids: NDArray[np.uint16]
    masks: dict[tuple[int, ...], object] = field(default_factory=dict, init=False, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        """As bytes, which pickle several times as fast as arrays."""
        return Runs._found, ((self.starts.tobytes(), self.values.tobytes(), self.ids.tobytes()), self.size)

    @classmethod
    def of(cls, ids: NDArray[np.uint8] | NDArray[np.uint16]) -> Runs:
        """The runs of a map [H, W]. Raises ValueError for one whose positions do not fit 31 bits."""
        if ids.size > MOST_PIXELS:
            raise ValueError(f"a map of {ids.size} pixels, more than {MOST_PIXELS}")
        if native and ids.size:
            height, width = ids.shape
            return cls._found(
                native.runs(np.ascontiguousarray(ids), ids.itemsize, height, width, 0), ids.shape
            )
        return cls(ids.shape, *_runs(ids))

    @classmethod
    def of_lines(cls, lines: bytes, size: tuple[int, int]) -> Runs:
        """The runs of a map of 8-bit ids that has a byte before each line, as PNG scanlines have.

        Raises ValueError for another length, and as `of`.
        """
        height, width = size
        if native and 0 < height * width <= MOST_PIXELS:
            return cls._found(native.runs(lines, 1, height, width, 1), size)
        return cls.of(np.frombuffer(lines, np.uint8).reshape(height, width + 1)[:, 1:])

    @classmethod
    def _found(cls, found: tuple[bytes, bytes, bytes], size: tuple[int, int]) -> Runs:
        starts, values, distinct = map(np.frombuffer, found, (np.int32, np.uint16, np.uint16))
        return cls(size, starts, values, distinct)

    @property
    def pixels(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The map [H, W] itself; uint8 where its ids are below 256."""
        small = not len(self.ids) or self.ids[-1] < 256
        kind: type[np.uint8] | type[np.uint16] = np.uint8 if small else np.uint16
        return np.repeat(self.values.astype(kind), self.lengths).reshape(self.size)

    def same(self, other: Runs) -> bool:
        """Whether two maps are equal."""
        alike = self.size == other.size and np.array_equal(self.starts, other.starts)
        return alike and np.array_equal(self.values, other.values)

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """The pixels of each run, int32 [n]."""
        height, width = self.size
        return np.diff(self.starts, append=np.int32(height * width))

    def joint(self, other: Runs) -> NDArray[np.int64]:
        """How many pixels are of each pair of ids, int64 [ids, other's ids]: the joint histogram of two maps.

        Raises ValueError for maps of different sizes, UserError for far more ids than label maps have.
        """
        if self.size != other.size:
            raise ValueError(f"maps of different sizes: {self.size} and {other.size}")
        if len(self.ids) * len(other.ids) > MOST_PAIRS:
            got = f"{len(self.ids)} and {len(other.ids)} different ids in a frame"
            raise UserError(f"{got}, far more than label maps have. Pass ids, not depths or noise")
        height, width = self.size
        if not native or not len(self.starts):
            return _joint(self, other)
        counted = native.joint(self.starts, self.values, other.starts, other.values, height * width)
        return np.frombuffer(counted, np.int64).reshape(len(self.ids), len(other.ids))

    @property
    def digest(self) -> bytes:
        """sha256 of the map's content, whatever its type was or its file is encoded as."""
        digest = hashlib.sha256(f"{self.size[0]} {self.size[1]} {len(self.starts)}\n".encode())
        digest.update(self.starts.data)
        digest.update(self.values.data)
        return digest.digest()


def _runs(
    ids: NDArray[np.uint8] | NDArray[np.uint16],
) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint16]]:
    """The definition: a run starts with each line and wherever an id differs from the one before it."""
    first = np.ones(ids.shape, bool)
    np.not_equal(ids[:, 1:], ids[:, :-1], out=first[:, 1:])
    starts = np.flatnonzero(first).astype(np.int32)
    values = ids.ravel()[starts].astype(np.uint16)
    return starts, values, np.flatnonzero(np.bincount(values)).astype(np.uint16)


def _joint(one: Runs, other: Runs) -> NDArray[np.int64]:
    """The definition: between two neighbouring starts, of either map, all pixels are the same pair of ids."""
    starts = np.sort(np.concatenate([one.starts, other.starts]))
    starts = starts[np.diff(starts, prepend=-1) > 0]
    rows, columns = (
        np.searchsorted(runs.ids, runs.values)[np.searchsorted(runs.starts, starts, side="right") - 1]
        for runs in (one, other)
    )
    shape = len(one.ids), len(other.ids)
    lengths = np.diff(starts, append=one.size[0] * one.size[1])
    counts = np.bincount(rows * shape[1] + columns, lengths, minlength=shape[0] * shape[1])
    return counts.astype(np.int64).reshape(shape)
