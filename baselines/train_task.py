"""A recipe made into what one process computes: losses of a step, and of the held-out samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from vipbench.baselines.presets import Stage
from vipbench.baselines.recipes import Measured, Recipe
from vipbench.baselines.train_data import Drawn
from vipbench.baselines.train_group import ALONE, Group
from vipbench.baselines.train_log import Terms

HELD_OUT = 16  # samples, the same for every seed


@dataclass(frozen=True)
class Task:
    """What a stage does. losses: this process's terms at a step. held_out: all terms and figures of now."""

    title: str
    stage: Stage
    losses: Callable[[int], Terms]
    held_out: Callable[[], dict[str, float]]


@dataclass(frozen=True)
class Computed:
    """Where and how losses are computed. mixed: networks in bfloat16 where that is safe; losses never are."""

    device: str = "cpu"
    mixed: bool = False
    group: Group = ALONE

    def terms(self, measured: Measured, model: nn.Module, samples: Drawn, step: int, at: range) -> Terms:
        """The terms of the samples at some places of a step's batch."""
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=self.mixed):
            return measured(model, samples, [samples.rng(step, b) for b in at], self.device)

    @torch.no_grad()
    def mean(self, measured: Measured, model: nn.Module, samples: Drawn, batch: int) -> dict[str, float]:
        """Mean terms over the held-out samples, a batch at a time, over all processes."""
        sums: dict[str, float] = {}
        even = HELD_OUT % self.group.size == 0
        mine = self.group.share(HELD_OUT) if even else range(HELD_OUT)
        for start in range(0, len(mine), batch):
            at = mine[start : start + batch]
            for name, term in self.terms(measured, model, samples, 0, at).items():
                sums[name] = sums.get(name, 0.0) + term.item() * len(at)
        return self.group.numbers({name: total / len(mine) for name, total in sums.items()}, self.device)


def task(
    title: str, recipe: Recipe, model: nn.Module, stage: Stage, samples: tuple[Drawn, Drawn], how: Computed
) -> Task:
    """A stage with the losses of a recipe on the samples of each step and on those held out."""
    own, others = samples
    mine = how.group.share(stage.batch)

    def losses(step: int) -> Terms:
        return how.terms(recipe.losses, model, own, step, mine)

    def held_out() -> dict[str, float]:
        return how.mean(recipe.held_out or recipe.losses, model, others, len(mine))

    return Task(title, stage, losses, held_out)
