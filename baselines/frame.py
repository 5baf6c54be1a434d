"""The per-frame baseline: Parsing-RCNN (VIP) or the two-class network (DAVIS) on each frame alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from vipbench.baselines.costs import cost
from vipbench.baselines.loading import load_image, network, stage
from vipbench.baselines.network import FrameNet
from vipbench.costs import Cost
from vipbench.types import Dataset, Frame, Parsing, Video


class FrameMethod:
    """Method `frame`. preset: tiny, paper-vip, paper-davis, or one of them with -released after it.

    weights: a file from `vipbench train` or `vipbench weights import`, `random` for none; else the
    shipped one.
    """

    name = "frame"
    period = 1

    def __init__(
        self, dataset: Dataset, preset: str = "tiny", weights: Path | None = None, device: str = "cpu"
    ) -> None:
        self.device = device
        self.net, self.about = network(FrameNet, self.name, dataset, preset, weights, device)

    def cost(self) -> Cost:
        """Multiply-adds of a frame."""
        return cost(self.net, 1, features=1, heads=1)

    @torch.inference_mode()
    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """N_feat and N_parse on every annotated frame."""
        for frame in video.annotated:
            image, placement = load_image(frame, self.net, self.device)
            with stage("features", self.device):
                features = self.net.features(image)
            with stage("heads", self.device):
                parsing = self.net.parse(features, placement)
            yield frame, parsing
