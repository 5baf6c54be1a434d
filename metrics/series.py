"""Mean, recall and decay of a value per frame: what DAVIS reports of J and of F.

Of one object's values v_1 .. v_n, in frame order:

    mean    sum(v) / n
    recall  the share of frames with v > 0.5, strictly
    decay   mean of the first quarter - mean of the last quarter; lower is better, negative is a gain

The quarters are cut at four equal steps from frame 1 to frame n, rounded half up, and share their end
frames: with 48 frames, 1..13 and 36..48. (Their implementation holds the edges in 8 bits, so that above 256
frames its decay is of other frames or NaN. Ours are integers.)

The first and the last annotated frame of a sequence are not scored: the first is given to the methods, and
some early ones had no result for the last. A sequence of one or two frames has no scored frame; it is left
out of the mean with a warning.

Over a data set each number is the plain mean of the sequences' (2016) or of the objects' (2017) numbers,
never of all frames: a long sequence counts no more than a short one. Means are numpy's pairwise sums of a
contiguous vector, frames in time order, objects in data-set order, which makes them those of the reference
to the last bit.

Which objects: `foreground`, one object that is everything but background in either map (DAVIS 2016; any
nonzero id, 255 too); `first-frame`, each id of the first annotated frame by itself (DAVIS 2017
semi-supervised; an id that the prediction lacks is empty there, an id that only appears later is not scored).

Sources: Perazzi et al., CVPR 2016, section 4; Pont-Tuset et al. 2017; davis2017-evaluation
davis2017/utils.py `db_statistics` and evaluation.py; jponttuset/davis-matlab.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vipbench.metrics.measure import Measure, MeasureWarning, Pair, Row, Rows, Value
from vipbench.types import Ids

Mask = NDArray[np.bool_]
Vector = NDArray[np.float64]
FOREGROUND = 0
"""In place of an object's id: everything but background."""


def owned(ids: Ids, obj: int) -> Mask:
    """Which of the ids, of any shape, are the object's."""
    mask: Mask = ids != 0 if obj == FOREGROUND else ids == obj
    return mask


def mean(values: Vector) -> float:
    """The mean, NaN of no values."""
    return float(np.mean(values)) if len(values) else math.nan


def recall(values: Vector) -> float:
    """The share of values [n] above one half, 0..1; NaN of no values."""
    return mean((values > 0.5).astype(np.float64))


def edges(n: int) -> list[int]:
    """The five 0-based frames that cut 1..n into quarters; neighbours share them."""
    # 1e-10 turns numpy's rounding to even into rounding half up.
    steps: list[int] = (np.round(np.linspace(1, n, 5) + 1e-10).astype(np.int64) - 1).tolist()
    return steps


def decay(values: Vector) -> float:
    """How much lower the last quarter of the values [n] is than the first; NaN of no values."""
    cut = edges(len(values))
    return mean(values[cut[0] : cut[1] + 1]) - mean(values[cut[3] : cut[4] + 1])


STATISTICS = {"mean": mean, "recall": recall, "decay": decay}


@dataclass(frozen=True)
class Series(Measure):
    """A value per frame and object, and its statistics. The base of J and F."""

    objects: Literal["foreground", "first-frame"] = "foreground"
    frames: Literal["inner"] = "inner"
    layer: ClassVar[str] = "object"
    keys: ClassVar[tuple[str, ...]] = (*STATISTICS, "frame")

    def value(self, pair: Pair, obj: int) -> float:
        """The value of one object, by its id or FOREGROUND, 0..1."""
        raise NotImplementedError

    def scored(self, length: int) -> range:
        """All but the first and the last."""
        return range(1, length - 1)

    def empty(self) -> Rows:
        """No row."""
        return Rows()

    def observe(self, pair: Pair) -> Rows:
        """A row (object, position, frame, value) for each object; none for a frame that does not count."""
        objects = (FOREGROUND,) if self.objects == "foreground" else pair.objects
        counts = pair.position > 0 and not pair.last
        rows = ((obj, pair.position, pair.frame, self.value(pair, obj)) for obj in objects if counts)
        return Rows({pair.video: tuple(rows)})

    def finish(self, state: Rows, videos: Sequence[str]) -> list[Value]:
        """The data set's means, then of each sequence or object its statistics and its frames."""
        _warn(state, videos)
        series = {scope: rows for video in videos for scope, rows in _series(state, video)}
        vectors = {scope: np.array([row[3] for row in rows]) for scope, rows in series.items()}
        values = [
            Value(key, "all", mean(np.array([of(v) for v in vectors.values()])), len(vectors))
            for key, of in STATISTICS.items()
        ]
        for scope, rows in series.items():
            values += [Value(key, scope, of(vectors[scope]), len(rows)) for key, of in STATISTICS.items()]
            values += [Value("frame", f"{scope}/{frame}", value, 1) for _, _, frame, value in rows]
        return values


def _series(state: Rows, video: str) -> Iterator[tuple[str, list[Row]]]:
    """The scope and the rows, in frame order, of each object of a video."""
    for obj, own in groupby(state.of(video), key=lambda row: row[0]):
        yield (video if obj == FOREGROUND else f"{video}#{obj}"), list(own)


def _warn(state: Rows, videos: Sequence[str]) -> None:
    """Name the videos that no number is of; where that is all of them, say so once."""
    without = [video for video in videos if not state.of(video)]
    why = "no object in a scored frame (the first and the last do not count); left out"
    texts = [f"{video}: {why}" for video in without]
    if videos and len(without) == len(videos):
        mend = "See whether these are the data set's right year, split and annotations"
        texts = [f"no object in a scored frame of any of {len(videos)} videos: every number is NaN. {mend}"]
    for text in texts:
        warnings.warn(MeasureWarning(text), stacklevel=3)
