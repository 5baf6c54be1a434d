"""AP^p, AP^p_vol and PCP: how well the parts of each person are told apart.

The unit is the person. A person's map has a class where its parts are, and background, class 0, everywhere
else. Persons are the rows of the layer "human" that have pixels; parts are the rows of the layer "part" of
classes 1..19, each of the person that its row names. The IoU of two persons is the mean over the classes,
background included, of the IoU of that class in their two maps; a class in neither map is left out. So a
large image with a small person is half right when nothing is found.

AP^p: average precision of persons by that IoU at t = .1, .2 .. .9; AP^p_vol is the mean over them, key
"0.1:0.9". A detection hits the person of the highest IoU, if this is above t and nobody hit it before
(`matching=voc`). Of the rest as in metrics/ap.py.

PCP, percentage of correctly parsed parts, at t: of a person that was hit, the parts with IoU > t out of its
parts; 0 of a person that was not hit, or has no part. The mean over all persons.

Detections are the persons' rows, with their scores. Those below .001 are neither hit nor miss
(`scores=>=0.001`, Parsing-R-CNN) or count as any other (`all`, Multi-Human-Parsing). Ground-truth persons
without any part count, as in the former; the latter leaves them out.

Source: Li et al., "Multiple-Human Parsing in the Wild", 2017; Yang et al., CVPR 2019; soeaver/Parsing-R-CNN
utils/data/evaluation/parsing_eval.py; ZhaoJ9014/Multi-Human-Parsing Evaluation/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vipbench.metrics.ap import APr, Frames, threshold_keys
from vipbench.metrics.matching import MISS, Ious, Matching, Segments, detected, matched, true
from vipbench.metrics.measure import Measure, Pair, Rows, Value, Vector, Weights
from vipbench.metrics.series import mean
from vipbench.parts import CLASSES

Scores = Literal[">=0.001", "all"]
LOWEST = 0.001
COUNT = len(CLASSES)
TENTHS = tuple(t / 10 for t in range(1, 10))


def persons(pair: Pair, scores: Scores) -> tuple[Segments, Segments]:
    """(detected, true) persons of a frame, the detected ones by falling score.

    Raises UserError for rows, of persons or of parts, that do not match the pixels.
    """
    detected(pair, "part", COUNT)
    found = detected(pair, "human", 2)
    return [s for s in found if scores == "all" or s.score >= LOWEST], true(pair, "human")


def person_ious(pair: Pair, found: Segments, truths: Segments) -> Ious:
    """The IoU of each class of each pair of persons, float64 [D, G, 20], NaN where in neither map."""
    overlap, (gt, pred) = pair.overlap("part"), pair.maps("part")
    rows = _places(gt.segments, truths, overlap.gt_ids.tolist())
    columns = _places(pred.segments, found, overlap.pred_ids.tolist())
    # Pixels by (person, class) in both maps; the last row and column are those of nobody.
    counts = np.zeros((len(truths) * COUNT + 1, len(found) * COUNT + 1), np.int64)
    np.add.at(counts, np.ix_(rows, columns), overlap.counts)
    joint = counts[:-1, :-1].reshape(len(truths), COUNT, len(found), COUNT)
    true_areas = counts.sum(axis=1)[:-1].reshape(-1, COUNT)
    found_areas = counts.sum(axis=0)[:-1].reshape(-1, COUNT)
    both = np.einsum("gcdc->dgc", joint).copy()
    true_parts, found_parts = true_areas.sum(axis=1), found_areas.sum(axis=1)
    total = overlap.counts.sum()
    both[..., 0] = total - true_parts - found_parts[:, None] + joint.sum(axis=(1, 3)).T
    true_areas[:, 0], found_areas[:, 0] = total - true_parts, total - found_parts
    unions = true_areas + found_areas[:, None] - both
    ious: Ious = np.divide(both, unions, out=np.full(both.shape, np.nan), where=unions > 0)
    return ious


def _places(parts: Segments, owners: Segments, ids: Sequence[int]) -> list[int]:
    """Where the pixels of each id go: the place of its (person, class), or the last one."""
    first = {person.id: k * COUNT for k, person in enumerate(owners)}
    places = {s.id: first[s.human] + s.category for s in parts if s.human in first and 0 < s.category < COUNT}
    return [places.get(i, len(owners) * COUNT) for i in ids]


def _means(ious: Ious) -> Ious:
    """The mean over the classes that have a value, [D, G]."""
    means: Ious = np.nanmean(ious, axis=-1) if ious.size else ious.sum(axis=-1)
    return means


@dataclass(frozen=True)
class APp(APr):
    """Average precision of persons by the mean IoU of their parts, 0..1."""

    matching: Matching = "voc"
    scores: Scores = ">=0.001"
    name: ClassVar[str] = "APp"
    thresholds: ClassVar[tuple[float, ...]] = TENTHS
    keys: ClassVar[tuple[str, ...]] = threshold_keys(TENTHS)

    def detections(self, pair: Pair) -> Segments:
        """The detected persons that count, best first. Raises UserError for faulty persons or parts."""
        return persons(pair, self.scores)[0]

    def ious(self, pair: Pair, found: Segments, truths: Segments) -> Ious:
        """The mean IoU of the classes of detected with true persons, float64 [D, G]."""
        return _means(pair.once(("persons", self.scores), lambda: person_ious(pair, found, truths)))


@dataclass(frozen=True)
class PCP(Measure):
    """The share of a person's parts that are right, 0..1, the mean over the persons."""

    frames: Frames = "all"
    scores: Scores = ">=0.001"
    name: ClassVar[str] = "PCP"
    layer: ClassVar[str] = "human"
    keys: ClassVar[tuple[str, ...]] = threshold_keys(TENTHS)[:-1]

    def empty(self) -> Rows:
        """No row."""
        return Rows()

    def observe(self, pair: Pair) -> Rows:
        """A row (frame, person, parts, right parts at each threshold) for each true person."""
        found, truths = persons(pair, self.scores)
        if pair.missing and self.frames == "submitted":
            return Rows()
        parts = pair.once(("persons", self.scores), lambda: person_ious(pair, found, truths))
        right = np.zeros((len(truths), len(TENTHS)), np.int64)
        for k, column in enumerate(matched(_means(parts), TENTHS, "voc", ">")):
            d = np.flatnonzero(column != MISS)
            right[column[d], k] = (parts[d, column[d], 1:] > TENTHS[k]).sum(axis=-1)
        own = {(s.human, s.category) for s in true(pair, "part") if 0 < s.category < COUNT}
        counts = [sum(human == person.id for human, _ in own) for person in truths]
        rows = zip(truths, counts, right.tolist(), strict=True)
        return Rows({pair.video: tuple((pair.frame, person.id, n, *at) for person, n, at in rows)})

    def finish(self, state: Rows, videos: Sequence[str]) -> list[Value]:
        """The mean over the persons of all videos, then of each video."""
        shares = {video: _shares(state, video) for video in videos}
        together = (
            np.concatenate([shares[video] for video in videos]) if videos else np.zeros((0, len(TENTHS)))
        )
        return [
            Value(key, scope, mean(np.sort(column)), len(column))  # in no order of ids
            for scope, own in {"all": together, **shares}.items()
            for key, column in zip(self.keys, own.T, strict=True)
        ]

    def resample(self, state: Rows, videos: Sequence[str], weights: Weights) -> dict[str, Vector]:
        """As Measure.resample, from each video's sum."""
        shares = [_shares(state, video) for video in videos]
        sums = np.array([own.sum(axis=0) for own in shares]).reshape(-1, len(TENTHS))
        counts = weights @ np.array([len(own) for own in shares], np.int64)
        means = np.where(counts > 0, (weights @ sums).T / np.maximum(counts, 1), np.nan)
        return dict(zip(self.keys, means, strict=True))


def _shares(state: Rows, video: str) -> NDArray[np.float64]:
    """The share of right parts of each person of a video at each threshold, float64 [persons, T]."""
    rows = [(right, max(parts, 1)) for _, _, parts, *right in state.of(video)]
    return np.array([[n / parts for n in right] for right, parts in rows]).reshape(-1, len(TENTHS))
