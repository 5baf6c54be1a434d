"""AP^p and PCP: by hand, as Parsing-R-CNN gives them, and what must hold of any persons.

golden/parsing_rcnn.json holds what soeaver/Parsing-R-CNN of 2020-07-04 gives of `cases`, 24 frames, made by

    python tests/metrics/parsing_rcnn_reference.py Parsing-R-CNN/utils/data/evaluation

with Python 3.11 and numpy 2.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pairs import Array, numbers
from parsing_rcnn_reference import cases, reference
from peers import peer
from person_cases import pairs

from vipbench.errors import UserError
from vipbench.metrics.matching import Segments
from vipbench.metrics.measure import Pair
from vipbench.metrics.person import PCP, APp, person_ious
from vipbench.types import Parsing, Segment, SegmentMap

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden/parsing_rcnn.json").read_text())
TENTHS = [f"0.{k}" for k in range(1, 10)]


def people(size: tuple[int, int], *persons: dict[int, Array], scores: Sequence[float] = ()) -> Parsing:
    """Persons 1, 2, .. as {class: where}; where is an index of the map. Parts are 1, 2, .. in this order."""
    human, part = np.zeros(size, np.uint16), np.zeros(size, np.uint16)
    rows: list[Segment] = []
    for person, parts in enumerate(persons, 1):
        for label, where in parts.items():
            rows.append(Segment(len(rows) + 1, label, person))
            human[where], part[where] = person, len(rows)
    scored = dict(enumerate(scores, 1))
    owners = tuple(Segment(k, score=scored.get(k, 0.9)) for k in range(1, len(persons) + 1))
    return Parsing(human=SegmentMap(human, owners), part=SegmentMap(part, tuple(rows)))


def frame(gt: Parsing, pred: Parsing, **more: Any) -> Pair:
    return Pair(**{"video": "v", "frame": "f", "position": 0, "last": True} | more, gt=gt, pred=pred)


def found(*made: Pair) -> tuple[list[float], list[float]]:
    """AP^p and PCP at t = .1 .. .9."""
    aps, pcps = numbers(APp(), made), numbers(PCP(), made)
    assert aps["0.1:0.9"] == pytest.approx(np.mean([aps[t] for t in TENTHS]))
    return [aps[t] for t in TENTHS], [pcps[t] for t in TENTHS]


TEN = (10, 10)
UPPER, LOWER = np.s_[2:4, 0:10], np.s_[4:7, 0:10]  # 20 and 30 of 100 pixels
LEFT, RIGHT = np.s_[0:10, 0:3], np.s_[0:10, 6:9]
BOTH = people(TEN, {1: UPPER, 2: LOWER})


def test_perfect() -> None:
    assert found(frame(BOTH, BOTH)) == ([1.0] * 9, [1.0] * 9)


def test_a_part_is_missed() -> None:
    """Background 50 of 80 pixels right, 1 right, 2 missed: (.625 + 1 + 0) / 3 = .5417, parts 1 of 2."""
    one = frame(BOTH, people(TEN, {1: UPPER}))
    assert found(one) == ([1.0] * 5 + [0.0] * 4, [0.5] * 5 + [0.0] * 4)


def test_a_part_is_missed_and_most_of_the_person() -> None:
    """Class IoUs 20/50, 1 and 0: (.4 + 1) / 3 = .4667."""
    gt = people(TEN, {1: np.s_[0:5, :], 2: np.s_[5:8, :]})
    aps, pcps = found(frame(gt, people(TEN, {1: np.s_[0:5, :]})))
    assert aps == [1.0] * 4 + [0.0] * 5
    assert sum(aps) / 9 == pytest.approx(0.444444, abs=1e-6)
    assert (pcps[3], pcps[4]) == (0.5, 0.0)


def test_a_part_is_called_another() -> None:
    """Class IoUs 1, 1, 0, 0: exactly one half, which is not above one half."""
    one = frame(BOTH, people(TEN, {1: UPPER, 3: LOWER}))
    assert found(one) == ([1.0] * 4 + [0.0] * 5, [0.5] * 4 + [0.0] * 5)


def test_a_person_found_twice() -> None:
    """In two pieces: the second is a miss, which costs nothing after full recall."""
    gt = people(TEN, {1: np.s_[0:8, :]})
    halves = people(TEN, {1: np.s_[0:7, :]}, {1: np.s_[7:8, :]}, scores=(0.9, 0.8))
    assert found(frame(gt, halves))[0][:3] == [1.0] * 3
    swapped = people(TEN, {1: np.s_[0:7, :]}, {1: np.s_[7:8, :]}, scores=(0.8, 0.9))
    # The small one scores (2/9 + 1/8) / 2 = .174 and takes the person at .1; above, the large one does.
    assert found(frame(gt, swapped))[0][:3] == [1.0, 0.5, 0.5]
    assert numbers(APp(matching="argmax"), [frame(gt, swapped)])["0.1"] == 2.0


def test_one_of_two_persons() -> None:
    gt = people(TEN, {1: LEFT}, {1: RIGHT})
    assert found(frame(gt, people(TEN, {1: LEFT}))) == ([0.5] * 9, [0.5] * 9)


def test_background_carries_an_empty_person() -> None:
    """A person of 100 among 10,000 pixels, found without a part: (.99 + 0) / 2 = .495."""
    size = (100, 100)
    gt = people(size, {1: np.s_[:10, :10]})
    human = np.zeros(size, np.uint16)
    human[:10, :10] = 1
    pred = Parsing(human=SegmentMap.of(human), part=SegmentMap.empty(size))
    ious = person_ious(frame(gt, pred), pred.layer("human").segments, gt.layer("human").segments)
    assert np.nanmean(ious) == pytest.approx(0.495)
    assert found(frame(gt, pred)) == ([1.0] * 4 + [0.0] * 5, [0.0] * 9)


def test_scores_below_a_thousandth_are_neither_hit_nor_miss() -> None:
    gt = people(TEN, {1: LEFT}, {1: RIGHT})
    pred = people(TEN, {1: LEFT}, {1: RIGHT}, scores=(0.9, 0.0009))
    assert numbers(APp(), [frame(gt, pred)])["0.5"] == numbers(PCP(), [frame(gt, pred)])["0.5"] == 0.5
    assert numbers(APp(scores="all"), [frame(gt, pred)])["0.5"] == 1.0
    assert numbers(PCP(scores="all"), [frame(gt, pred)])["0.5"] == 1.0


def test_frames_without_persons_or_without_a_prediction() -> None:
    nothing = people(TEN)
    assert all(math.isnan(v) for v in numbers(PCP(), [frame(nothing, nothing)]).values())
    assert set(numbers(APp(), [frame(nothing, nothing)]).values()) == {0.0}
    whole, lacks = frame(BOTH, BOTH), frame(BOTH, nothing, frame="g", missing=True)
    for measure in (PCP(), APp()):
        assert numbers(measure, [whole, lacks])["0.5"] == 0.5
    for measure in (PCP(frames="submitted"), APp(frames="submitted")):
        assert numbers(measure, [whole, lacks])["0.5"] == 1.0


def test_faulty_parts_are_named() -> None:
    faulty = Parsing(human=BOTH.human, part=SegmentMap(BOTH.layer("part").ids, (Segment(1), Segment(3))))
    with pytest.raises(UserError, match=r"v, frame f, part: id 3.*a row without pixels"):
        PCP().observe(frame(BOTH, faulty))


def test_persons_from_their_masks() -> None:
    """All class IoUs of made persons, from their maps one by one."""
    for one in pairs(3, videos=1, frames=4):
        truths, others = one.gt.layer("human").segments, one.pred.layer("human").segments
        ious = person_ious(one, others, truths)
        for d, found_person in enumerate(others):
            for g, person in enumerate(truths):
                maps = [_map(one.pred, found_person), _map(one.gt, person)]
                np.testing.assert_array_equal(ious[d, g], [_iou(*maps, c) for c in range(20)])


def _map(parsing: Parsing, person: Segment) -> Array:
    part = parsing.layer("part")
    own: Segments = [s for s in part.segments if s.human == person.id]
    return sum((s.category * (part.ids == s.id) for s in own), np.zeros(part.size, int))


def _iou(a: Array, b: Array, c: int) -> float:
    union = int(((a == c) | (b == c)).sum())
    return int(((a == c) & (b == c)).sum()) / union if union else math.nan


@pytest.mark.parametrize("scores", [">=0.001", "all"])
def test_as_parsing_rcnn_has_it(scores: Any) -> None:
    theirs = GOLDEN[f"scores={scores}"]
    aps, pcps = numbers(APp(scores=scores), cases()), numbers(PCP(scores=scores), cases())
    assert [aps[t] for t in TENTHS] == pytest.approx(theirs["APp"], abs=1e-15)
    assert [pcps[t] for t in TENTHS] == pytest.approx(theirs["PCP"], abs=1e-14)
    assert GOLDEN["scores=>=0.001"] != GOLDEN["scores=all"]


def test_side_by_side() -> None:
    evaluation = peer("Parsing-R-CNN/utils/data/evaluation")
    made = pairs(9, videos=1, frames=6, wrong=0.3)
    theirs = reference(evaluation, made)
    aps, pcps = found(*made)
    assert aps == pytest.approx(theirs["APp"], abs=1e-15)
    assert pcps == pytest.approx(theirs["PCP"], abs=1e-14)
