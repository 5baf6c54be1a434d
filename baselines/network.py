"""The networks of the ATEN paper, put together: N_feat, FlowNet-S, the temporal unit and N_parse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.canvas import Placement
from vipbench.baselines.instances import paint_persons, vip_parsing
from vipbench.baselines.nn.convrnn import UNITS
from vipbench.baselines.nn.deeplab import FeatureNet
from vipbench.baselines.nn.embedding import Embedding, aggregate
from vipbench.baselines.nn.flownet import STRIDE, FlowNetS
from vipbench.baselines.nn.heads import AtrousClassifier, ParsingRCNN, pixel_loss
from vipbench.baselines.nn.targets import Truth
from vipbench.baselines.nn.warp import warp
from vipbench.baselines.presets import Preset
from vipbench.types import Parsing, SegmentMap

VIP_CLASSES = 20


class ObjectHead(AtrousClassifier):
    """The DAVIS head: no instance branch, two classes (ATEN paper section 4.3)."""

    def losses(
        self, features: Tensor, truths: Sequence[Truth], draws: Sequence[torch.Generator]
    ) -> dict[str, Tensor]:
        """Pixel cross-entropy of background and object; nothing is drawn."""
        return {"parsing": pixel_loss(self(features), torch.stack([t.category for t in truths]))}


class FrameNet(nn.Module):
    """The per-frame baseline: N_feat, then N_parse of the task. norm: N_feat's, in place of the preset's."""

    def __init__(self, preset: Preset, norm: str | None = None) -> None:
        super().__init__()
        self.preset = preset
        channels = preset.features.channels
        self.features = FeatureNet(preset.features, norm or preset.features.norm)
        self.head: ParsingRCNN | ObjectHead = (
            ParsingRCNN(channels, VIP_CLASSES, preset.heads, preset.targets)
            if preset.task == "vip"
            else ObjectHead(channels, 2, preset.heads.rates)
        )

    def parse(self, features: Tensor, placement: Placement) -> Parsing:
        """N_parse on the features of one frame [1, C, H/4, W/4] -> its parsing at the photo's size."""
        if isinstance(self.head, ObjectHead):
            probabilities = placement.restore(self.head(features)[0].softmax(0))
            ids = probabilities.argmax(0).cpu().numpy().astype(np.uint16)
            return Parsing(object=SegmentMap.of(ids))
        (found,), (probabilities,) = self.head.detect(features, [placement.window])
        human = paint_persons(
            placement.boxes(found.boxes),
            found.scores.cpu().numpy(),
            found.masks.cpu().numpy(),
            placement.size,
            self.preset.heads,
        )
        return vip_parsing(placement.restore(probabilities).cpu().numpy(), human)


class GuidedNet(FrameNet):
    """FrameNet with FlowNet-S: features follow the motion from one frame to another (Eq. 1 and 2).

    border: the warp's rule for positions outside the map. half_flow: FlowNet-S sees the images at half
    their resolution, as in Deep Feature Flow's code; else at full, as in ATEN's.
    """

    def __init__(self, preset: Preset, border: str = "aten", half_flow: bool = False) -> None:
        super().__init__(preset, preset.features.guided_norm)
        self.border, self.half_flow = border, half_flow
        self.flow = FlowNetS(preset.flow, preset.features.channels)

    def field(self, target: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 3, H, W] -> flow [N, 2, H/4, W/4] in feature cells and scale [N, C, H/4, W/4]."""
        if not self.half_flow:
            flow, scale = self.flow(target, reference)
            return flow, scale
        flow, scale = self.flow(*(F.avg_pool2d(image, 2, ceil_mode=True) for image in (target, reference)))
        size = (target.shape[2] // STRIDE, target.shape[3] // STRIDE)
        # Two cells of the full image to a cell of the half one.
        return _resized(flow, size) * 2, _resized(scale, size)

    def propagate(self, features: Tensor, target: Tensor, reference: Tensor) -> Tensor:
        """Eq. 2: features of the reference frame, warped to the target and scaled; images [N, 3, H, W]."""
        flow, scale = self.field(target, reference)
        return warp(features, flow, scale, self.border)


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


class AtenNet(GuidedNet):
    """GuidedNet with temporal encoding of the key frames.

    unit: gru, lstm or mean (nn.convrnn.UNITS), None for no encoding. align: the other keys' features are
    warped to the key first; without it is Table 3's "w/o flow-warping align".
    """

    def __init__(
        self,
        preset: Preset,
        unit: str | None = "gru",
        align: bool = True,
        border: str = "aten",
        half_flow: bool = False,
    ) -> None:
        super().__init__(preset, border, half_flow)
        self.align, self.unit = align, unit
        if unit:  # its weights carry its name, so that one unit's never pass for another's
            self.add_module(unit, UNITS[unit](preset.features.channels, preset.encoding.gate))

    def encode(self, image: Tensor, features: Tensor, others: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Eq. 3 to 5: align the other keys' (image, features) to this key, then run the temporal unit.

        others: nearest key first; the unit takes the farthest first and this key last.
        """
        if not self.unit:
            return features
        aligned = [
            self.propagate(theirs, image, other) if self.align else theirs
            for other, theirs in reversed(others)
        ]
        encoded: Tensor = self.get_submodule(self.unit)([*aligned, features])
        return encoded


class FgfaNet(GuidedNet):
    """GuidedNet with FGFA's embedding. The scale field is Deep Feature Flow's own and stays unused."""

    def __init__(self, preset: Preset, border: str = "zeros", half_flow: bool = True) -> None:
        super().__init__(preset, border, half_flow)
        self.channels = c = preset.features.channels
        self.embedding = Embedding(c, (c // 2, c // 2, 2 * c))

    def described(self, features: Tensor) -> Tensor:
        """Features [N, C, H, W] with their embedding [N, E, H, W]: one map, so that one warp moves both."""
        return torch.cat([features, self.embedding(features)], 1)

    def aggregate(self, image: Tensor, described: Tensor, others: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
        """The frame's features averaged with those of other frames, (image, described) each, warped to it.

        The frame itself is in the mean as it is, without a warp.
        """
        warped = (self.warped(image, other, theirs) for other, theirs in others)
        return self.mean(chain([described], warped), described)

    def warped(self, image: Tensor, other: Tensor, described: Tensor) -> Tensor:
        """Another frame's features and embedding, warped to the frame; images [N, 3, H, W]."""
        return warp(described, self.field(image, other)[0], border=self.border)

    def mean(self, maps: Iterable[Tensor], described: Tensor) -> Tensor:
        """Features and embeddings of frames -> their mean features, weighted by likeness to this frame's."""
        split = ((m[:, : self.channels], m[:, self.channels :]) for m in maps)
        return aggregate(split, described[:, self.channels :])
