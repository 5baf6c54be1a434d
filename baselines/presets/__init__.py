"""Presets as data: every size and setting of a network, one TOML file a preset.

`paper` is the graph of the ATEN paper at full size, `tiny` the same graph narrow, shallow and at low
resolution. A table named after a task overrides the common one: `[davis.features]` over `[features]`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any, TypeVar

from vipbench.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Input:
    """The canvas (height, width) in pixels and the side that the shorter image side is scaled up to."""

    height: int
    width: int
    min_side: int


@dataclass(frozen=True)
class FeatureSizes:
    """N_feat: ResNet widths and blocks a stage, ASPP width and rates, decoder widths."""

    stem: int
    planes: tuple[int, ...]
    blocks: tuple[int, ...]
    aspp: int
    rates: tuple[int, ...]
    low: int
    channels: int


@dataclass(frozen=True)
class FlowSizes:
    """FlowNet-S widths of conv1..conv6 and of deconv5..deconv2."""

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]


@dataclass(frozen=True)
class HeadSizes:
    """N_parse: widths, anchors (pixels), and how many proposals and RoIs are used.

    top_k: proposals kept before NMS, proposals: after it; train_top_k, train_proposals: the same while
    training, where `rois` of them are sampled for the heads. anchors: sampled for the RPN loss.
    score, nms, detections: the final filter.
    """

    rates: tuple[int, ...]
    rpn: int
    box: int
    mask: int
    scales: tuple[float, ...]
    ratios: tuple[float, ...]
    top_k: int
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
    heads: HeadSizes
    frame: Stage
    flow_stage: Stage
    aten: Stage


def _typed(kind: type[T], table: Mapping[str, Any]) -> T:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    return kind(**{f.name: values[f.name] for f in fields(kind)})  # type: ignore[arg-type]


def names() -> list[str]:
    """The presets that are there."""
    return sorted(p.name.removesuffix(".toml") for p in files(__name__).iterdir() if p.name.endswith(".toml"))


def load(name: str, task: str) -> Preset:
    """The preset for one task. Raises UserError for an unknown name."""
    if name not in names():
        raise UserError(f"unknown preset {name!r}; there are: {', '.join(names())}")
    tables = tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text())
    kinds = {
        "input": Input,
        "features": FeatureSizes,
        "flow": FlowSizes,
        "heads": HeadSizes,
        "frame": Stage,
        "flow_stage": Stage,
        "aten": Stage,
    }
    special = tables.get(task, {})
    parts: dict[str, Any] = {
        key: _typed(kind, tables[key] | special.get(key, {})) for key, kind in kinds.items()
    }
    return Preset(name=name, task=task, **parts)
