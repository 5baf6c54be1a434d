"""Training: the frame model, FlowNet-S, then each temporal method end to end from both (ATEN paper 3.5).

`train` makes what a method starts from first, in the same folder, and skips what is there already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vipbench.baselines import presets, train_data, train_starts, weights
from vipbench.baselines.backbone import fingerprint, load_backbone
from vipbench.baselines.flow_gate import PASSED, judged, told
from vipbench.baselines.loading import check_device, task_of
from vipbench.baselines.network import FrameNet
from vipbench.baselines.nn.flownet import FlowNetS
from vipbench.baselines.presets import Preset, Stage
from vipbench.baselines.recipes import RECIPES, Recipe
from vipbench.baselines.train_data import Drawn, is_flow
from vipbench.baselines.train_group import ALONE, Group, joined
from vipbench.baselines.train_log import Log, draw
from vipbench.baselines.train_loop import Checkpoint, Progress, fit
from vipbench.baselines.train_task import Computed, task
from vipbench.errors import UserError
from vipbench.types import Dataset

PRECISIONS = ("float32", "bf16")


@dataclass(frozen=True)
class Job:
    """What is asked for: the same for a method and for all that it starts from."""

    sizes: Preset
    dataset: Dataset
    out: Path
    seed: int = 0
    device: str = "cpu"
    precision: str = "float32"
    backbone: Path | None = None
    group: Group = ALONE
    progress: Progress | None = None
    note: Callable[[str], None] | None = None


def train(
    method: str,
    preset: str,
    dataset: Dataset,
    out: Path,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
    precision: str = "float32",
    backbone: Path | None = None,
) -> Path:
    """Train a method from scratch on the data set's train split; returns the weights file in `out`.

    method: one of RECIPES. Steps, rates and batch come from the preset. precision: float32, or bf16 for mixed
    precision; what it starts from, where that is made already, may be of either. backbone: ImageNet weights
    that the frame model starts from (`load_backbone`). Beside the weights lie their curves, CSV and PNG, with
    the loss on samples of the split `val`. Flow learns from the data set's exact flow, else from FlyingChairs
    or procedural pairs (`flow_data`), is judged on pairs held out of these, and its weights say how it did at
    its gate (`flow_gate`). Processes that torchrun starts share each batch. A killed training goes on from
    its last checkpoint to the same files.
    progress(stage, step, steps, losses); note(message). Raises UserError for an unknown method, preset or
    precision, for data that cannot be trained on, for an unfit backbone, for a batch that the processes
    cannot share, for a folder that cannot be written, that the processes do not share, or that holds other
    weights of this name, and for a loss that is not finite.
    """
    if method not in RECIPES:
        raise UserError(f"method {method!r} cannot be trained; there are: {', '.join(RECIPES)}")
    if seed < 0:
        raise UserError(f"seed {seed}: expected 0 or more")
    if precision not in PRECISIONS:
        raise UserError(f"precision {precision!r}; there are: {', '.join(PRECISIONS)}")
    check_device(device)
    job = Job(presets.load(preset, task_of(dataset)), dataset, out, seed, device, precision, backbone)
    with joined(device) as (group, own):
        train_starts.demand_folder(out, group)
        tell = (progress, note) if group.writes else (None, None)
        return _trained(method, replace(job, device=own, group=group, progress=tell[0], note=tell[1]))


def _trained(method: str, job: Job, as_start: bool = False) -> Path:
    """The weights of one method, made unless they are there. as_start: for another method to start from."""
    recipe = RECIPES[method]
    sizes = recipe.sized(job.sizes)
    stage = _stage(recipe, sizes)
    about = _about(method, sizes, job.dataset, job.seed, _chosen(method, job))
    target = train_starts.file_of(job.out, about)
    if job.group.agreed(target.exists(), str(target)):
        if as_start:  # of either precision: the weights themselves are of none
            job = replace(job, precision=weights.about(target).get("precision", PRECISIONS[0]))
            about = _about(method, sizes, job.dataset, job.seed, _chosen(method, job))
        train_starts.made(target, about | train_starts.told(_starts(recipe, job)), as_start)
        return target
    _demand_shares(stage, job.group)
    samples = train_data.drawn(
        method, job.dataset, sizes, job.seed, recipe.fits(sizes) if recipe.fits else None
    )
    if job.note and (lacking := train_data.left_out(samples)):
        job.note(f"{method}: {lacking}")
    starts = {name: _trained(name, job, as_start=True) for name in recipe.starts}
    about |= train_starts.told(starts)
    model = _begun(recipe, starts, job)
    log = Log(target.with_suffix(".csv") if job.group.writes else None, stage.steps)
    checkpoint = Checkpoint(target.with_suffix(".checkpoint"), about)
    how = Computed(job.device, job.precision == "bf16", job.group)
    fit(model, task(method, recipe, model, stage, samples, how), checkpoint, log, job.group, job.progress)
    if job.group.writes:
        _picture(log, target, job.note)
        gate = _gate(model, job.dataset, samples[1], sizes)
        weights.save(model, target, about | log.about() | gate)
        if gate and job.note:
            job.note(told(gate))
        checkpoint.path.unlink(missing_ok=True)
    job.group.wait()
    return target


def _begun(recipe: Recipe, starts: dict[str, Path], job: Job) -> nn.Module:
    """The network before its first step: of the weights that it starts from, the rest by the seed."""
    torch.manual_seed(job.seed)
    model = recipe.build(job.sizes).to(job.device)
    for name, path in starts.items():
        weights.initialise(_part(model, name), path)
        _warn(path, job.note)
    if job.backbone and isinstance(model, FrameNet) and not starts:
        load_backbone(model.features.resnet, job.backbone)
    elif not starts and _stage(recipe, job.sizes).frozen_norm and isinstance(model, FrameNet) and job.note:
        job.note(
            f"preset {job.sizes.name} trains the frame model from random weights, with norms that never see "
            "the data: expect little of it. Pass --backbone FILE, a ResNet trained on ImageNet, or put a "
            f"frame model into {job.out}"
        )
    return model


def _starts(recipe: Recipe, job: Job) -> dict[str, Path]:
    """Where the weights lie that a recipe starts from, whether or not they are made."""
    sizes = {name: RECIPES[name].sized(job.sizes) for name in recipe.starts}
    abouts = {name: _about(name, sizes[name], job.dataset, job.seed) for name in recipe.starts}
    return {name: train_starts.file_of(job.out, about) for name, about in abouts.items()}


def _demand_shares(stage: Stage, group: Group) -> None:
    """UserError unless every process gets equally many images of a batch."""
    if stage.batch % group.size:
        raise UserError(
            f"{group.size} processes cannot share a batch of {stage.batch} images equally. "
            "Start torchrun with a number of processes that divides it"
        )


def _stage(recipe: Recipe, sizes: Preset) -> Stage:
    stage: Stage = getattr(sizes, recipe.stage)
    return stage


def _chosen(method: str, job: Job) -> dict[str, str]:
    """What was chosen beside the preset and decides the weights too."""
    chosen = {} if job.precision == "float32" else {"precision": job.precision}
    if job.backbone and not is_flow(method):
        chosen["backbone"] = fingerprint(job.backbone)
    return chosen


def _about(
    method: str, sizes: Preset, dataset: Dataset, seed: int, chosen: dict[str, str] | None = None
) -> dict[str, str]:
    """What decides the weights. Flow knows no task: the heads of both tasks start from one FlowNet-S."""
    stage = _stage(RECIPES[method], sizes)
    parts = (sizes.features, sizes.flow, sizes.encoding, sizes.heads, sizes.targets, sizes.windows)
    built: Any = sizes.flow if is_flow(method) else parts
    decisive = (sizes.input, built, stage, chosen) if chosen else (sizes.input, built, stage)
    settings = hashlib.sha256(repr(decisive).encode()).hexdigest()[:16]
    about = {"method": method, "preset": sizes.name, "settings": settings, "seed": str(seed)}
    about |= {"data": train_data.named(method, dataset, sizes), "steps": str(stage.steps)} | (chosen or {})
    return about if is_flow(method) else about | {"task": sizes.task, "dataset": dataset.name}


def _part(model: nn.Module, start: str) -> nn.Module:
    """The part of a model that a recipe's weights start: FlowNet-S, or all that carries their names."""
    return model.get_submodule("flow") if is_flow(start) else model


def _gate(model: nn.Module, dataset: Dataset, held_out: Drawn, sizes: Preset) -> dict[str, str]:
    """For the weights' metadata: whether a FlowNet-S is better than no flow at all; nothing for the rest."""
    if not isinstance(model, FlowNetS):
        return {}
    return judged(model, held_out, dataset, sizes.input).about()


def _warn(start: Path, note: Callable[[str], None] | None) -> None:
    """Say so where a training starts from a FlowNet-S that did not pass its gate."""
    about = weights.about(start)
    if note and about.get("gate", PASSED) != PASSED:
        note(f"{start}: {told(about)}")


def _picture(log: Log, target: Path, note: Callable[[str], None] | None) -> None:
    """The curves beside the weights, where matplotlib is there."""
    path = target.with_suffix(".png")
    try:
        draw(log.rows, path, target.stem)
    except ImportError:
        if note:
            note(f"{path} is not drawn: it needs matplotlib, pip install 'vipbench[plots]'")
