"""What a preset is made of: one frozen record a part of the network, and all together."""

from __future__ import annotations

from dataclasses import dataclass

from vipbench.baselines.presets.training import Stage, Targets, Windows


@dataclass(frozen=True)
class Input:
    """The canvas (height, width) in pixels and the side that the shorter image side is scaled up to.

    crop: (height, width) of the random crop of the canvas that training sees; empty for the whole of it.
    mean: RGB, subtracted after padding, so that the padding is -mean; there is no division.
    """

    height: int
    width: int
    min_side: int
    crop: tuple[int, ...]
    mean: tuple[float, ...]


@dataclass(frozen=True)
class FeatureSizes:
    """N_feat: ResNet widths and blocks a stage, ASPP width and rates, decoder widths.

    tap, stride_on: those of `nn.resnet.ResNet`. norm: statistics of the frame model's batch norms
    (`nn.norm.BatchNorm`), guided_norm: of those of the networks that follow the flow.
    """

    stem: int
    planes: tuple[int, ...]
    blocks: tuple[int, ...]
    aspp: int
    rates: tuple[int, ...]
    low: int
    channels: int
    tap: str
    stride_on: str
    norm: str
    guided_norm: str


@dataclass(frozen=True)
class FlowSizes:
    """FlowNet-S: widths of conv1..conv6 and of deconv5..deconv2.

    factor: feature cells for an output of one. bias: of predictions and transposed convolutions.
    """

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    factor: float
    bias: bool


@dataclass(frozen=True)
class Encoding:
    """ATEN's temporal encoding: its gate (`nn.convrnn.GATES`), and l and p that it is trained with."""

    gate: str
    l: int
    p: int


@dataclass(frozen=True)
class HeadSizes:
    """N_parse: widths, anchors (pixels), and what becomes of proposals and persons.

    top_k: proposals kept before NMS, proposals: after it; train_top_k, train_proposals: the same while
    training. rpn_nms: overlap from which a proposal goes. box_std: of (dy, dx, log dh, log dw), which box
    deltas are divided by. score, nms, detections: the filter of persons. mask_threshold: from which
    probability a pixel is the person's. visible: a person that keeps no more than this share of its pixels
    beside those of higher score is dropped. mask_side, mask_norm: side branch and norm of `nn.mask.MaskHead`.
    """

    rates: tuple[int, ...]
    rpn: int
    box: int
    mask: int
    mask_side: bool
    mask_norm: str
    scales: tuple[float, ...]
    ratios: tuple[float, ...]
    top_k: int
    rpn_nms: float
    proposals: int
    train_top_k: int
    train_proposals: int
    box_std: tuple[float, ...]
    score: float
    nms: float
    detections: int
    mask_threshold: float
    visible: float


@dataclass(frozen=True)
class Preset:
    """Everything that builds and trains a network for one task ("vip" or "davis")."""

    name: str
    task: str
    input: Input
    features: FeatureSizes
    flow: FlowSizes
    encoding: Encoding
    heads: HeadSizes
    targets: Targets
    windows: Windows
    frame: Stage
    flow_stage: Stage
    temporal: Stage
