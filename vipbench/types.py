"""The values that every layer shares: addresses of frames, and what is in their pixels.

Frozen, and free of any reading or writing. Array axes are always [H, W]; boxes are (y1, x1, y2, x2)
in pixels of the frame with y2 and x2 exclusive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import Problem
from vipbench.runs import Runs

Ids = NDArray[np.uint8] | NDArray[np.uint16]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Segment:
    """One row of a SegmentMap: the segment that owns the pixels `ids == id`.

    id: 1..65535. category: class id (1 where there is a single class). human: id of the person it
    belongs to, 0 if none. score: confidence, higher is better. box: the detector's box, if any.
    """

    id: int
    category: int = 1
    human: int = 0
    score: float = 1.0
    box: Box | None = None


_plain = cache(Segment)
"""Rows that say nothing but the id."""


@lru_cache(64)
def _rows(ids: bytes, void: int | None) -> tuple[Segment, ...]:
    """Plain rows of the ids, uint16 [n], that are neither background nor void."""
    return tuple(_plain(i) for i in np.frombuffer(ids, np.uint16).tolist() if i not in (0, void))


@dataclass(frozen=True, eq=False)
class SegmentMap:
    """An id image and a row for each id: disjoint segments of one frame.

    ids: uint8 or uint16 [H, W], 0 = background; convert before any arithmetic, and never change them, since
    what was found of them is kept. segments: in file order; an id may lack pixels and pixels may lack a row,
    both of which `check` reports. A map of plain class ids has no rows at all.
    """

    ids: Ids
    segments: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        if self.ids.dtype not in (np.uint8, np.uint16) or self.ids.ndim != 2:
            got = f"{self.ids.dtype} {list(self.ids.shape)}"
            raise TypeError(f"ids must be uint8 or uint16 [H, W], got {got}")

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process go the runs, a hundredth of the pixels."""
        return SegmentMap._of_runs, (self.runs, self.ids.dtype.str, self.segments)

    @staticmethod
    def _of_runs(runs: Runs, dtype: str, segments: tuple[Segment, ...]) -> SegmentMap:
        return SegmentMap(runs.pixels.astype(dtype, copy=False), segments)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.ids.shape

    @cached_property
    def runs(self) -> Runs:
        """The map as runs of equal ids, found once."""
        return Runs.of(self.ids)

    @property
    def present(self) -> list[int]:
        """The ids that have pixels, background included, ascending."""
        found: list[int] = self.runs.ids.tolist()
        return found

    def with_rows(self, segments: Iterable[Segment]) -> SegmentMap:
        """The same pixels with these rows."""
        made = SegmentMap(self.ids, tuple(segments))
        vars(made)["runs"] = self.runs  # so that they are not found again
        return made

    @classmethod
    def of(cls, ids: Ids, void: int | None = None) -> SegmentMap:
        """A map with a plain row for every id that has pixels, background and void left out."""
        made = cls(ids)
        runs = Runs.of(ids)
        vars(made).update(runs=runs, segments=_rows(runs.ids.tobytes(), void))
        return made

    @classmethod
    def empty(cls, size: tuple[int, int]) -> SegmentMap:
        """All background."""
        return cls(np.zeros(size, np.uint16))


class RunMap(SegmentMap):
    """A map of 8-bit ids made of its runs: pixels once they are asked for, rows as `SegmentMap.of` gives."""

    def __init__(self, runs: Runs, void: int | None = None) -> None:
        vars(self).update(runs=runs, segments=_rows(runs.ids.tobytes(), void))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.runs.size

    @cached_property
    def ids(self) -> Ids:
        """uint8 [H, W]."""
        return self.runs.pixels


@dataclass(frozen=True, slots=True)
class Instance:
    """An object with a mask of its own, a box, or both: a COCO annotation or detection.

    id: distinct in the frame. area: in pixels, of ground truth (None: measure the mask or the box). crowd:
    stands for many. box: (x, y, width, height) in pixels, with fractions. rle: mask, see vipbench.rle.
    """

    id: int
    category: int
    score: float = 1.0
    area: float | None = None
    crowd: bool = False
    box: tuple[float, float, float, float] | None = None
    rle: str | None = None


@dataclass(frozen=True, eq=False)
class Instances:
    """Objects of one frame that may overlap, in file order.

    size: (height, width) in pixels. names: of the categories by id; of ground truth alone.
    """

    size: tuple[int, int]
    rows: tuple[Instance, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict, repr=False)

    @classmethod
    def empty(cls, size: tuple[int, int]) -> Instances:
        """No object."""
        return cls(size)


@dataclass(frozen=True, eq=False)
class Parsing:
    """What is in one frame, layer by layer; a layer that the task does not have is None.

    category: class id of every pixel (VIP 0..19), no rows. human: persons. part: part instances, each
    row with its class as category and its person as human. object: objects of any kind (DAVIS).
    instances: objects that may overlap (COCO), no map. All layers have the same size.
    """

    category: SegmentMap | None = None
    human: SegmentMap | None = None
    part: SegmentMap | None = None
    object: SegmentMap | None = None
    instances: Instances | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels, of any layer. Raises ValueError where there is none."""
        layer: SegmentMap | Instances | None
        for layer in vars(self).values():
            if layer is not None:
                return layer.size
        raise ValueError("this parsing has no layer")

    def layer(self, name: str) -> SegmentMap:
        """The named layer of ids. Raises KeyError where this parsing lacks it."""
        found = getattr(self, name, None)
        if not isinstance(found, SegmentMap):
            raise KeyError(f"this parsing has no layer {name!r}")
        return found

    @classmethod
    def of(cls, layers: Mapping[str, SegmentMap | Instances]) -> Parsing:
        """The layers by name."""
        named: dict[str, Any] = dict(layers)
        return cls(**named)

    @classmethod
    def empty(cls, size: tuple[int, int], layers: Sequence[str]) -> Parsing:
        """Nothing but background, or no object, in each of the layers."""
        return cls.of(
            {n: Instances.empty(size) if n == "instances" else SegmentMap.empty(size) for n in layers}
        )


UNNAMED = frozenset("/\\\0#:")
"""What no name holds."""


def is_name(text: str) -> bool:
    """Whether a video or a frame may be called so: one visible component of a path on any system.

    Folders and files are written, and replaced, under these names; and numbers are told apart by them, in
    which "all", "#" and ":" have a meaning of their own.
    """
    return bool(text) and text != "all" and not text.startswith(".") and UNNAMED.isdisjoint(text)


@dataclass(frozen=True, slots=True)
class Frame:
    """The address of one frame.

    name: as the files call it ("00000", "000000000026"). index: position in the source video, 0-based,
    so that gaps between the frames at hand are visible. annotated: True if its ground truth counts. tags: the
    groups that this frame belongs to, each "<kind>:<name>" ("occlusion:heavy") with a kind of
    vipbench.metrics.measure.KINDS; a group of frames gets numbers of its own.
    """

    video: str
    name: str
    index: int
    image: Path
    annotated: bool = True
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Video:
    """The address of one video: its frames in time order, annotated or not.

    tags: the groups that the whole video belongs to ("attribute:OCC"), as those of a frame.
    """

    id: str
    split: str
    frames: tuple[Frame, ...]
    tags: tuple[str, ...] = ()

    @property
    def annotated(self) -> tuple[Frame, ...]:
        """The frames whose ground truth counts."""
        return tuple(f for f in self.frames if f.annotated)


class Dataset(Protocol):
    """Ground truth and which frames count. A class with these members is a data set plug-in.

    Names of videos and frames must be such that `is_name`.

    layers: the layers that `read` fills and that a method must predict. classes: name of each class id,
    background first. void: the id of unlabelled pixels in the category or object layer, None if there is
    none. protocols: names of the protocols that score it, in the order they are reported. layout: the
    prediction folder format that `run` writes. splits: every split, the default one first. env: the
    environment variable that names its root. about: where to get it, licence, size, how to unpack. A class
    whose root may be a file has `file_root = True`.
    """

    name: str
    version: str
    layers: tuple[str, ...]
    classes: tuple[str, ...]
    void: int | None
    protocols: tuple[str, ...]
    layout: str
    splits: tuple[str, ...]
    env: str
    about: str

    def videos(self, split: str) -> Sequence[Video]:
        """The videos of a split in the order of its list. Raises UserError for a missing list."""

    def read(self, frame: Frame) -> Parsing:
        """The ground truth of an annotated frame. Raises UserError for an unreadable file."""

    def check(self, split: str) -> list[Problem]:
        """Everything wrong with the files of a split, each with how to mend it."""


class Method(Protocol):
    """Anything that parses a video. A factory `(dataset, **options) -> Method` is a method plug-in."""

    name: str

    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """Yield the parsing of every annotated frame, in time order, at the frame's own size.

        Streaming: what is kept between frames does not grow with the length of the video.
        """
