"""ATEN, the adaptive temporal encoding network (Zhou et al., ACM MM 2018): Algorithm 1.

A video is cut into segments of l frames whose median is the key frame. A key's features are encoded with
those of p former keys, aligned by flow-guided warping, by a ConvGRU; the other frames of the segment get
the encoded features by one more warp. A segment with fewer than p former keys takes p latter ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from vipbench.baselines.canvas import Placement
from vipbench.baselines.loading import about, load_image, network, stage
from vipbench.baselines.network import AtenNet
from vipbench.errors import UserError
from vipbench.types import Dataset, Frame, Parsing, Video


@dataclass(frozen=True)
class Segment:
    """Frames number * l ... number * l + l - 1 of the source video, as far as they are at hand."""

    number: int
    frames: tuple[Frame, ...]

    @property
    def key(self) -> Frame:
        """The median frame; in a segment cut short, the median of what there is."""
        return self.frames[len(self.frames) // 2]


def segments(video: Video, l: int) -> list[Segment]:
    """Cut a video by the frames' index, so that gaps between the frames at hand do not shift the keys."""
    groups = groupby(video.frames, key=lambda frame: frame.index // l)
    return [Segment(number, tuple(frames)) for number, frames in groups]


def encoding_keys(parts: Sequence[Segment], j: int, p: int) -> list[Segment]:
    """The segments whose keys encode that of parts[j], nearest first: p former ones, else p latter ones.

    Neighbours must be contiguous. Where neither side has p (a very short video), the longer side counts.
    """
    former = _run(parts, j, -1, p)
    if len(former) == p:
        return former
    latter = _run(parts, j, 1, p)
    return latter if len(latter) > len(former) else former


def _run(parts: Sequence[Segment], j: int, step: int, p: int) -> list[Segment]:
    found = []
    for i in range(1, p + 1):
        other = j + step * i
        if not 0 <= other < len(parts) or parts[other].number != parts[j].number + step * i:
            break
        found.append(parts[other])
    return found


@dataclass(frozen=True)
class Key:
    """What is kept of a key frame: its image [1, 3, canvas] and raw features [1, C, canvas / 4]."""

    image: Tensor
    features: Tensor
    placement: Placement


class Aten:
    """Method `aten`. l: frames a segment. p: other key frames that encode a key. The rest as `frame`."""

    name = "aten"

    def __init__(
        self,
        dataset: Dataset,
        l: int = 3,
        p: int = 2,
        preset: str = "tiny",
        weights: Path | None = None,
        device: str = "cpu",
    ) -> None:
        if l < 1 or p < 0:
            raise UserError(f"method aten: l must be at least 1 and p at least 0, got l={l}, p={p}")
        self.l, self.p, self.device = l, p, device
        self.net = network(AtenNet, self.name, dataset, preset, weights, device)
        self.about = about(preset, weights)

    @torch.inference_mode()
    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """Algorithm 1. At most 2 p + 1 keys are in memory, however long the video."""
        parts = segments(video, self.l)
        cache: dict[int, Key] = {}
        for j, part in enumerate(parts):
            if not any(frame.annotated for frame in part.frames):
                continue
            others = encoding_keys(parts, j, self.p)
            wanted = {s.number for s in (part, *others)}
            cache = {n: key for n, key in cache.items() if n in wanted or n > part.number - self.p}
            keys = [self._key(s, cache) for s in (part, *others)]
            yield from self._segment(part, keys[0], keys[1:])

    def _key(self, part: Segment, cache: dict[int, Key]) -> Key:
        if part.number not in cache:
            image, placement = load_image(part.key, self.net, self.device)
            with stage("features", self.device):
                cache[part.number] = Key(image, self.net.features(image), placement)
        return cache[part.number]

    def _segment(self, part: Segment, key: Key, others: Sequence[Key]) -> Iterator[tuple[Frame, Parsing]]:
        """Encode the key (Eq. 3 to 5), then propagate to the other frames (Eq. 2) and parse each."""
        with stage("temporal", self.device):
            encoded = self.net.encode(key.image, key.features, [(k.image, k.features) for k in others])
        for frame in part.frames:
            if not frame.annotated:
                continue
            features, placement = encoded, key.placement
            if frame is not part.key:
                image, placement = load_image(frame, self.net, self.device)
                with stage("propagate", self.device):
                    features = self.net.propagate(encoded, image, key.image)
            with stage("heads", self.device):
                parsing = self.net.parse(features, placement)
            yield frame, parsing
