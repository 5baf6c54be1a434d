"""What the streaming methods share: segments of a video, and features that follow their key frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Any, Literal

from torch import Tensor

from vipbench.baselines.engine import Engine, GuidedEngine, Photo, Seen
from vipbench.baselines.network import Fields
from vipbench.baselines.nn.convrnn import mean_of
from vipbench.errors import UserError
from vipbench.pipeline import ahead
from vipbench.timing import stage
from vipbench.types import Frame, Parsing, Video

Offset = int | Literal["all"]
Photos = dict[int, Photo]
"""By the frame's index."""


@dataclass(frozen=True)
class Segment:
    """At most l consecutive frames of the source video, as far as they are at hand, and their key frame."""

    number: int
    frames: tuple[Frame, ...]
    key: Frame

    @property
    def annotated(self) -> list[Frame]:
        """The frames to parse."""
        return [frame for frame in self.frames if frame.annotated]


@dataclass(frozen=True)
class Step:
    """What is computed together, a segment or so.

    frames: to parse. used: whose features that takes, the key's first. new: those of them that are not known
    from earlier steps. kept: the indices of those that later steps use.
    """

    frames: tuple[Frame, ...]
    used: tuple[Frame, ...]
    new: tuple[Frame, ...]
    kept: frozenset[int]


def first(frames: Sequence[Frame]) -> Frame:
    """The key frame of Deep Feature Flow."""
    return frames[0]


def median(frames: Sequence[Frame]) -> Frame:
    """The key frame of ATEN; in a segment cut short, the median of what there is."""
    return frames[len(frames) // 2]


def segments(
    video: Video, l: int, key: Callable[[Sequence[Frame]], Frame] = median, offset: int = 0
) -> list[Segment]:
    """Segment j has the frames whose index is j * l - offset ... (j + 1) * l - 1 - offset.

    Cut by the frames' index in the source, so that gaps between the frames at hand do not shift the keys.
    """
    groups = groupby(video.frames, key=lambda frame: (frame.index + offset) // l)
    cut = [(number, tuple(frames)) for number, frames in groups]
    return [Segment(number, frames, key(frames)) for number, frames in cut]


def offsets(method: str, l: int, offset: Offset) -> list[int]:
    """The offsets to cut a video at: the one asked for, or all l of them. Raises UserError.

    Where annotated frames are a multiple of l apart (VIP: 25, l = 5), one offset sees them all at one place
    in their segments. What a method scores on average is the mean of the scores at each of the l offsets
    (Deep Feature Flow's protocol for sparse labels). `all` is another thing: one answer from the mean
    features of l segmentations, an ensemble that scores higher than its members.
    """
    if l < 1:
        raise UserError(f"method {method}: l={l}, expected 1 or more frames a segment")
    if offset == "all":
        return list(range(l))
    if not 0 <= offset < l:
        raise UserError(f"method {method}: offset={offset}, expected 0 ... {l - 1} (below l) or all")
    return [offset]


def annotated(parts: Iterable[Segment]) -> list[Segment]:
    """The segments that have frames to parse."""
    return [part for part in parts if part.annotated]


def growing(frames: Sequence[Frame], most: int) -> Iterator[Sequence[Frame]]:
    """A video's first frames in parts of 1, 3, 9 ... `most`: more are read while a part is worked on."""
    start, size = 0, 1
    while start < len(frames):
        yield frames[start : start + size]
        start, size = start + size, min(3 * size, most)


def planned(wanted: Sequence[tuple[Sequence[Frame], Sequence[Frame]]]) -> Iterator[Step]:
    """Steps, given as (frames, used): features are computed once and forgotten after their last use."""
    last = {frame.index: i for i, (_, used) in enumerate(wanted) for frame in used}
    known: set[int] = set()
    for i, (frames, used) in enumerate(wanted):
        new = [frame for frame in used if frame.index not in known]
        known = {n for n in known | {frame.index for frame in new} if last[n] > i}
        yield Step(tuple(frames), tuple(used), tuple(new), frozenset(known))


def played(
    engine: Engine[Any],
    steps: Iterable[Step],
    see: Callable[[Sequence[Photo]], Sequence[Seen]],
    compute: Callable[[Step, Seen, list[Seen], Photos], list[Seen]],
) -> Iterator[list[Seen]]:
    """A video's steps, one after the other, with the photos of the next ones decoded meanwhile.

    see: the features of new photos. compute(step, key, others, photos): the features of the step's frames;
    the key and the others are what it uses, photos those of its frames, by their index.
    """
    known: dict[int, Seen] = {}
    for step, photos in _read(engine, steps):
        for seen in see([photos[frame.index] for frame in step.new]):
            known[seen.photo.frame.index] = seen
        key, *others = (known[frame.index] for frame in step.used)
        here = photos | {n: seen.photo for n, seen in known.items()}
        yield compute(step, key, others, here)
        known = {n: known[n] for n in step.kept}


def _read(engine: Engine[Any], steps: Iterable[Step]) -> Iterator[tuple[Step, Photos]]:
    """Each step with the photos that no earlier step has: of its new frames, and of those it parses alone."""
    both = ((step, _unread(step)) for step in steps)
    asked = (((step, frames), [engine.reading(frame) for frame in frames]) for step, frames in both)
    for (step, frames), found in ahead(asked, "decode"):
        with stage("decode"):
            photos = {f.index: engine.photo(f, *read) for f, read in zip(frames, found, strict=True)}
        yield step, photos


def _unread(step: Step) -> list[Frame]:
    used = {frame.index for frame in step.used}
    return [*step.new, *(frame for frame in step.frames if frame.index not in used)]


def propagated(
    engine: GuidedEngine[Any],
    steps: Iterable[Step],
    encode: Callable[[Seen, list[Seen], Fields], Tensor],
    align: bool = True,
) -> Iterator[list[Seen]]:
    """Segments: every frame with features from its key, the key's own or propagated to it (Eq. 2).

    encode(key, others, fields): the features to propagate, with the fields from the key to the others if
    `align`. All flows of a segment are one batch.
    """

    def compute(step: Step, key: Seen, others: list[Seen], photos: Photos) -> list[Seen]:
        followers = [photos[f.index] for f in step.frames if f.index != key.photo.frame.index]
        between = [(key.photo, other.photo) for other in others] if align else []
        found = engine.fields([*between, *((photo, key.photo) for photo in followers)])
        n = len(between)
        encoded = encode(key, others, found[:n])
        moved = iter(engine.follow(encoded, found[n:]))
        at_key = key.photo.frame.index
        return [Seen(photos[f.index], encoded if f.index == at_key else next(moved)) for f in step.frames]

    return played(engine, steps, engine.features, compute)


def parsings(streams: Sequence[Iterator[list[Seen]]], engine: Engine[Any]) -> Iterator[tuple[Frame, Parsing]]:
    """N_parse on the mean features of streams of the same frames, in the steps of the first."""
    first, *rest = streams
    others = [chain.from_iterable(stream) for stream in rest]
    for seen in first:
        together = zip(seen, *(islice(other, len(seen)) for other in others), strict=True)
        averaged = [_mean(alike) for alike in together] if others else seen
        yield from zip([s.photo.frame for s in seen], engine.parse(averaged), strict=True)


def _mean(alike: Sequence[Seen]) -> Seen:
    return Seen(alike[0].photo, mean_of([seen.features for seen in alike]))
