"""The networks of the ATEN paper, put together: N_feat, N_flow, ConvGRU and N_parse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.canvas import Placement
from vipbench.baselines.instances import paint_persons, vip_parsing
from vipbench.baselines.nn.convrnn import ConvGRU
from vipbench.baselines.nn.deeplab import FeatureNet
from vipbench.baselines.nn.flownet import FlowNetS
from vipbench.baselines.nn.heads import AtrousClassifier, ParsingRCNN
from vipbench.baselines.nn.targets import Truth
from vipbench.baselines.nn.warp import warp
from vipbench.baselines.presets import Preset
from vipbench.types import Parsing, SegmentMap

VIP_CLASSES = 20


class ObjectHead(AtrousClassifier):
    """The DAVIS head: no instance branch, two classes (ATEN paper section 4.3)."""

    def losses(
        self, features: Tensor, truths: Sequence[Truth], generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Pixel cross-entropy of background and object."""
        category = torch.stack([t.category for t in truths])
        return {"parsing": F.cross_entropy(self(features), category, ignore_index=255)}


class FrameNet(nn.Module):
    """The per-frame baseline: N_feat, then N_parse of the task."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        channels = preset.features.channels
        self.features = FeatureNet(preset.features)
        self.head: ParsingRCNN | ObjectHead = (
            ParsingRCNN(channels, VIP_CLASSES, preset.heads)
            if preset.task == "vip"
            else ObjectHead(channels, 2, preset.heads.rates)
        )

    def parse(self, features: Tensor, placement: Placement) -> Parsing:
        """N_parse on the features of one frame [1, C, H/4, W/4] -> its parsing at the photo's size."""
        if isinstance(self.head, ObjectHead):
            probabilities = placement.restore(self.head(features)[0].softmax(0))
            ids = probabilities.argmax(0).cpu().numpy().astype(np.uint16)
            return Parsing(object=SegmentMap.of(ids))
        found, probabilities = self.head.detect(features, placement.window)
        human = paint_persons(
            placement.boxes(found.boxes),
            found.scores.cpu().numpy(),
            found.masks.cpu().numpy(),
            placement.size,
        )
        return vip_parsing(placement.restore(probabilities).cpu().numpy(), human)


class AtenNet(FrameNet):
    """FrameNet with flow-guided alignment and temporal encoding of the key frames."""

    def __init__(self, preset: Preset) -> None:
        super().__init__(preset)
        self.flow = FlowNetS(preset.flow, preset.features.channels)
        self.gru = ConvGRU(preset.features.channels)

    def propagate(self, features: Tensor, target: Tensor, reference: Tensor) -> Tensor:
        """Eq. 2: features of the reference frame, warped to the target and scaled; images [N, 3, H, W]."""
        flow, scale = self.flow(target, reference)
        propagated: Tensor = warp(features, flow) * scale
        return propagated

    def encode(self, image: Tensor, features: Tensor, others: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Eq. 3 to 5: align the other keys' (image, features) to this key, then run the ConvGRU.

        others: nearest key first; the ConvGRU takes the farthest first and this key last.
        """
        aligned = [self.propagate(theirs, image, other) for other, theirs in reversed(others)]
        encoded: Tensor = self.gru([*aligned, features])
        return encoded
