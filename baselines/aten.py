"""ATEN, the adaptive temporal encoding network (Zhou et al., ACM MM 2018): Algorithm 1.

A video is cut into segments of l frames whose median is the key frame. A key's features are encoded with
those of p former keys, aligned by flow-guided warping, by a ConvGRU; the other frames of the segment get
the encoded features by one more warp. A segment with fewer than p former keys takes p latter ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from vipbench.baselines.costs import cost
from vipbench.baselines.engine import GuidedEngine, Precision, Seen
from vipbench.baselines.loading import FRAME_AND_FLOW, Lent, network
from vipbench.baselines.network import Fields
from vipbench.baselines.network_aten import AtenNet
from vipbench.baselines.nn.convrnn import State
from vipbench.baselines.streaming import (
    Offset,
    Segment,
    annotated,
    offsets,
    parsings,
    planned,
    propagated,
    segments,
)
from vipbench.costs import Cost
from vipbench.errors import UserError
from vipbench.types import Dataset, Frame, Parsing, Video

MOVED = (
    ("flow_input", "half", "half-flow"),
    ("flow_input", "quarter", "quarter-flow"),
    ("carry", True, "carry"),
    ("stride", 8, "stride8"),
    ("width", "half", "narrow"),
    ("refine", True, "refined"),
)
"""Options that move costs: the value, and what the weights that are trained with it are called."""
FAST = ["quarter-flow", "carry", "stride8", "narrow", "refined"]
OWN = {"narrow", "refined"}
"""They have tensors that the weights of others lack."""


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
    border: the warp's. flow_input: the resolution of the images that FlowNet-S sees. refine: sharpen its
    flow and its scale. carry, stride, width: where the temporal unit saves time, see `network_aten`; a
    carried state makes p former keys all of them. The rest as `frame`.
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
        flow_input: Literal["full", "half", "quarter"] = "full",
        refine: bool = False,
        carry: bool = False,
        stride: Literal[4, 8] = 4,
        width: Literal["full", "half"] = "full",
        preset: str = "tiny",
        weights: Path | None = None,
        device: str = "cpu",
        precision: Precision = "float32",
        tight: bool = False,
    ) -> None:
        if l < 1 or p < 0:
            raise UserError(f"method {self.name}: l must be at least 1 and p at least 0, got l={l}, p={p}")
        self.l, self.p = l, p
        self.offsets = offsets(self.name, l, offset)
        encoder = unit if p else None
        moved = {
            "flow_input": flow_input,
            "refine": refine,
            "carry": carry,
            "stride": stride,
            "width": width,
        }
        build = partial(AtenNet, unit=encoder, align=align, border=border, **moved)  # type: ignore[arg-type]
        variant, lent = _weights(encoder, align, moved)
        asked = {"l": l} if carry else {"l": l, "p": p}
        self.net, self.about = network(build, variant, dataset, preset, weights, device, lent, asked)
        self.engine = GuidedEngine(self.net, device, precision, tight)

    @staticmethod
    def trained_as(p: int = 2, unit: str = "gru", align: bool = True, **others: object) -> str:
        """What the training of these options is called: "aten-lstm"."""
        return _weights(unit if p else None, align, others)[0]

    @property
    def period(self) -> int:
        """Frames after which the work repeats: a segment."""
        return self.l

    def cost(self) -> Cost:
        """Multiply-adds of l frames: l - 1 flows to follow the key and, to align, p to encode it.

        With a carried state one flow to it, and one step.
        """
        times, others = len(self.offsets), min(self.p, 1) if self.net.carry else self.p
        flows = self.l - 1 + (others if self.net.align else 0)
        steps = (1 if self.net.carry else self.p + 1) if self.p else 0
        per = {"features": 1, "flow": flows, "warp": flows, "temporal": steps}
        calls = {name: times * count for name, count in per.items()} | {"heads": self.l}
        paper = times == 1 and not self.net.carry
        return cost(self.net, self.l, self.p if paper else None, **calls)

    @torch.inference_mode()
    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """Algorithm 1. At most 2 p + 1 keys are in memory (of each offset), however long the video."""
        streams = [self._stream(segments(video, self.l, offset=offset)) for offset in self.offsets]
        yield from parsings(streams, self.engine)

    def _stream(self, parts: Sequence[Segment]) -> Iterator[list[Seen]]:
        """Every annotated frame with features from its encoded key."""
        if self.p and self.net.carry:
            return self._carried(parts)
        position = {part.number: j for j, part in enumerate(parts)}
        wanted = [
            (part.annotated, [s.key for s in (part, *encoding_keys(parts, position[part.number], self.p))])
            for part in annotated(parts)
        ]
        return propagated(self.engine, planned(wanted), self._encode, self.net.align)

    def _encode(self, key: Seen, others: list[Seen], along: Fields) -> Tensor:
        """The key's features, encoded with those of the others (Eq. 3 to 5)."""
        theirs = [other.features for other in others]
        if self.net.align:
            with self.engine.stage("warp"):
                theirs = [self.net.follow(f, along[i : i + 1]) for i, f in enumerate(theirs)]
        with self.engine.stage("temporal"):
            return self.net.encode_aligned(key.features, theirs[::-1]) if self.net.unit else key.features

    def _carried(self, parts: Sequence[Segment]) -> Iterator[list[Seen]]:
        """The same with a state that is carried from key to key; it starts anew after a gap."""
        wanted = [
            (part.annotated, [s.key for s in (part, *_run(parts, j, -1, 1))]) for j, part in enumerate(parts)
        ]
        state: State | None = None

        def advance(key: Seen, others: list[Seen], along: Fields) -> Tensor:
            nonlocal state
            with self.engine.stage("temporal"):
                if not others or state is None:
                    state = None
                elif self.net.align:
                    state = self.net.carried(state, along.flow)
                features, state = self.net.advance(key.features, state)
            return features

        return propagated(self.engine, planned(wanted), advance, self.net.align)


def _weights(unit: str | None, align: bool, moved: Mapping[str, object]) -> tuple[str, Lent]:
    """What the weights of a variant are called, and whose fill it while it has none of its own.

    moved: the options that move costs.
    """
    parts = [part for key, value, part in MOVED if moved.get(key) == value]
    if not unit:
        return ("aten-p0-refined", ()) if "refined" in parts else ("aten-p0", FRAME_AND_FLOW)
    name = "aten" if unit == "gru" else f"aten-{unit}"
    own = "-".join([name, *([] if align else ["unaligned"]), *(["fast"] if parts == FAST else parts)])
    return own, () if own == name or OWN & set(parts) else ((name, ""),)
