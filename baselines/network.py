"""The networks of the baselines: N_feat, FlowNet-S and N_parse put together (ATEN's: network_aten.py)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.canvas import Placement
from vipbench.baselines.instances import paint_persons, vip_parsing
from vipbench.baselines.nn.deeplab import FeatureNet
from vipbench.baselines.nn.embedding import Embedding, aggregate
from vipbench.baselines.nn.flownet import STRIDE, FlowNetS
from vipbench.baselines.nn.heads import AtrousClassifier, Detections, ParsingRCNN, pixel_loss
from vipbench.baselines.nn.options import known
from vipbench.baselines.nn.refine import DETAIL, Refinement
from vipbench.baselines.nn.targets import Truth
from vipbench.baselines.nn.warp import warp
from vipbench.baselines.presets import Preset
from vipbench.types import Parsing, SegmentMap

VIP_CLASSES = 20
FLOW_INPUTS = {"full": 1, "half": 2, "quarter": 4}


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

    def parse(self, features: Tensor, placements: Sequence[Placement]) -> list[Parsing]:
        """N_parse on the features of photos [N, C, H/4, W/4] -> their parsings, each at its photo's size."""
        if isinstance(self.head, ObjectHead):
            both = zip(placements, self.head(features).softmax(1), strict=True)
            return [_object(placement.restore(probabilities)) for placement, probabilities in both]
        found, probabilities = self.head.detect(features, [placement.window for placement in placements])
        return list(map(self._persons, placements, found, probabilities))

    def _persons(self, placement: Placement, found: Detections, probabilities: Tensor) -> Parsing:
        human = paint_persons(
            placement.boxes(found.boxes),
            found.scores.cpu().numpy(),
            found.masks.cpu().numpy(),
            placement.size,
            self.preset.heads,
        )
        return vip_parsing(placement.restore(probabilities).cpu().numpy(), human)


def _object(probabilities: Tensor) -> Parsing:
    background, objects = probabilities
    return Parsing(object=SegmentMap.of((objects > background).view(torch.uint8).cpu().numpy()))


@dataclass(frozen=True)
class Fields:
    """What leads from target frames into reference frames, as `GuidedNet.follow` takes it.

    flow: [N, 2, H/4, W/4] in feature cells. scale: [N, C, h, w], as small as FlowNet-S gives it; no channels
    where it is of no use. detail: [N, WIDTH, H/4, W/4], what the refinement sharpens the scale by; no
    channels without one. The scale's C channels are many: they are made at full size when they are used.
    """

    flow: Tensor
    scale: Tensor
    detail: Tensor

    def __len__(self) -> int:
        return len(self.flow)

    def __getitem__(self, where: slice) -> Fields:
        return Fields(self.flow[where], self.scale[where], self.detail[where])

    @classmethod
    def joined(cls, parts: Sequence[Fields]) -> Fields:
        """Those of one batch after the other; of none, empty."""
        if len(parts) == 1:
            return parts[0]
        columns = ([getattr(part, f.name) for part in parts] for f in dataclasses.fields(cls))
        return cls(*(torch.cat(column) if column else torch.empty(0) for column in columns))


class GuidedNet(FrameNet):
    """FrameNet with FlowNet-S: features follow the motion from one frame to another (Eq. 1 and 2).

    border: the warp's rule for positions outside the map. flow_input: the resolution of the images that
    FlowNet-S sees, one of FLOW_INPUTS: full as in ATEN's code, half as in Deep Feature Flow's. refine: its
    flow and scale are sharpened at the resolution of the features (nn.refine).
    """

    scaled = True
    """Whether the scale field is of use."""

    def __init__(
        self, preset: Preset, border: str = "aten", flow_input: str = "full", refine: bool = False
    ) -> None:
        super().__init__(preset, preset.features.guided_norm)
        self.border = border
        self.divisor = FLOW_INPUTS[known("input of the flow network", flow_input, FLOW_INPUTS)]
        self.flow = FlowNetS(preset.flow, preset.features.channels)
        self.refine = Refinement(preset.features.channels) if refine else None
        self.seen = min(self.divisor, STRIDE // DETAIL) if refine else self.divisor

    def field(self, target: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 3, H, W] -> flow [N, 2, H/4, W/4] in feature cells and scale [N, C, H/4, W/4].

        The scale has no channels unless `scaled`.
        """
        found = self.between(self.shrunk(target), self.shrunk(reference))
        return found.flow, self._scale(found) if self.scaled else found.scale

    def shrunk(self, image: Tensor) -> Tensor:
        """An image [N, 3, H, W] as FlowNet-S sees it, or the refinement where that sees more."""
        return pooled(image, self.seen)

    def between(self, target: Tensor, reference: Tensor) -> Fields:
        """Between images that are `shrunk` already, of a canvas that the divisor divides."""
        n, images = self.divisor, (target, reference)
        flow, scale = self.flow(*(pooled(x, n // self.seen) for x in images), scaled=self.scaled)
        size = (target.shape[2] * self.seen // STRIDE, target.shape[3] * self.seen // STRIDE)
        # n cells of the full image to a cell of the small one. Two channels are resized faster as planes.
        flow = resized(flow.contiguous(), size) * n if n > 1 else flow
        if not self.refine:
            return Fields(flow, scale, flow.new_empty(len(flow), 0, *size))
        flow, detail = self.refine(flow, *(pooled(x, STRIDE // DETAIL // self.seen) for x in images))
        return Fields(flow, scale, detail)

    def follow(self, features: Tensor, along: Fields, keys: Tensor | None = None) -> Tensor:
        """Eq. 2: features [M, C, H/4, W/4] of references -> [N, C, H/4, W/4]. keys: as the warp has them."""
        return warp(features, along.flow, self._scale(along), self.border, keys=keys)

    def propagate(self, features: Tensor, target: Tensor, reference: Tensor) -> Tensor:
        """Eq. 2: features of the reference frame, warped to the target and scaled; images [N, 3, H, W]."""
        return self.follow(features, self.between(self.shrunk(target), self.shrunk(reference)))

    def _scale(self, of: Fields) -> Tensor:
        """[N, C, H/4, W/4]."""
        size = (of.flow.shape[2], of.flow.shape[3])
        if self.refine:  # which writes over what it is given
            return self.refine.scaled(resized(of.scale, size), of.detail)
        return of.scale if of.scale.shape[2:] == size else resized(of.scale, size)


def pooled(image: Tensor, n: int) -> Tensor:
    """An image [N, 3, H, W] of a pixel for n x n; n divides its sides.

    F.avg_pool2d up to rounding, which takes two to four times as long for so few channels.
    """
    rows = reduce(torch.add, (image[..., i::n, :] for i in range(n)))
    return reduce(torch.add, (rows[..., j::n] for j in range(n))) / n**2 if n > 1 else image


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps [N, C, h, w] -> [N, C, *size], bilinear."""
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)


class FgfaNet(GuidedNet):
    """GuidedNet with FGFA's embedding. The scale field is Deep Feature Flow's own and stays unused."""

    scaled = False

    def __init__(self, preset: Preset, border: str = "zeros", flow_input: str = "half") -> None:
        super().__init__(preset, border, flow_input)
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
        return self.moved(described, self.field(image, other)[0])

    def moved(self, described: Tensor, flow: Tensor) -> Tensor:
        """Another frame's features and embedding, warped along a flow into it."""
        return warp(described, flow, border=self.border)

    def mean(self, maps: Iterable[Tensor], described: Tensor) -> Tensor:
        """Features and embeddings of frames -> their mean features, weighted by likeness to this frame's."""
        split = ((m[:, : self.channels], m[:, self.channels :]) for m in maps)
        return aggregate(split, described[:, self.channels :])
