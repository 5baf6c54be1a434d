"""AP of instances: the released evaluation's toys, and the same said slowly on random maps."""

import dataclasses
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import restated
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pairs import PAPER, STRICT, layer, number, numbers, observed, pair

from vipbench.errors import UserError
from vipbench.metrics.ap import APr, APrVol, average_precision
from vipbench.metrics.measure import MeasureWarning, Pair
from vipbench.parts import CLASSES
from vipbench.types import Segment, SegmentMap

PAPER_VOL, STRICT_VOL = APrVol(**PAPER), APrVol(**STRICT)
FACE = CLASSES.index("face")


def square(*runs: tuple[int, float], start: int = 0) -> SegmentMap:
    """10 x 20 pixels in one class: ids 1, 2, ... of so many pixels each, with these scores.

    Pixels are counted column by column, so that the left half (100 pixels) is a square.
    """
    ids, at = np.zeros(200, np.uint16), start
    for i, (pixels, _) in enumerate(runs, 1):
        ids[at : at + pixels] = i
        at += pixels
    rows = [Segment(i, FACE, score=score) for i, (_, score) in enumerate(runs, 1)]
    return layer(ids.reshape(20, 10).T, rows)


GT = square((100, 1.0))
MICRO: dict[str, tuple[SegmentMap, SegmentMap, list[float], list[float]]] = {
    "perfect": (GT, GT, [1] * 9, [1] * 9),
    "IoU exactly 0.5": (GT, square((50, 1.0)), [1] * 4 + [0] * 5, [1] * 5 + [0] * 4),
    "IoU exactly 0.3": (GT, square((30, 1.0)), [1] * 2 + [0] * 7, [1] * 3 + [0] * 6),
    "halves": (GT, square((50, 0.9), (50, 0.8)), [2] * 4 + [0] * 5, [1] * 5 + [0] * 4),
    "60/40": (GT, square((60, 0.9), (40, 0.8)), [2] * 3 + [1] * 2 + [0] * 4, [1] * 6 + [0] * 3),
    "one of two": (square((100, 1.0), (100, 1.0)), GT, [0.5] * 9, [0.5] * 9),
    "TP then FP": (GT, square((100, 0.9), (100, 0.8)), [1] * 9, [1] * 9),
    "FP then TP": (GT, square((100, 0.8), (100, 0.9)), [0.5] * 9, [0.5] * 9),
    "nothing found": (GT, square(), [0] * 9, [0] * 9),
    "disjoint": (GT, square((100, 1.0), start=100), [0] * 9, [0] * 9),
}


def of_face(measure: APrVol, *frames: Pair) -> list[float]:
    found = numbers(measure, frames, "class:face")
    return [found[key] for key in measure.keys]


@pytest.mark.parametrize("case", MICRO)
def test_micro_examples(case: str) -> None:
    """The released evaluation's numbers at t = .1 .. .9, and vip-strict's."""
    gt, pred, released, strict = MICRO[case]
    one = pair("part", gt, pred)
    for measure, expected in ((PAPER_VOL, released), (STRICT_VOL, strict)):
        assert of_face(measure, one) == pytest.approx([*expected, np.mean(expected)], abs=1e-15)


@pytest.mark.parametrize(("case", "mean"), [("IoU exactly 0.5", 4 / 9), ("halves", 8 / 9), ("60/40", 8 / 9)])
def test_mean_over_thresholds(case: str, mean: float) -> None:
    """With the 18 absent classes as 0 in vip-paper, alone in vip-strict."""
    one = pair("part", *MICRO[case][:2])
    assert number(PAPER_VOL, [one], "0.1:0.9") == pytest.approx(mean / 19)
    assert number(STRICT_VOL, [one], "0.1:0.9") == pytest.approx(np.mean(MICRO[case][3]))


def test_area_by_hand() -> None:
    """Hits 1, 0, 1 of 3: recall 1/3, 1/3, 2/3 under precision 1, 2/3, 2/3."""
    assert average_precision([True, False, True], 3) == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    assert average_precision([], 3) == 0.0
    assert average_precision([True], 0) == 0.0


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 50))
def test_area_is_the_plain_sum(hits: list[bool], positives: int) -> None:
    expected = float(restated.precision_area(hits, positives))
    assert average_precision(hits, positives) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.booleans(), max_size=20), st.integers(1, 20), st.integers(0, 20))
def test_a_miss_never_raises_the_area(hits: list[bool], positives: int, at: int) -> None:
    more = [*hits[:at], False, *hits[at:]]
    assert average_precision(more, positives) <= average_precision(hits, positives) + 1e-15


def test_persons_are_one_class_at_other_thresholds() -> None:
    gt = layer([[1] * 10 + [2] * 10])
    pred = layer([[1] * 7 + [0] * 3 + [2] * 10], [Segment(1, score=0.9), Segment(2, score=0.8)])
    found = numbers(APr(**STRICT), [pair("human", gt, pred)])
    below, above = 1.0, 0.25  # above .7: hits 0, 1, precision 1/2 at recall 1/2
    assert [found[k] for k in ("0.5", "0.7", "0.75", "0.95")] == [below, below, above, above]
    assert found["0.5:0.95"] == pytest.approx((5 * below + 5 * above) / 10)
    assert number(APr(**PAPER), [pair("human", gt, pred)], "0.7") == above  # .7 is not above .7


def test_detections_are_pooled_over_videos_and_videos_scored_alone() -> None:
    good = pair("human", layer([1, 1]), layer([1, 1], [Segment(1, score=0.5)]), video="a")
    bad = pair("human", layer([1, 0]), layer([0, 1], [Segment(1, score=0.9)]), video="b")
    measure = APr(**PAPER)
    assert number(measure, [good, bad], "0.5") == 0.25
    assert number(measure, [good, bad], "0.5", "a") == 1.0
    assert number(measure, [good, bad], "0.5", "b") == 0.0


def test_ties_by_video_frame_and_id() -> None:
    hit = pair("human", layer([1, 1]), layer([1, 1]), video="a")
    miss = pair("human", layer([1, 0]), layer([0, 1]), video="b")
    measure = APr(**PAPER)
    state = measure.observe(miss).merge(measure.observe(hit))
    for order in (["a", "b"], ["b", "a"]):
        assert next(v.value for v in measure.finish(state, order) if v.key == "0.5") == 0.5
    swapped = [dataclasses.replace(hit, video="b"), dataclasses.replace(miss, video="a")]
    assert number(measure, swapped, "0.5") == 0.25


def test_once_takes_the_best_that_is_left() -> None:
    """IoUs with ground truths 1 and 2: of detection 1 4/8 and 0, of detection 2 4/10 and 2/6."""
    gt = layer([[1] * 8 + [2] * 2], [Segment(1, FACE), Segment(2, FACE)])

    def at(t: str, first: float, second: float) -> float:
        rows = [Segment(1, FACE, score=first), Segment(2, FACE, score=second)]
        return number(STRICT_VOL, [pair("part", gt, layer([[1] * 4 + [2] * 6], rows))], t)

    # Detection 1 takes 1; 2 falls back on the other, which is good enough at .3 only.
    assert [at(t, 0.9, 0.8) for t in ("0.3", "0.4", "0.5", "0.6")] == [1.0, 0.5, 0.5, 0.0]
    # Detection 2 takes what 1 needs; at .5 it misses first.
    assert [at(t, 0.8, 0.9) for t in ("0.3", "0.4", "0.5", "0.6")] == [0.5, 0.5, 0.25, 0.0]


def test_a_class_that_is_in_neither_map() -> None:
    one = pair("part", GT, GT)
    found = PAPER_VOL.finish(PAPER_VOL.observe(one), ["v"])
    assert {v.n for v in found if v.scope == "all"} == {19}
    assert {v.value for v in found if v.scope == "class:hat"} == {0.0}
    found = STRICT_VOL.finish(STRICT_VOL.observe(one), ["v"])
    assert {v.n for v in found if v.scope == "all"} == {1}
    assert not [v for v in found if v.scope == "class:hat"]


def test_a_frame_without_persons() -> None:
    none = pair("human", layer([0, 0]), layer([0, 0]))
    assert number(APr(**PAPER), [none], "0.5") == 0.0
    assert math.isnan(number(APr(**STRICT), [none], "0.5"))


def test_ground_truth_counts_where_listed_with_pixels() -> None:
    ids = [1, 1, 9]
    listed = layer(ids, [Segment(1, FACE), Segment(2, FACE)])  # 2 has no pixels, 9 is not listed
    one = pair("part", listed, layer([1, 1, 0], [Segment(1, FACE)]))
    assert of_face(PAPER_VOL, one) == of_face(STRICT_VOL, one) == [1.0] * 10


@pytest.mark.parametrize(
    ("pred", "said"),
    [
        (layer([1, 1, 0], [Segment(1, FACE), Segment(2, FACE)]), "id 2: .*a row without pixels"),
        (layer([1, 1, 2], [Segment(1, FACE)]), "id 2: .*pixels without a row"),
        (layer([1, 1, 0], [Segment(1, FACE), Segment(1, FACE)]), "id 1: .*2 rows"),
        (layer([1, 1, 0], [Segment(1, 25)]), r"id 1: expected a class in 1\.\.19, got class 25"),
        (layer([1, 1, 0], [Segment(1, 0)]), "id 1: .*class 0"),
    ],
)
def test_faulty_detections_are_named(pred: SegmentMap, said: str) -> None:
    with pytest.raises(UserError, match=f"videos1, frame 26, part: {said}"):
        PAPER_VOL.observe(pair("part", layer([1, 1, 0]), pred, video="videos1", frame="26"))


@st.composite
def frames(draw: st.DrawFn) -> list[tuple[str, str, SegmentMap, SegmentMap]]:
    """Some frames of some videos: noisy copies of one another, few ids, classes and distinct scores."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    made = []
    for video, frame in draw(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("12")), unique=True)):
        gt = rng.integers(0, 4, (6, 5)).repeat(2, axis=0)
        pred = np.where(rng.random(gt.shape) < rng.choice([0.2, 0.6, 0.9]), gt, rng.integers(0, 4, gt.shape))
        made.append((video, frame, _listed(rng, gt, 5), _listed(rng, rng.permutation(6)[pred], 5)))
    return made


def _listed(rng: np.random.Generator, ids: np.ndarray[Any, Any], scores: int) -> SegmentMap:
    present = rng.permutation(np.unique(ids[ids > 0]))
    rows = [
        Segment(int(i), int(rng.integers(1, 3)), score=int(rng.integers(scores)) / scores) for i in present
    ]
    return layer(ids, rows)


def pairs_of(made: list[tuple[str, str, SegmentMap, SegmentMap]]) -> list[Pair]:
    return [pair("part", gt, pred, video=video, frame=frame) for video, frame, gt, pred in made]


@settings(deadline=None)
@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
@given(frames())
def test_ap_is_the_plain_loop_over_masks(made: list[tuple[str, str, SegmentMap, SegmentMap]]) -> None:
    assume(made)
    for measure, strict in ((PAPER_VOL, False), (STRICT_VOL, True)):
        values = measure.finish(observed(measure, pairs_of(made)), ["b", "a"])
        for k, t in enumerate(Fraction(k, 10) for k in range(1, 10)):
            expected = {c: restated.average_precision(made, c, t, strict) for c in (1, 2)}
            for c, ap in expected.items():
                found = [
                    v.value for v in values if (v.key, v.scope) == (measure.keys[k], f"class:{CLASSES[c]}")
                ]
                if ap is None:
                    assert found == ([] if strict else [0.0])
                else:
                    assert found == pytest.approx([float(ap)], abs=1e-12)


@settings(deadline=None)
@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
@given(frames(), st.integers(0, 5), st.integers(1, 2))
def test_a_false_positive_never_raises_strict_ap(
    made: list[tuple[str, str, SegmentMap, SegmentMap]], score: int, category: int
) -> None:
    assume(made)
    video, frame, gt, pred = made[0]
    free = (gt.ids == 0) & (pred.ids == 0)
    assume(free.any())
    false = layer(np.where(free, 77, pred.ids), [*pred.segments, Segment(77, category, score=score / 5)])
    before = numbers(STRICT_VOL, pairs_of(made))
    after = numbers(STRICT_VOL, pairs_of([(video, frame, gt, false), *made[1:]]))
    assert all(after[k] <= before[k] + 1e-12 or math.isnan(before[k]) for k in STRICT_VOL.keys)


def test_detections_of_a_class_without_ground_truth() -> None:
    gt = layer([1, 1, 0], [Segment(1, FACE)])
    stray = pair("part", gt, layer([1, 1, 2], [Segment(1, FACE), Segment(2, 5)]))
    with pytest.warns(MeasureWarning, match="upper-clothes"):
        assert number(PAPER_VOL, [stray], "0.5") == pytest.approx(1 / 19)
    assert number(STRICT_VOL, [stray], "0.5") == 1.0
