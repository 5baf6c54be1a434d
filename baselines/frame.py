"""The per-frame baseline: Parsing-RCNN (VIP) or the two-class network (DAVIS) on each frame alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from vipbench.baselines.costs import cost
from vipbench.baselines.engine import Engine, Precision
from vipbench.baselines.loading import network
from vipbench.baselines.network import FrameNet
from vipbench.baselines.streaming import growing, parsings, planned, played
from vipbench.costs import Cost
from vipbench.types import Dataset, Frame, Parsing, Video


class FrameMethod:
    """Method `frame`. preset: tiny, small, paper-vip, paper-davis, or one of them with -released after it.

    weights: a file from `vipbench train` or `vipbench weights import`, `random` for none; else the
    shipped one. precision: see `engine`. tight: the canvas is no larger than the photo needs, which leaves
    out what the paper pads.
    """

    name = "frame"
    period = 1

    def __init__(
        self,
        dataset: Dataset,
        preset: str = "tiny",
        weights: Path | None = None,
        device: str = "cpu",
        precision: Precision = "float32",
        tight: bool = False,
    ) -> None:
        self.net, self.about = network(FrameNet, self.name, dataset, preset, weights, device)
        self.engine = Engine(self.net, device, precision, tight)

    def cost(self) -> Cost:
        """Multiply-adds of a frame."""
        return cost(self.net, 1, features=1, heads=1)

    @torch.inference_mode()
    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """N_feat and N_parse on every annotated frame, a batch at a time."""
        parts = growing(video.annotated, self.engine.batch)
        steps = planned([(part, part) for part in parts])
        stream = played(
            self.engine, steps, self.engine.features, lambda step, key, others, photos: [key, *others]
        )
        yield from parsings([stream], self.engine)
