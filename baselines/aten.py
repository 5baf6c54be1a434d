"""ATEN, the adaptive temporal encoding network (Zhou et al., ACM MM 2018): Algorithm 1.

A video is cut into segments of l frames whose median is the key frame. A key's features are encoded with
those of p former keys, aligned by flow-guided warping, by a ConvGRU; the other frames of the segment get
the encoded features by one more warp. A segment with fewer than p former keys takes p latter ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from vipbench.baselines.costs import cost
from vipbench.baselines.loading import FRAME_AND_FLOW, Lent, network, stage
from vipbench.baselines.network import AtenNet
from vipbench.baselines.streaming import Offset, Seen, Segment, offsets, parsings, propagated, see, segments
from vipbench.costs import Cost
from vipbench.errors import UserError
from vipbench.types import Dataset, Frame, Parsing, Video


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


class Aten:
    """Method `aten`: every row of the paper's tables that is ATEN is an option of it.

    l: frames a segment. p: other key frames that encode a key; with p=0 there is no temporal unit. unit:
    what encodes them. align: warp them to the key first. offset: frames of the first segment that the video
    lacks, 0 as Algorithm 1, or `all` to parse the mean features of all l ways to cut it (see `offsets`).
    border: the warp's. half_flow: FlowNet-S sees images of half the resolution. The rest as `frame`.
    """

    name = "aten"

    def __init__(
        self,
        dataset: Dataset,
        l: int = 3,
        p: int = 2,
        unit: Literal["gru", "lstm", "mean"] = "gru",
        align: bool = True,
        offset: Offset = 0,
        border: Literal["aten", "zeros", "clamp"] = "aten",
        half_flow: bool = False,
        preset: str = "tiny",
        weights: Path | None = None,
        device: str = "cpu",
    ) -> None:
        if l < 1 or p < 0:
            raise UserError(f"method aten: l must be at least 1 and p at least 0, got l={l}, p={p}")
        self.l, self.p, self.device = l, p, device
        self.offsets = offsets(self.name, l, offset)
        encoder = unit if p else None
        build = partial(AtenNet, unit=encoder, align=align, border=border, half_flow=half_flow)
        variant, lent = _weights(encoder, align)
        asked = {"l": l, "p": p}
        self.net, self.about = network(build, variant, dataset, preset, weights, device, lent, asked)

    @staticmethod
    def trained_as(p: int = 2, unit: str = "gru", align: bool = True, **others: object) -> str:
        """What the training of these options is called: "aten-lstm"."""
        return _weights(unit if p else None, align)[0]

    @property
    def period(self) -> int:
        """Frames after which the work repeats: a segment."""
        return self.l

    def cost(self) -> Cost:
        """Multiply-adds of l frames: l - 1 flows to follow the key and, to align, p to encode it."""
        times, steps = len(self.offsets), self.p + 1 if self.p else 0
        flows = self.l - 1 + (self.p if self.net.align else 0)
        per = {"features": 1, "flow": flows, "warp": flows, "temporal": steps}
        calls = {name: times * count for name, count in per.items()} | {"heads": self.l}
        return cost(self.net, self.l, self.p if times == 1 else None, **calls)

    @torch.inference_mode()
    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """Algorithm 1. At most 2 p + 1 keys are in memory (of each offset), however long the video."""
        streams = [self._stream(segments(video, self.l, offset=offset)) for offset in self.offsets]
        yield from parsings(streams, self.net, self.device)

    def _stream(self, parts: Sequence[Segment]) -> Iterator[Seen]:
        """Every annotated frame with features from its encoded key."""
        cache: dict[int, Seen] = {}
        position = {part.number: j for j, part in enumerate(parts)}

        def encoded(part: Segment) -> Seen:
            nonlocal cache
            used = [part, *encoding_keys(parts, position[part.number], self.p)]
            wanted = {s.number for s in used}
            cache = {n: key for n, key in cache.items() if n in wanted or n > part.number - self.p}
            return self._encode([self._key(s, cache) for s in used])

        return propagated(parts, encoded, self.net, self.device)

    def _key(self, part: Segment, cache: dict[int, Seen]) -> Seen:
        if part.number not in cache:
            cache[part.number] = see(part.key, self.net, self.device)
        return cache[part.number]

    def _encode(self, keys: Sequence[Seen]) -> Seen:
        """This key, first of the keys, with the encoded features (Eq. 3 to 5)."""
        this, *others = keys
        with stage("temporal", self.device):
            features = self.net.encode(this.image, this.features, [(k.image, k.features) for k in others])
        return replace(this, features=features)


def _weights(unit: str | None, align: bool) -> tuple[str, Lent]:
    """What the weights of a variant are called, and whose fill it while it has none of its own."""
    if not unit:
        return "aten-p0", FRAME_AND_FLOW
    name = "aten" if unit == "gru" else f"aten-{unit}"
    return (name, ()) if align else (f"{name}-unaligned", ((name, ""),))
