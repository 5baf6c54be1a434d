"""The record of a training: loss terms, learning rate and held-out loss by step, as CSV and picture."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from statistics import fmean
from typing import Any

from torch import Tensor

from vipbench.atomic import replacing, write_text

ROWS = 40
LEVEL = 0.02
Row = dict[str, float]
Terms = dict[str, Tensor]


class Log:
    """One row for each fortieth of a stage's steps, in `path`; without one in memory alone.

    Columns: step (optimiser steps done), rate (of the last of them), every loss term and their `total`, means
    over the steps since the row before; `held_out`, the total on the held-out samples, and its terms as
    `held_out_<term>`. The state is a checkpoint's part, so that a training that was resumed writes the file
    of one that was not.
    """

    def __init__(self, path: Path | None, steps: int) -> None:
        self.path, self.steps, self.every = path, steps, max(1, steps // ROWS)
        self.rows: list[Row] = []
        self.sums: Terms = {}
        self.count = 0

    def add(self, terms: Terms) -> None:
        """The loss terms of one step, without gradients."""
        self.sums = {n: term + self.sums.get(n, 0) for n, term in terms.items()}
        self.count += 1

    def due(self, step: int) -> bool:
        """Whether a row is written after `step` steps."""
        return step % self.every == 0 or step == self.steps

    def row(self, step: int, rate: float, held: dict[str, float]) -> None:
        """Write the file with a row more. held: the terms on the held-out samples, and other figures."""
        means = {name: term.item() / self.count for name, term in self.sums.items()}
        judged = {"held_out": sum(held[name] for name in means)} | {
            f"held_out_{name}": value for name, value in held.items()
        }
        self.rows.append({"step": step, "rate": rate} | means | {"total": sum(means.values())} | judged)
        self.sums, self.count = {}, 0
        if self.path:
            write_text(self.path, self.text())

    def text(self) -> str:
        """All rows as CSV."""
        out = StringIO()
        table = csv.DictWriter(out, list(self.rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        return out.getvalue()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training goes on from."""
        return {"rows": self.rows, "sums": self.sums, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from it."""
        self.rows, self.sums, self.count = state["rows"], state["sums"], state["count"]

    def about(self) -> dict[str, str]:
        """For the weights' metadata: the last held-out loss, its fall, and whether that is a plateau."""
        held = [row["held_out"] for row in self.rows]
        fall = falls(held)
        told = {"plateau": "yes" if fall < LEVEL else "no", "held_out_fall": f"{fall:.4f}"}
        return told | {"held_out": f"{held[-1]:.4f}"}


def falls(held: Sequence[float]) -> float:
    """By what share the mean held-out loss of the last fifth is below that of the fifth before it.

    A training is on its plateau where that is less than LEVEL, also where the loss rises. NaN, which is not
    less, for fewer than two rows and for losses that are none.
    """
    fifth = max(1, len(held) // 5)
    if len(held) < 2:
        return float("nan")
    return 1 - fmean(held[-fifth:]) / fmean(held[-2 * fifth : -fifth])


def draw(rows: Sequence[Row], path: Path, title: str) -> None:
    """The curves of total and held-out loss (left, logarithmic) and of the learning rate (right), as PNG.

    Raises ImportError without matplotlib.
    """
    from matplotlib.figure import Figure  # no pyplot: no windows, no state

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss", title=title, yscale="log")
    steps = [row["step"] for row in rows]
    for name, label in (("total", "training"), ("held_out", "held out")):
        axes.plot(steps, [row[name] for row in rows], label=label)
    right = axes.twinx()
    right.plot(steps, [row["rate"] for row in rows], color="0.6", linestyle=":", label="learning rate")
    right.set_ylabel("learning rate")
    figure.legend(loc="outside lower center", ncols=3)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
