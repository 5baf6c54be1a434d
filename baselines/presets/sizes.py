"""What a preset is made of: one frozen record a part of the network or of its training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Input:
    """The canvas (height, width) in pixels and the side that the shorter image side is scaled up to.

    crop: (height, width) of the random crop of the canvas that training sees; empty for the whole of it.
    """

    height: int
    width: int
    min_side: int
    crop: tuple[int, ...]


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
    """N_parse: widths, anchors (pixels), and how many proposals and RoIs are used.

    top_k: proposals kept before NMS, proposals: after it; train_top_k, train_proposals: the same while
    training, where `rois` of them are sampled for the heads. rpn_nms: overlap from which a proposal goes.
    anchors: sampled for the RPN loss. score, nms, detections: the final filter. mask_side, mask_norm: side
    branch and norm of `nn.mask.MaskHead`.
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
    rois: int
    anchors: int
    score: float
    nms: float
    detections: int


@dataclass(frozen=True)
class Stage:
    """One training stage: optimiser steps, images a step, peak learning rate and its schedule.

    warmup: steps in which the rate rises to its peak. drop: fraction of the steps after which it falls to
    a tenth (the paper's step schedule); 1 means a cosine to zero instead. optimizer: sgd (momentum .9) or
    adamw. decay: weight decay of all but biases and norms. frozen_norm: norms keep their statistics.
    """

    steps: int
    batch: int
    rate: float
    warmup: int
    drop: float
    optimizer: str
    decay: float
    frozen_norm: bool


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
    frame: Stage
    flow_stage: Stage
    temporal: Stage
