"""The record of a training: loss terms, learning rate and held-out loss by step, as CSV and picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from math import nan
from pathlib import Path
from statistics import fmean
from typing import Any

from torch import Tensor

from vipbench.atomic import replacing, write_text
from vipbench.errors import UserError

ROWS, LEAST = 40, 20
STILL, LATE, LEARNT = 0.02, 0.1, 0.1  # shares of the held-out loss: `plateau`
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
        """For the weights' metadata: `plateau` of the rows."""
        return plateau(self.rows)


def plateau(rows: Sequence[Mapping[str, float | str]]) -> dict[str, str]:
    """What the weights' metadata say of their log, from nothing but its column `held_out`, as CSV or numbers.

    plateau: yes where there are at least LEAST rows and the mean of the last fifth of them is
      - less than STILL below that of the fifth before: the loss has come to rest at the end;
      - less than LATE below that of the middle fifth: a rate that runs to zero brings any loss to rest, so
        what was reached at half of a cosine's peak has to be near already;
      - at least LEARNT below the first row: a training that learnt nothing is at rest, too.
    Also where the loss rises; no where it is not a number. held_out_fall, held_out_fall_from_middle and
    held_out_fall_from_start: the three shares; held_out: the last loss. Raises UserError for no rows.
    """
    held = [float(row["held_out"]) for row in rows]
    if not held:
        raise UserError("a training's log without rows tells nothing: expected a row a fortieth of the steps")
    before, middle, start = falls(held)
    rests = len(held) >= LEAST and before < STILL and middle < LATE and start >= LEARNT
    told = {"plateau": "yes" if rests else "no", "held_out_fall": f"{before:.4f}"}
    told |= {"held_out_fall_from_middle": f"{middle:.4f}", "held_out_fall_from_start": f"{start:.4f}"}
    return told | {"held_out": f"{held[-1]:.4f}"}


def falls(held: Sequence[float]) -> tuple[float, float, float]:
    """By what share the mean of the last fifth is below the fifth before it, the middle one, and the start.

    The middle fifth is centred on half of the rows. NaN three times for fewer than five rows.
    """
    fifth = len(held) // 5
    if not fifth:
        return nan, nan, nan
    middle = (len(held) - fifth) // 2
    last = fmean(held[-fifth:])
    earlier = held[-2 * fifth : -fifth], held[middle : middle + fifth], held[:1]
    before, half, start = (1 - last / fmean(some) for some in earlier)
    return before, half, start


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
