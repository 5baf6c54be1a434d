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
from vipbench.baselines.train_log import Log, Terms
from vipbench.baselines.train_starts import same
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
    """Run one stage, from its checkpoint if there is one. Every process of the group takes the same steps.

    Raises UserError, before the step is taken, for a loss or a gradient that is not finite, and where the
    processes see different checkpoints.
    """
    stage = task.stage
    optimizer = _optimizer(model, stage)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(stage, step))
    parts: dict[str, Stateful] = {"model": model, "optimizer": optimizer, "schedule": schedule, "log": log}
    begun = group.agreed(checkpoint.load(parts), str(checkpoint.path))
    for step in range(begun, stage.steps):
        set_mode(model, stage.frozen_norm)
        rate = float(schedule.get_last_lr()[0])
        terms = task.losses(step)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        group.average(model)
        norm = nn.utils.clip_grad_norm_(model.parameters(), stage.clip)
        means = group.mean(terms)
        _demand_finite(means | {"norm of all gradients": norm}, task.title, step, checkpoint.path)
        optimizer.step()
        schedule.step()
        log.add(means)
        if progress and step % LOG_EVERY == 0:
            progress(task.title, step, stage.steps, {name: mean.item() for name, mean in means.items()})
        if log.due(step + 1):
            set_mode(model, frozen_norm=True)
            log.row(step + 1, rate, task.held_out())
        if group.writes and (step + 1) % SAVE_EVERY == 0:
            checkpoint.save(step + 1, parts)
    model.eval()


def _demand_finite(values: Terms, title: str, step: int, checkpoint: Path) -> None:
    """UserError with all values unless each is a number; the last checkpoint is left as it is."""
    if torch.stack([value.float() for value in values.values()]).isfinite().all():
        return
    listed = ", ".join(f"{name} {value.item():.4g}" for name, value in values.items())
    kept = f"{checkpoint} has the last good steps. " if checkpoint.exists() else ""
    raise UserError(
        f"{title}, step {step + 1}: expected finite losses, got {listed}. {kept}"
        "Lower the stage's rate or lengthen its warm-up in the preset; with --precision bf16 try float32"
    )


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
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file raises whatever its bytes happen to mean
            raise UserError(f"{self.path}: damaged checkpoint. Delete it to start again") from error
        same(self.path, state["about"], self.about)
        for name, part in parts.items():
            part.load_state_dict(state["parts"][name])
        return int(state["step"])
