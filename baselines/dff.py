"""Deep Feature Flow (Zhu et al., CVPR 2017), with the N_feat and N_parse of the ATEN paper.

The first frame of each l is the key frame: N_feat runs on it alone. The other frames get its features, warped
along the flow from the frame into its key and multiplied by the scale field.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from vipbench.baselines.costs import cost
from vipbench.baselines.engine import GuidedEngine, Precision, Seen
from vipbench.baselines.loading import network
from vipbench.baselines.network import GuidedNet
from vipbench.baselines.streaming import (
    Offset,
    annotated,
    first,
    growing,
    offsets,
    parsings,
    planned,
    propagated,
    segments,
)
from vipbench.costs import Cost
from vipbench.types import Dataset, Frame, Parsing, Video


class Dff:
    """Method `dff`. l: from key frame to key frame. The rest as `aten`; the defaults are DFF's own."""

    name = "dff"

    def __init__(
        self,
        dataset: Dataset,
        l: int = 10,
        offset: Offset = 0,
        border: Literal["aten", "zeros", "clamp"] = "zeros",
        flow_input: Literal["full", "half", "quarter"] = "half",
        preset: str = "tiny",
        weights: Path | None = None,
        device: str = "cpu",
        precision: Precision = "float32",
        tight: bool = False,
    ) -> None:
        self.l = l
        self.offsets = offsets(self.name, l, offset)
        build = partial(GuidedNet, border=border, flow_input=flow_input)
        self.net, self.about = network(build, self.name, dataset, preset, weights, device)
        self.engine = GuidedEngine(self.net, device, precision, tight)

    @property
    def period(self) -> int:
        """Frames after which the work repeats: from key to key."""
        return self.l

    def cost(self) -> Cost:
        """Multiply-adds of l frames: l - 1 flows to follow the key."""
        times = len(self.offsets)
        flows = times * (self.l - 1)
        p = 0 if times == 1 else None
        return cost(self.net, self.l, p, features=times, flow=flows, warp=flows, heads=self.l)

    @torch.inference_mode()
    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """One key frame is in memory (of each offset), however long the video."""
        streams = [self._stream(video, offset) for offset in self.offsets]
        yield from parsings(streams, self.engine)

    def _stream(self, video: Video, offset: int) -> Iterator[list[Seen]]:
        """Every annotated frame with features from its key."""
        parts = annotated(segments(video, self.l, first, offset))
        start = [(frames, [part.key]) for part in parts[:1] for frames in growing(part.annotated, self.l)]
        steps = planned(start + [(part.annotated, [part.key]) for part in parts[1:]])
        return propagated(self.engine, steps, lambda key, others, along: key.features)
