"""Training: the frame model, FlowNet-S, then each temporal method end to end from both (ATEN paper 3.5).

`train` makes what a method starts from first, in the same folder, and skips what is there already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vipbench.baselines import presets, weights
from vipbench.baselines.flow_data import Pairs, flow_pairs
from vipbench.baselines.flow_gate import PASSED, judged, told
from vipbench.baselines.loading import check_device, task_of
from vipbench.baselines.nn.flownet import FlowNetS
from vipbench.baselines.presets import Preset, Stage
from vipbench.baselines.recipes import RECIPES, Measured, Recipe
from vipbench.baselines.samples import Samples
from vipbench.baselines.train_log import Log, Terms, draw
from vipbench.baselines.train_loop import Checkpoint, Progress, Task, fit, same
from vipbench.errors import UserError
from vipbench.types import Dataset

Drawn = Samples | Pairs
HELD_OUT = 16  # samples, the same for every seed
FLOW_SHARE = 16  # one in so many videos with exact flow, which the train split alone has, is held out


def train(
    method: str,
    preset: str,
    dataset: Dataset,
    out: Path,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Train a method from scratch on the data set's train split; returns the weights file in `out`.

    method: one of RECIPES. Steps, rates and batch come from the preset. Beside the weights lie their curves,
    CSV and PNG, with the loss on samples of the split `val`. Flow learns from the data set's exact flow, else
    from FlyingChairs or procedural pairs (`flow_data`), is judged on pairs held out of these, and its weights
    say how it did at its gate (`flow_gate`). A killed training goes on from its last checkpoint to the same
    files. progress(stage, step, steps, losses); note(message). Raises UserError for an unknown method or
    preset and for data that cannot be trained on.
    """
    if method not in RECIPES:
        raise UserError(f"method {method!r} cannot be trained; there are: {', '.join(RECIPES)}")
    if seed < 0:
        raise UserError(f"seed {seed}: expected 0 or more")
    check_device(device)
    sizes, recipe = presets.load(preset, task_of(dataset)), RECIPES[method]
    about = _about(method, sizes, dataset, seed)
    target = out / ("-".join(about[k] for k in ("preset", "method", "task") if k in about) + ".safetensors")
    if target.exists():
        found = weights.about(target)
        if "imported" not in found:  # weights of others are a start as they are
            same(target, found, about)
        return target
    samples = _samples(method, dataset, sizes, seed)
    starts = [train(m, preset, dataset, out, seed, device, progress, note) for m in recipe.starts]
    torch.manual_seed(seed)
    model = recipe.build(sizes).to(device)
    for name, path in zip(recipe.starts, starts, strict=True):
        weights.initialise(_part(model, name), path)
        _warn(path, note)
    task = _task(method, model, _stage(recipe, sizes), samples, device)
    checkpoint = Checkpoint(target.with_suffix(".checkpoint"), about)
    log = Log(target.with_suffix(".csv"), task.stage.steps)
    fit(model, task, checkpoint, log, progress)
    _picture(log, target, note)
    weights.save(model, target, about | log.about() | _gate(model, dataset, samples[1], sizes))
    if method == "flow" and note:
        note(told(weights.about(target)))
    checkpoint.path.unlink(missing_ok=True)
    return target


def _stage(recipe: Recipe, sizes: Preset) -> Stage:
    stage: Stage = getattr(sizes, recipe.stage)
    return stage


def _about(method: str, sizes: Preset, dataset: Dataset, seed: int) -> dict[str, str]:
    """What decides the weights. Flow knows no task: the heads of both tasks start from one FlowNet-S."""
    stage = _stage(RECIPES[method], sizes)
    built: Any = sizes.flow if method == "flow" else (sizes.features, sizes.flow, sizes.encoding, sizes.heads)
    settings = hashlib.sha256(repr((sizes.input, built, stage)).encode()).hexdigest()[:16]
    about = {"method": method, "preset": sizes.name, "settings": settings, "seed": str(seed)}
    about |= {"data": _data(method, dataset, sizes), "steps": str(stage.steps)}
    return about if method == "flow" else about | {"task": sizes.task, "dataset": dataset.name}


def _data(method: str, dataset: Dataset, sizes: Preset) -> str:
    """What is learnt from: the data set, or for FlowNet-S pairs with flow where the data set has none."""
    if method != "flow" or hasattr(dataset, "flows"):
        return dataset.version
    return flow_pairs(sizes.input, 0)[0].name


def _part(model: nn.Module, start: str) -> nn.Module:
    """The part of a model that a recipe's weights start: FlowNet-S, or all that carries their names."""
    return model.get_submodule("flow") if start == "flow" else model


def _samples(method: str, dataset: Dataset, sizes: Preset, seed: int) -> tuple[Drawn, Drawn]:
    """What is trained on and what is held out, the latter drawn by a seed of its own."""
    if method == "flow" and not hasattr(dataset, "flows"):
        return flow_pairs(sizes.input, seed)
    if method != "flow":
        train = Samples(dataset, "train", sizes.input, seed)
        return train, Samples(dataset, "val", sizes.input, 0)
    count = max(1, len(dataset.videos("train")) // FLOW_SHARE)
    train = Samples(dataset, "train", sizes.input, seed, slice(None, -count))
    return train, Samples(dataset, "train", sizes.input, 0, slice(-count, None))


def _task(method: str, model: nn.Module, stage: Stage, samples: tuple[Drawn, Drawn], device: str) -> Task:
    """A stage with the losses of a recipe on the samples of each step and on those held out."""
    recipe, (own, others) = RECIPES[method], samples

    def losses(step: int) -> Terms:
        return recipe.losses(model, own, [own.rng(step, b) for b in range(stage.batch)], device)

    def held_out() -> dict[str, float]:
        return _mean(recipe.held_out or recipe.losses, model, others, stage.batch, device)

    return Task(method, stage, losses, held_out)


@torch.no_grad()
def _mean(measured: Measured, model: nn.Module, samples: Drawn, batch: int, device: str) -> dict[str, float]:
    """Mean terms over the held-out samples, a batch at a time."""
    sums: dict[str, float] = {}
    for start in range(0, HELD_OUT, batch):
        rngs = [samples.rng(0, i) for i in range(start, min(start + batch, HELD_OUT))]
        for name, term in measured(model, samples, rngs, device).items():
            sums[name] = sums.get(name, 0.0) + term.item() * len(rngs)
    return {name: total / HELD_OUT for name, total in sums.items()}


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
