"""COCO's average precision and recall, by mask (segm) or by box (bbox).

Of one category, one IoU threshold t (.5, .55 .. .95) and one range of areas, over the whole data set:

1. In each frame the 100 best detections of the category take truths by falling score, see
   `vipbench.metrics.detections.match`: IoU >= t, each truth once, crowds as often as need be. What took a
   crowd, or a truth outside the range, or nothing while outside itself, does not count at all. With a crowd
   IoU is the intersection over the area of the detection.
2. All detections are sorted by falling score; ties by frame in data-set order, then as in the frame.
3. precision = hits / detections so far, recall = hits / truths. The precision is made non-increasing and read
   at the 101 recalls 0, .01 .. 1; it is 0 at recalls that are not reached. AP is the mean of these.

    AP, AP50, AP75  mean over all t, t = .5, t = .75           AR1, AR10, AR100  recall, the mean over all t,
    APs, APm, APl   areas up to 32^2, to 96^2, above           of the 1, 10, 100 best of a frame and category
                                                               ARs, ARm, ARl  of the 100 best by area

Each number is the mean over the categories that have a truth (in the range); NaN if none has.

The area of a truth is the one that the data set states. That of a detection is its mask's, or its box's where
masks are not compared and it has a box. (cocoapi takes the box's for masks too where a result has both, which
calls other detections small.) A detection or a truth without a mask is compared as its box, filled.

Source: Lin et al., ECCV 2014, section on evaluation at cocodataset.org; cocoapi cocoeval.py, coco.py loadRes.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vipbench import rle
from vipbench.errors import UserError, raise_first
from vipbench.metrics import detections as rules
from vipbench.metrics.coco_curves import KEYS, Curves, Ranked, curves, numbers
from vipbench.metrics.measure import Measure, MeasureWarning, Pair, Row, Rows, Value, Vector, Weights
from vipbench.segments import row_problems
from vipbench.types import Instance, SegmentMap

OF_VIDEOS = ("AP", "AP50", "AR100")
AT_ONCE = 1_000_000  # numbers in an array while resampling


@dataclass(frozen=True)
class COCO(Measure):
    """COCO's twelve numbers, 0..1, of objects that may overlap.

    A row of its state: category and its name, frame, truths in each range of areas, and the scores, hits and
    ignored flags (`rules.packed`) of the detections, by falling score.
    """

    kind: Literal["segm", "bbox"] = "segm"
    name: ClassVar[str] = "COCO"
    layer: ClassVar[str] = "instances"
    keys: ClassVar[tuple[str, ...]] = KEYS

    def empty(self) -> Rows:
        """No row."""
        return Rows()

    def observe(self, pair: Pair) -> Rows:
        """The frame's rows. Raises UserError for another size, a category that is not the data set's."""
        truths, found, names = self._sides(pair)
        rows = []
        for category in sorted({one.category for one in (*truths, *found)}):
            own = [one for one in truths if one.category == category]
            best = sorted((one for one in found if one.category == category), key=lambda one: -one.score)
            rows.append((category, names[category], pair.frame, *self._row(pair, own, best[: rules.MOST])))
        return Rows({pair.video: tuple(rows)})

    def _row(self, pair: Pair, truths: list[Instance], found: list[Instance]) -> Row:
        crowd = np.array([one.crowd for one in truths], bool)
        beyond = rules.outside(np.array([self._area(one, pair.gt.size) for one in truths], float))
        out = rules.outside(np.array([self._area(one, pair.gt.size) for one in found], float))
        hits, ignored = rules.match(self._ious(pair, found, truths, crowd), crowd, beyond, out)
        counting = tuple((~beyond & ~crowd).sum(axis=1).tolist())
        scores = tuple(one.score for one in found)
        return counting, scores, rules.packed(hits), rules.packed(ignored)

    def _sides(self, pair: Pair) -> tuple[Sequence[Instance], Sequence[Instance], dict[int, str]]:
        """Ground truths, detections, and the names of the categories by id."""
        gt, pred = pair.gt.instances, pair.pred.instances
        if gt is None or pred is None:
            raise KeyError("a parsing has no layer 'instances'")
        where = f"{pair.video}, frame {pair.frame}"
        if gt.size != pred.size and any(one.rle for one in pred.rows):
            raise UserError(f"{where}: expected masks of the image's size {gt.size}, got {pred.size}")
        unknown = {one.category for one in pred.rows} - set(gt.names)
        if unknown:
            raise UserError(f"{where}: category {min(unknown)} is not one of the data set's")
        return gt.rows, pred.rows, dict(gt.names)

    def _area(self, one: Instance, size: rle.Size) -> float:
        if one.area is not None:
            return one.area
        if one.box and (self.kind == "bbox" or not one.rle):
            return one.box[2] * one.box[3]
        return rle.area(one.rle or "", size)

    def _ious(
        self, pair: Pair, found: list[Instance], truths: list[Instance], crowd: NDArray[np.bool_]
    ) -> rules.Ious:
        """Of detections with truths, [D, G]."""
        size = pair.gt.size
        if self.kind == "bbox":
            return box_ious([_box(one, size) for one in found], [_box(one, size) for one in truths], crowd)
        return rle.ious(_masks(found, size), _masks(truths, size), crowd, size)

    def finish(self, state: Rows, videos: Sequence[str]) -> list[Value]:
        """The data set's numbers, those of each category that has truths, then some of each video's."""
        times = Counter(videos)
        table = _table(state, list(times), np.array([list(times.values())], np.int64))
        values = _values("all", list(table.values()))
        if not values[0].n:
            text = f"{self}: no ground truth in any of {len(times)} videos: every number is NaN"
            warnings.warn(MeasureWarning(text), stacklevel=2)
        for name, own in table.items():
            values += [value for value in _values(f"class:{name}", [own]) if value.n]
        for video in times:
            table = _table(state, [video], np.ones((1, 1), np.int64))
            values += [value for value in _values(video, list(table.values())) if value.key in OF_VIDEOS]
        return values

    def resample(self, state: Rows, videos: Sequence[str], weights: Weights) -> dict[str, Vector]:
        """The data set's numbers where video v counts weights[b, v] times, float64 [B] by key."""
        ranked = list(_ranked(state, videos).values())
        size = max((r.hits.size for r in ranked), default=1)
        parts = np.array_split(weights, len(weights) * size // AT_ONCE + 1)
        found = [numbers([curves(r, part, averaged=True) for r in ranked], len(part)) for part in parts]
        return {key: np.concatenate([each[key][0] for each in found]) for key in self.keys}


@dataclass(frozen=True)
class COCOHuman(COCO):
    """COCO's numbers of the persons of a label map, by mask."""

    kind: Literal["segm"] = "segm"
    name: ClassVar[str] = "COCO_human"
    layer: ClassVar[str] = "human"

    def _sides(self, pair: Pair) -> tuple[Sequence[Instance], Sequence[Instance], dict[int, str]]:
        overlap, (gt, pred) = pair.overlap(self.layer), pair.maps(self.layer)
        raise_first(row_problems(f"{pair.video}, frame {pair.frame}, {self.layer}", pred))
        truths = _instances(gt, overlap.gt_ids.tolist(), overlap.counts.sum(axis=1).tolist())
        found = _instances(pred, overlap.pred_ids.tolist(), overlap.counts.sum(axis=0).tolist())
        return truths, found, {one.category: "person" for one in (*truths, *found)}

    def _ious(
        self, pair: Pair, found: list[Instance], truths: list[Instance], crowd: NDArray[np.bool_]
    ) -> rules.Ious:
        overlap = pair.overlap(self.layer)
        rows = np.searchsorted(overlap.gt_ids, [one.id for one in truths])
        columns = np.searchsorted(overlap.pred_ids, [one.id for one in found])
        return overlap.ious().T[np.ix_(columns, rows)]


def _instances(found: SegmentMap, ids: list[int], areas: list[int]) -> list[Instance]:
    """The rows whose ids have pixels, with their areas."""
    pixels = dict(zip(ids, areas, strict=True))
    return [
        Instance(s.id, s.category, s.score, float(pixels[s.id])) for s in found.segments if s.id in pixels
    ]


def _box(one: Instance, size: rle.Size) -> rle.Box:
    return one.box or rle.box(one.rle or "", size)


def _masks(side: list[Instance], size: rle.Size) -> list[str]:
    return [one.rle or rle.of_box(_box(one, size), size) for one in side]


def box_ious(
    found: Sequence[rle.Box], truths: Sequence[rle.Box], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """IoU of boxes (x, y, width, height), [D, G]; for a crowd over the area of what was found."""
    x, y, w, h = np.array(found, float).reshape(-1, 4).T[..., None]
    gx, gy, gw, gh = np.array(truths, float).reshape(-1, 4).T
    width = np.minimum(x + w, gx + gw) - np.maximum(x, gx)
    height = np.minimum(y + h, gy + gh) - np.maximum(y, gy)
    both = np.where((width > 0) & (height > 0), width * height, 0.0)
    whole = np.where(crowd, w * h, w * h + gw * gh - both)
    ratios: NDArray[np.float64] = np.divide(both, whole, out=np.zeros_like(both), where=both > 0)
    return ratios


def _ranked(state: Rows, videos: Sequence[str]) -> dict[str, Ranked]:
    """The detections and truths of the videos by category's name, in the order of the categories' ids."""
    rows = defaultdict(list)
    for index, video in enumerate(videos):
        for category, name, _, *row in state.of(video):
            rows[category, name].append((index, tuple(row)))
    return {key[1]: Ranked.of(rows[key], len(videos)) for key in sorted(rows)}


def _table(state: Rows, videos: Sequence[str], weights: Weights) -> dict[str, Curves]:
    return {name: curves(ranked, weights) for name, ranked in _ranked(state, videos).items()}


def _values(scope: str, table: Sequence[Curves]) -> list[Value]:
    """The numbers of the only weighting."""
    found = numbers(table, 1)
    return [Value(key, scope, float(mean[0]), int(n[0])) for key, (mean, n) in found.items()]
