"""What the streaming methods share: segments of a video, and features that follow their key frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor

from vipbench.baselines.canvas import Placement
from vipbench.baselines.loading import load_image, stage
from vipbench.baselines.network import FrameNet, GuidedNet
from vipbench.errors import UserError
from vipbench.types import Frame, Parsing, Video

Offset = int | Literal["all"]


@dataclass(frozen=True)
class Segment:
    """At most l consecutive frames of the source video, as far as they are at hand, and their key frame."""

    number: int
    frames: tuple[Frame, ...]
    key: Frame


@dataclass(frozen=True)
class Seen:
    """A frame, its image [1, 3, canvas], its features [1, C, canvas / 4] and its place on the canvas."""

    frame: Frame
    image: Tensor
    features: Tensor
    placement: Placement


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


def see(frame: Frame, net: FrameNet, device: str) -> Seen:
    """Load a frame and take its features (N_feat)."""
    image, placement = load_image(frame, net, device)
    with stage("features", device):
        return Seen(frame, image, net.features(image), placement)


def propagated(
    parts: Iterable[Segment], key_of: Callable[[Segment], Seen], net: GuidedNet, device: str
) -> Iterator[Seen]:
    """Every annotated frame with features from its key: the key's own, or propagated to it (Eq. 2).

    key_of: the key frame of a segment with the features to propagate. Segments without an annotated frame
    are passed over.
    """
    for part in parts:
        annotated = [frame for frame in part.frames if frame.annotated]
        if not annotated:
            continue
        key = key_of(part)
        for frame in annotated:
            yield key if frame is part.key else _follow(key, frame, net, device)


def _follow(key: Seen, frame: Frame, net: GuidedNet, device: str) -> Seen:
    image, placement = load_image(frame, net, device)
    with stage("propagate", device):
        return Seen(frame, image, net.propagate(key.features, image, key.image), placement)


def parsings(
    streams: Sequence[Iterator[Seen]], net: FrameNet, device: str
) -> Iterator[tuple[Frame, Parsing]]:
    """N_parse on the mean features of streams that go through the same frames in step."""
    for together in zip(*streams, strict=True):
        with stage("heads", device):
            features = torch.stack([seen.features for seen in together]).mean(0)
            parsing = net.parse(features, together[0].placement)
        yield together[0].frame, parsing
