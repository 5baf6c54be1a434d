"""Mean, recall and decay of a value per frame: what DAVIS reports of J and of F.

Of one object's values v_1 .. v_n, in frame order:

    mean    sum(v) / n
    recall  the share of frames with v > 0.5, strictly
    decay   mean of the first quarter - mean of the last quarter; lower is better, negative is a gain

The quarters are cut at four equal steps from frame 1 to frame n, rounded half up, and share their end
frames: with 48 frames, 1..13 and 36..48. (Their implementation holds the edges in 8 bits, so that above 256
frames its decay is of other frames or NaN. Ours are integers.)

Which frames: `inner`, all but the first and the last annotated one of a sequence (DAVIS 2016 and 2017
semi-supervised: the first is given to the methods, and some early ones had no result for the last), or `all`
(2017 unsupervised). A sequence without a scored frame is left out of the mean with a warning.

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import UserError
from vipbench.metrics.measure import Measure, MeasureWarning, Pair, Row, Rows, Value, Vector, Weights

Mask = NDArray[np.bool_]
FOREGROUND = 0
"""In place of an object's id: everything but background."""


def owned(ids: NDArray[np.uint8] | NDArray[np.uint16], obj: int) -> Mask:
    """Which of the ids, of any shape, are the object's."""
    mask: Mask = ids != 0 if obj == FOREGROUND else ids == obj
    return mask


def mean(values: Vector) -> float:
    """The mean, NaN of no values."""
    return float(np.add.reduce(values) / len(values)) if len(values) else math.nan  # np.mean, but sooner


def recall(values: Vector) -> float:
    """The share of values [n] above one half, 0..1; NaN of no values."""
    return mean((values > 0.5).astype(np.float64))


@cache
def edges(n: int) -> list[int]:
    """The five 0-based frames that cut 1..n into quarters; neighbours share them."""
    # 1e-10 turns numpy's rounding to even into rounding half up.
    steps: list[int] = (np.round(np.linspace(1, n, 5) + 1e-10).astype(np.int64) - 1).tolist()
    return steps


def decay(values: Vector) -> float:
    """How much lower the last quarter of the values [n] is than the first; NaN of no values."""
    cut = edges(len(values))
    return mean(values[cut[0] : cut[1] + 1]) - mean(values[cut[3] : cut[4] + 1])


Statistics = Mapping[str, Callable[[Vector], float]]
STATISTICS: Statistics = {"mean": mean, "recall": recall, "decay": decay}


@dataclass(frozen=True)
class Series(Measure):
    """A value per frame and object, and its statistics. The base of J, F and J&F."""

    frames: Literal["inner", "all"] = "inner"
    objects: Literal["foreground", "first-frame"] = "foreground"
    layer: ClassVar[str] = "object"
    keys: ClassVar[tuple[str, ...]] = (*STATISTICS, "frame")
    of_videos: ClassVar[tuple[str, ...]] = ("decay",)
    statistics: ClassVar[Statistics] = STATISTICS

    def values(self, pair: Pair, objects: tuple[int, ...]) -> list[float]:
        """The value of each object, by its id or FOREGROUND, 0..1."""
        raise NotImplementedError

    def scored(self, length: int) -> range:
        """All, or all but the first and the last."""
        return range(length) if self.frames == "all" else range(1, length - 1)

    def empty(self) -> Rows:
        """No row."""
        return Rows()

    def observe(self, pair: Pair) -> Rows:
        """The rows of a frame; none if it does not count."""
        inner = pair.position > 0 and not pair.last
        return Rows({pair.video: self.rows(pair) if self.frames == "all" or inner else ()})

    def rows(self, pair: Pair) -> tuple[Row, ...]:
        """(object, position, frame, value) of each object."""
        objects = (FOREGROUND,) if self.objects == "foreground" else self.numbered(pair)
        if self.objects == "first-frame":
            pair.once("known", partial(_demand_known, pair))
        values = self.values(pair, objects) if objects else []
        return tuple([(obj, pair.position, pair.frame, v) for obj, v in zip(objects, values, strict=True)])

    def numbered(self, pair: Pair) -> tuple[int, ...]:
        """The ids of the objects that are scored: those in the first frame."""
        return pair.objects

    def series(self, state: Rows, video: str) -> dict[int, list[Row]]:
        """The rows (object, position, frame, value) of each object of a video, in frame order."""
        return {obj: list(own) for obj, own in groupby(state.of(video), key=lambda row: int(row[0]))}

    def finish(self, state: Rows, videos: Sequence[str]) -> list[Value]:
        """The data set's means, then of each sequence or object its statistics and its frames."""
        _warn(state, videos)
        series = {video: self.series(state, video) for video in videos}
        tables = {video: self.table(named) for video, named in series.items()}
        values = self._means([row for video in videos for row in tables[video]])
        for video, named in series.items():
            for (obj, own), numbers in zip(named.items(), tables[video], strict=False):
                values += self._object(video if obj == FOREGROUND else f"{video}#{obj}", own, numbers)
        return values

    def totals(self, state: Rows, videos: Sequence[str]) -> list[Value]:
        """The data set's means."""
        return self._means([row for video in videos for row in self.table(self.series(state, video))])

    def _means(self, rows: list[list[float]]) -> list[Value]:
        means = (mean(np.array([row[k] for row in rows])) for k in range(len(self.statistics)))
        return [Value(key, "all", v, len(rows)) for key, v in zip(self.statistics, means, strict=True)]

    def _object(self, scope: str, rows: list[Row], numbers: list[float]) -> list[Value]:
        values = [Value(key, scope, v, len(rows)) for key, v in zip(self.statistics, numbers, strict=True)]
        return values + [Value("frame", f"{scope}/{frame}", value, 1) for _, _, frame, value in rows]

    def table(self, series: dict[int, list[Row]]) -> list[list[float]]:
        """The statistics of each object of a video."""
        return [[of(_vector(rows)) for of in self.statistics.values()] for rows in series.values()]

    def resample(self, state: Rows, videos: Sequence[str], weights: Weights) -> dict[str, Vector]:
        """As Measure.resample: the weighted means of the objects' statistics."""
        tables = [
            np.array(self.table(self.series(state, v))).reshape(-1, len(self.statistics)) for v in videos
        ]
        sums, count = np.array([t.sum(axis=0) for t in tables]), weights @ [len(t) for t in tables]
        undefined = (weights > 0) @ np.isnan(sums)  # NaN of a video that is not drawn is nobody's
        with np.errstate(invalid="ignore"):
            means = np.where(undefined, np.nan, weights @ np.nan_to_num(sums) / count[:, np.newaxis])
        return {key: means[:, k] for k, key in enumerate(self.statistics)}


def _demand_known(pair: Pair) -> None:
    """UserError for a prediction with an id above those of the first frame, which the challenge refuses."""
    highest, found = max(pair.objects, default=0), pair.maps("object")[1].present[-1]
    if found > highest:
        raise UserError(
            f"{pair.video}, frame {pair.frame}: predicted id {found}, expected the ids of the first frame, "
            f"at most {highest}. Number the objects as it does; 0 and 255 are no objects"
        )


def _vector(rows: list[Row]) -> Vector:
    return np.array([row[3] for row in rows])


def _warn(state: Rows, videos: Sequence[str]) -> None:
    """Name the videos that no number is of; where that is all of them, say so once."""
    without = [video for video in videos if not state.videos.get(video)]
    why = "no object in a scored frame; left out"
    texts = [f"{video}: {why}" for video in without]
    if videos and len(without) == len(videos):
        mend = "See whether these are the data set's right year, split and annotations"
        texts = [f"no object in a scored frame of any of {len(videos)} videos: every number is NaN. {mend}"]
    for text in texts:
        warnings.warn(MeasureWarning(text), stacklevel=3)
