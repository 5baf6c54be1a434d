"""J, F and J&F of unsupervised video object segmentation: proposals, matched to the objects by sequence.

A method finds up to 20 proposals in a sequence, without being shown the objects. With J and F of every
proposal p against every object o, frame by frame over all frames,

    score(p, o) = (mean over frames of J + mean over frames of F) / 2

and the one-to-one assignment of objects to proposals of the highest total score (Hungarian method), an
object has the values of its proposal. Proposals without an object cost nothing. An object of a sequence that
has fewer proposals than objects may be left with an empty one. Pixels of unknown label (void) are background
in both maps.

Objects: the ids of the first frame. Statistics: see series.py. Source: Caelles et al. 2019, The 2019 DAVIS
Challenge; davis2017-evaluation davis2017/evaluation.py `_evaluate_unsupervised`, which reports an object's
values under another object's name where the proposals are in another order; the means are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import UserError
from vipbench.metrics.boundary import contours, radius
from vipbench.metrics.measure import Pair, Row, Rows
from vipbench.metrics.region import areas, jaccard
from vipbench.metrics.series import Series

Matrix = NDArray[np.float64]
LIMIT = 20
"""Proposals a sequence may have."""
EMPTY = -1
"""In place of a proposal's id, one that no pixel has."""


@dataclass(frozen=True)
class Proposals(Series):
    """The base of J, F and J&F of matched proposals. weights: of J and of F in a frame's value."""

    frames: Literal["all"] = "all"
    objects: Literal["first-frame"] = "first-frame"
    of_videos: ClassVar[tuple[str, ...]] = Series.keys  # the assignment is of whole sequences
    weights: ClassVar[tuple[float, float]]

    def rows(self, pair: Pair) -> tuple[Row, ...]:
        """(object, proposal, position, frame, J, F) of every object and proposal of the frame, EMPTY too."""
        objects = self.numbered(pair)
        return pair.once(("proposals", objects), partial(_rows, pair, objects)) if objects else ()

    def series(self, state: Rows, video: str) -> dict[int, list[Row]]:
        """As Series.series, of each object with the proposal that is assigned to it."""
        rows = state.of(video)
        if not rows:
            return {}
        pairs = {(row[0], row[1], row[2]): row[4:] for row in rows}
        frames = dict.fromkeys((row[2], row[3]) for row in sorted(rows, key=lambda row: row[2]))
        objects = sorted({row[0] for row in rows})
        proposals = self.candidates(video, sorted({row[1] for row in rows} - {EMPTY}), len(objects))
        values = np.array(
            [
                [[pairs.get((o, p, t), pairs[o, EMPTY, t]) for t, _ in frames] for o in objects]
                for p in proposals
            ]
        )
        return {
            obj: [(obj, t, frame, v) for (t, frame), v in zip(frames, vector.tolist(), strict=True)]
            for obj, vector in self.assign(objects, values)
        }

    def candidates(self, video: str, found: list[int], objects: int) -> list[int]:
        """The proposals that are matched, made up to the number of objects. Raises UserError for too many."""
        _demand_few(video, found)
        return found + [EMPTY] * (objects - len(found))

    def assign(self, objects: Sequence[int], values: NDArray[np.float64]) -> list[tuple[int, Matrix]]:
        """Each object and its proposal's values [frames], of all J and F [proposals, objects, frames, 2]."""
        from scipy.optimize import linear_sum_assignment

        j, f = (np.ascontiguousarray(values[..., k]) for k in range(2))
        rows, columns = linear_sum_assignment(-(j.mean(axis=2) + f.mean(axis=2)) / 2)
        own = self.weights[0] * j[rows, columns] + self.weights[1] * f[rows, columns]
        return self.named(objects, columns.tolist(), own)

    def named(self, objects: Sequence[int], columns: list[int], own: Matrix) -> list[tuple[int, Matrix]]:
        """The values [proposals, frames], each of the object at its column, by object."""
        return [(objects[c], own[row]) for c, row in sorted(zip(columns, range(len(own)), strict=True))]


def _demand_few(where: str, found: Sequence[int]) -> None:
    """UserError for more proposals than are allowed."""
    if len(found) > LIMIT:
        raise UserError(
            f"{where}: {len(found)} proposals (ids {found[0]}..{found[-1]}), expected at most {LIMIT} "
            "in a sequence. Keep the best ones"
        )


def _rows(pair: Pair, objects: tuple[int, ...]) -> tuple[Row, ...]:
    present = tuple(i for i in pair.maps("object")[1].present if i)
    _demand_few(f"{pair.video}, frame {pair.frame}", present)
    found = (*present, EMPTY)
    both, gt, pred = (counts.tolist() for counts in areas(pair, objects, found))
    drawn = iter(contours(*pair.maps("object"), tuple(product(objects, found)), radius(pair.size)))
    return tuple(
        (obj, p, pair.position, pair.frame, jaccard(both[i][k], gt[i], pred[k]), next(drawn).f)
        for i, obj in enumerate(objects)
        for k, p in enumerate(found)
    )


@dataclass(frozen=True)
class JUnsup(Proposals):
    """Region similarity of the matched proposals, 0..1, higher is better."""

    name: ClassVar[str] = "J_unsup"
    weights: ClassVar[tuple[float, float]] = (1.0, 0.0)


@dataclass(frozen=True)
class FUnsup(Proposals):
    """Contour accuracy of the matched proposals, 0..1, higher is better."""

    name: ClassVar[str] = "F_unsup"
    weights: ClassVar[tuple[float, float]] = (0.0, 1.0)


@dataclass(frozen=True)
class JFUnsup(Proposals):
    """Mean of J and F of the matched proposals, 0..1, higher is better."""

    name: ClassVar[str] = "JF_unsup"
    weights: ClassVar[tuple[float, float]] = (0.5, 0.5)
