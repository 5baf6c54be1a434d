"""Resampling of videos, and what must hold of any frames: the measures of persons, parts and classes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pairs import Array, observed
from person_cases import parsing

from vipbench.metrics.accuracy import FrequencyWeightedIoU, MeanAccuracy, PixelAccuracy
from vipbench.metrics.ap import APr, APrVol
from vipbench.metrics.boundary import F
from vipbench.metrics.boxes import APb
from vipbench.metrics.davis2017 import FCompat, JCompat, JFCompat, JFUnsupCompat, JUnsupCompat
from vipbench.metrics.jf import JF
from vipbench.metrics.measure import Measure, Pair
from vipbench.metrics.miou import MeanIoU
from vipbench.metrics.person import PCP, APp
from vipbench.metrics.proposals import FUnsup, JFUnsup, JUnsup
from vipbench.metrics.region import J
from vipbench.types import Parsing, SegmentMap

VIDEOS = ("a", "b", "c")
SERIES: list[Measure] = [
    *(m(objects="first-frame") for m in (J, F, JF, JCompat, FCompat, JFCompat)),
    *(m() for m in (J, JUnsup, FUnsup, JFUnsup, JUnsupCompat, JFUnsupCompat)),
]
MEASURES: list[Measure] = [
    *(
        m(frames=f)
        for m in (MeanIoU, PixelAccuracy, MeanAccuracy, FrequencyWeightedIoU, PCP)
        for f in ("all",)
    ),
    MeanIoU(absent="zero", frames="submitted"),
    *(APrVol(absent=absent) for absent in ("zero", "skip", "nan")),
    *(APrVol(matching=matching, compare=">=") for matching in ("voc", "once")),
    APr(absent="skip", matching="once", frames="submitted"),
    APr(absent="nan"),
    APb(),
    APp(),
]
pytestmark = pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")


def scene(rng: np.random.Generator, missing: bool) -> tuple[Parsing, Parsing]:
    """A frame of coarse noise: up to three persons, parts of classes 1..5, few distinct scores."""
    human = rng.integers(0, 4, (4, 6)).repeat(20, axis=0).repeat(15, axis=1)
    category = np.where(human > 0, rng.integers(1, rng.integers(2, 7), human.shape[1]), 0)
    other = np.where(rng.random(human.shape) < rng.choice([0.0, 0.1, 0.5]), rng.permutation(4)[human], human)
    label = np.where(rng.random(human.shape) < 0.1, rng.integers(1, 6, human.shape), category)
    pred = parsing(other, np.where(other > 0, np.maximum(label, 1), 0))
    if missing:
        pred = Parsing.empty(human.shape, ("category", "human", "part"))
    return parsing(human, category), scored(rng, pred)


def scored(rng: np.random.Generator, pred: Parsing) -> Parsing:
    def rows(layer: SegmentMap) -> SegmentMap:
        scores = rng.integers(1, 6, len(layer.segments)) / 5
        given = zip(layer.segments, scores.tolist(), strict=True)
        return SegmentMap(layer.ids, tuple(dataclasses.replace(s, score=score) for s, score in given))

    return dataclasses.replace(pred, human=rows(pred.layer("human")), part=rows(pred.layer("part")))


@st.composite
def frames(draw: st.DrawFn) -> list[Pair]:
    """Up to two frames of each of three videos; a video may have none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    made = []
    for video in VIDEOS:
        count = draw(st.integers(0, 2))
        for t in range(count):
            missing = draw(st.booleans()) and draw(st.booleans())
            made.append(Pair(video, str(t), t, t == count - 1, *scene(rng, missing), missing=missing))
    return made


def whole(measure: Measure, state: object, videos: list[str]) -> dict[str, float]:
    return {v.key: v.value for v in measure.finish(state, videos) if v.scope == "all"}


@settings(deadline=None, max_examples=12)
@given(frames(), st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=4))
def test_resample_is_finish_of_repeated_videos(made: list[Pair], weights: list[list[int]]) -> None:
    for measure in MEASURES:
        state = observed(measure, made)
        state = type(state).from_json(json.loads(json.dumps(state.to_json())))
        table = np.array([[1, 1, 1], *weights])
        fast, slow = measure.resample(state, VIDEOS, table), Measure.resample(measure, state, VIDEOS, table)
        assert list(fast) == list(slow) == list(measure.keys)
        once = whole(measure, state, list(VIDEOS))
        for key in measure.keys:
            assert fast[key].shape == (len(table),)
            np.testing.assert_allclose(fast[key], slow[key], rtol=0, atol=1e-12)
            np.testing.assert_allclose(fast[key][0], once[key], rtol=0, atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_no_resample_and_more_than_a_block(measure: Measure) -> None:
    rng = np.random.default_rng(0)
    made = [Pair(v, "1", 0, True, *scene(rng, False)) for v in VIDEOS]
    state = observed(measure, made)
    none = measure.resample(state, VIDEOS, np.zeros((0, 3), np.int64))
    assert {key: values.shape for key, values in none.items()} == dict.fromkeys(measure.keys, (0,))
    many = measure.resample(state, VIDEOS, np.tile([2, 0, 1], (600, 1)))
    once = whole(measure, state, ["a", "a", "c"])
    for key in measure.keys:
        np.testing.assert_allclose(many[key], once[key], rtol=0, atol=1e-12)
    assert all(key in once for key in measure.keys)


@settings(deadline=None, max_examples=10)
@given(frames())
def test_a_perfect_prediction_is_1_in_every_number(made: list[Pair]) -> None:
    own = [dataclasses.replace(one, pred=one.gt, missing=False) for one in made]
    assume(any(one.gt.layer("human").segments for one in made))
    for measure in MEASURES:
        strict = dataclasses.replace(measure, absent="skip") if hasattr(measure, "absent") else measure
        values = whole(strict, observed(strict, own), list(VIDEOS))
        assert values == pytest.approx(dict.fromkeys(measure.keys, 1.0), abs=1e-12), measure


def test_a_disjoint_prediction_is_0() -> None:
    left, right = np.zeros((40, 60), int), np.zeros((40, 60), int)
    left[:, :30], right[:, 30:] = 1, 1
    one = Pair("a", "1", 0, True, parsing(left, 2 * left), parsing(right, 2 * right))
    for measure in MEASURES:
        if not isinstance(measure, (APp, PCP)):  # in which the background of the other person counts
            assert set(whole(measure, observed(measure, [one]), ["a"]).values()) == {0.0}
    assert whole(APp(), observed(APp(), [one]), ["a"])["0.1"] == 0.0


@settings(deadline=None, max_examples=10)
@given(frames(), st.integers(0, 2**32))
def test_ids_are_only_names(made: list[Pair], seed: int) -> None:
    """True ids in any order; detections keep their order, which ranks equal scores, their rows do not."""
    rng = np.random.default_rng(seed)
    renamed = [
        dataclasses.replace(one, gt=_renamed(one.gt, rng.permutation), pred=_renamed(one.pred, np.sort, -1))
        for one in made
    ]
    for measure in MEASURES:
        before, after = (whole(measure, observed(measure, m), list(VIDEOS)) for m in (made, renamed))
        np.testing.assert_array_equal(list(before.values()), list(after.values()))


def _renamed(one: Parsing, order: Callable[[Array], Array], step: int = 1) -> Parsing:
    """The same with other ids of persons and parts; step -1: rows backwards."""

    def layer(found: SegmentMap) -> tuple[SegmentMap, dict[int, int]]:
        old = sorted(s.id for s in found.segments)
        new = dict(zip(old, order(5 + 3 * np.arange(len(old))).tolist(), strict=True))
        table = np.zeros(65536, np.uint16)
        table[list(new)] = list(new.values())
        rows = tuple(dataclasses.replace(s, id=new[s.id]) for s in found.segments[::step])
        return SegmentMap(table[found.ids], rows), new

    (human, owners), (part, _) = layer(one.layer("human")), layer(one.layer("part"))
    rows = (dataclasses.replace(s, human=owners[s.human]) for s in part.segments)
    return dataclasses.replace(one, human=human, part=SegmentMap(part.ids, tuple(rows)))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 6), min_size=3, max_size=3))
def test_series_too_of_videos_of_any_length(seed: int, lengths: list[int]) -> None:
    """Also where a video has no scored frame: NaN where it is drawn (-compat), else left out."""
    rng = np.random.default_rng(seed)
    frames = [
        Pair(video, f"{t:05d}", t, t == n - 1, objects(rng), objects(rng), (1, 2))
        for video, n in zip(VIDEOS, lengths, strict=True)
        for t in range(n)
    ]
    weights = rng.integers(0, 3, (6, 3))
    for measure in SERIES:
        state = observed(measure, frames)
        slow = Measure.resample(measure, state, VIDEOS, weights)
        for key, values in measure.resample(state, VIDEOS, weights).items():
            np.testing.assert_allclose(values, slow[key], rtol=0, atol=1e-12, err_msg=f"{measure} {key}")


def objects(rng: np.random.Generator) -> Parsing:
    return Parsing(object=SegmentMap.of(rng.integers(0, 3, (6, 7)).astype(np.uint8)))
