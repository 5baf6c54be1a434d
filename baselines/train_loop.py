"""One stage of a training: steps of an optimiser, judged on held-out samples, resumable at any checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from vipbench.atomic import replacing
from vipbench.baselines.presets import Stage
from vipbench.baselines.train_group import Group
from vipbench.baselines.train_log import Log
from vipbench.baselines.train_task import Task
from vipbench.errors import UserError

LOG_EVERY, SAVE_EVERY = 20, 200
Progress = Callable[[str, int, int, dict[str, float]], None]


class Stateful(Protocol):
    """A model, an optimiser, a schedule or a log."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


def fit(
    model: nn.Module,
    task: Task,
    checkpoint: Checkpoint,
    log: Log,
    group: Group,
    progress: Progress | None = None,
) -> None:
    """Run one stage, from its checkpoint if there is one. Every process of the group takes the same steps."""
    stage = task.stage
    optimizer = _optimizer(model, stage)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(stage, step))
    parts: dict[str, Stateful] = {"model": model, "optimizer": optimizer, "schedule": schedule, "log": log}
    for step in range(checkpoint.load(parts), stage.steps):
        set_mode(model, stage.frozen_norm)
        rate = float(schedule.get_last_lr()[0])
        terms = task.losses(step)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        group.average(model)
        nn.utils.clip_grad_norm_(model.parameters(), stage.clip)
        optimizer.step()
        schedule.step()
        means = group.mean(terms)
        log.add(means)
        if progress and step % LOG_EVERY == 0:
            progress(task.title, step, stage.steps, {name: mean.item() for name, mean in means.items()})
        if log.due(step + 1):
            set_mode(model, frozen_norm=True)
            log.row(step + 1, rate, task.held_out())
        if group.writes and (step + 1) % SAVE_EVERY == 0:
            checkpoint.save(step + 1, parts)
    model.eval()


def set_mode(model: nn.Module, frozen_norm: bool) -> None:
    """Training mode; frozen norms keep their statistics (their scale and shift still learn)."""
    model.train()
    if frozen_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def _rate(stage: Stage, step: int) -> float:
    """Share of the peak rate: the warm-up, then a step down or a cosine to zero."""
    warm = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    if stage.drop < 1:
        return warm * (1.0 if step < stage.drop * stage.steps else stage.low)
    return float(warm * (0.5 + 0.5 * torch.cos(torch.tensor(torch.pi * step / stage.steps))))


def _decayed(model: nn.Module) -> Iterable[tuple[bool, nn.Parameter]]:
    """Every trainable parameter, and whether weight decay applies: not to biases and norms."""
    return ((p.ndim > 1, p) for p in model.parameters() if p.requires_grad)


def _optimizer(model: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """The stage's optimiser; biases and norms do not decay."""
    parameters = list(_decayed(model))
    groups = [
        {"params": [p for decay, p in parameters if decay], "weight_decay": stage.decay},
        {"params": [p for decay, p in parameters if not decay], "weight_decay": 0.0},
    ]
    if stage.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=stage.rate, momentum=stage.momentum)
    return torch.optim.AdamW(groups, lr=stage.rate, betas=(stage.momentum, 0.999))


@dataclass(frozen=True)
class Checkpoint:
    """A file that a killed training goes on from, and what it was started as."""

    path: Path
    about: dict[str, str]

    def save(self, step: int, parts: dict[str, Stateful]) -> None:
        """Write the state of all parts after `step` steps, atomically."""
        states = {name: part.state_dict() for name, part in parts.items()}
        with replacing(self.path) as temporary:
            torch.save({"step": step, "about": self.about, "parts": states}, temporary)

    def load(self, parts: dict[str, Stateful]) -> int:
        """Restore all parts and return the number of steps done, 0 without a file.

        Raises UserError for the checkpoint of a training with other settings.
        """
        if not self.path.exists():
            return 0
        try:
            state = torch.load(self.path, weights_only=True)
        except Exception as error:  # a damaged file raises whatever its bytes happen to mean
            raise UserError(f"{self.path}: damaged checkpoint. Delete it to start again") from error
        same(self.path, state["about"], self.about)
        for name, part in parts.items():
            part.load_state_dict(state["parts"][name])
        return int(state["step"])


def same(path: Path, found: dict[str, str], about: dict[str, str]) -> None:
    """UserError where a file in the output folder comes from other settings."""
    other = {key: found.get(key) for key in about if found.get(key) != about[key]}
    if other:
        wanted = {key: about[key] for key in other}
        raise UserError(f"{path} was trained with {other}, asked for {wanted}. Choose another --out")
