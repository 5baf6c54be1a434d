"""What a network's training is made of: one frozen record a part of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Targets:
    """Which anchors and RoIs of an image the heads learn from.

    anchors, rois: how many are sampled. anchor_share, roi_share: of them at most positive; there are
    1 / roi_share - 1 negative RoIs to a positive one, and at least roi_least of `rois`. anchor_positive,
    roi_positive: overlap with a person from which one is positive; anchor_negative: below which an anchor is
    negative, a RoI being so below roi_positive.
    """

    anchors: int
    anchor_share: float
    anchor_positive: float
    anchor_negative: float
    rois: int
    roi_share: float
    roi_least: float
    roi_positive: float


@dataclass(frozen=True)
class Windows:
    """Which frames a training sample of DFF and FGFA has beside the current one (ATEN: `Encoding`).

    interval: DFF's key is one of so many frames, the last of which is the current one. before, after: FGFA's
    references are among so many frames on either side and the current one; references: how many they are.
    """

    interval: int
    before: int
    after: int
    references: int


@dataclass(frozen=True)
class Stage:
    """One training stage: optimiser steps, images a step, peak learning rate and its schedule.

    warmup: steps in which the rate rises to its peak. drop: fraction of the steps after which it falls to
    the share `low` of it (the paper's step schedule); 1 means a cosine to zero instead. optimizer: sgd or
    adamw. momentum: of sgd, and the first beta of adamw. decay: weight decay of all but biases and norms.
    clip: the norm that all gradients together are cut to. frozen_norm: norms keep their statistics.
    """

    steps: int
    batch: int
    rate: float
    warmup: int
    drop: float
    low: float
    optimizer: str
    momentum: float
    decay: float
    clip: float
    frozen_norm: bool
