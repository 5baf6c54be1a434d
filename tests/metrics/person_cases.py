"""Frames of made persons and their parts, the same on every machine: numpy freezes RandomState's numbers.

Persons stand side by side, each a column cut into bands of different classes. The prediction is the same a
little moved, with some bands of another class or cut in two, some persons missing or cut in two, and noise.
No two detections have the same score, and each score has six decimals, as in files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from vipbench.metrics.measure import Pair
from vipbench.types import Parsing, Segment, SegmentMap

Array = np.ndarray[Any, Any]
SIZE = (60, 90)


def pairs(seed: int, videos: int, frames: int, most: int = 6, wrong: float = 1.0) -> list[Pair]:
    """So many videos of so many frames with 2..most persons, each of 3..9 parts. wrong: how much so, 0..1."""
    rng = np.random.RandomState(seed)
    made = [
        Pair(f"videos{v}", f"{t:012d}", t, t == frames - 1, *_frame(rng, most, wrong))
        for v in range(videos)
        for t in range(frames)
    ]
    return list(rescored(made, rng))


def rescored(made: list[Pair], rng: Any) -> Iterator[Pair]:
    """The same with other scores, in random order: k / 100003 with six decimals, never the same twice."""
    count = sum(len(one.pred.layer(n).segments) for one in made for n in ("human", "part"))
    scores = iter(np.round((rng.permutation(90000)[:count] + 5000) / 100003, 6).tolist())
    for one in made:
        layers = {
            name: SegmentMap(m.ids, tuple(_scored(s, next(scores)) for s in m.segments))
            for name, m in (("human", one.pred.layer("human")), ("part", one.pred.layer("part")))
        }
        pred = Parsing(one.pred.category, **layers)
        yield Pair(one.video, one.frame, one.position, one.last, one.gt, pred)


def _scored(segment: Segment, score: float) -> Segment:
    return Segment(segment.id, segment.category, segment.human, score)


def _frame(rng: Any, most: int, wrong: float) -> tuple[Parsing, Parsing]:
    human, category = np.zeros(SIZE, int), np.zeros(SIZE, int)
    edges = np.sort(rng.choice(np.arange(2, SIZE[1] - 2), rng.randint(3, most + 2), replace=False))
    for person, (left, right) in enumerate(pairwise(edges), 1):
        top = rng.randint(0, 10)
        classes = rng.permutation(19)[: rng.randint(3, 10)] + 1
        bottoms = np.sort(rng.choice(np.arange(top + 1, SIZE[0]), len(classes), replace=False))
        for label, start, end in zip(classes, [top, *bottoms[:-1]], bottoms, strict=True):
            category[start:end, left:right] = label
            human[start:end, left:right] = person
    return parsing(human, category), parsing(*predicted(rng, human, category, wrong=wrong))


def predicted(
    rng: Any, human: Array, category: Array, classes: Sequence[int] = range(1, 20), wrong: float = 1.0
) -> tuple[Array, Array]:
    """(person, class) of each pixel of a prediction that is a little wrong, with classes of these."""
    labels = np.array(classes)
    shift = tuple(np.round(wrong * rng.randint(-3, 4, 2)).astype(int))
    human, category = (np.roll(m, shift, (0, 1)) for m in (human, category))
    for person in np.unique(human[human > 0]):
        own = human == person
        if rng.rand() < 0.15 * wrong:
            human[own], category[own] = 0, 0
        elif rng.rand() < 0.2 * wrong:
            rows = np.flatnonzero(own.any(axis=1))
            human[own & (np.arange(len(own)) > rng.choice(rows))[:, None]] = human.max() + 1
        for label in np.unique(category[own & (human > 0)]):
            if rng.rand() < 0.2 * wrong:
                category[own & (category == label)] = labels[rng.randint(len(labels))]
    noise = (rng.rand(*human.shape) < 0.02 * wrong) & (human > 0)
    category[noise] = labels[rng.randint(0, len(labels), noise.sum())]
    return human, category


def parsing(human: Array, category: Array) -> Parsing:
    """The three layers; ids of persons and parts are 1, 2, .. without gaps, as prediction files have them."""
    people = np.unique(human[human > 0]).tolist()
    joint = human * 20 + category
    ids = np.unique(joint[(human > 0) & (category > 0)]).tolist()
    parts = [Segment(k, j % 20, people.index(j // 20) + 1) for k, j in enumerate(ids, 1)]
    return Parsing(
        SegmentMap(category.astype(np.uint16)),
        _numbered(human, people, [Segment(k) for k in range(1, len(people) + 1)]),
        _numbered(joint, ids, parts),
    )


def _numbered(values: Array, known: list[int], rows: list[Segment]) -> SegmentMap:
    ids = np.zeros(values.shape, np.uint16)
    for number, value in enumerate(known, 1):
        ids[values == value] = number
    return SegmentMap(ids, tuple(rows))
