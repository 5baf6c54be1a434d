"""Comparisons of Records: hand-computed cases, brute force, and what must not change the numbers."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_states import j_state, parsed, record, save, series

from vipbench import entries
from vipbench.compare import Comparison, Report, compare
from vipbench.errors import UserError
from vipbench.metrics.ap import APr
from vipbench.metrics.measure import Pair, Value
from vipbench.metrics.miou import ious
from vipbench.metrics.region import J
from vipbench.records import Record
from vipbench.types import Parsing, Segment, SegmentMap

MEAN = "J.mean(frames=inner,objects=foreground)"
A = {"ant": [0.9, 0.7], "bee": [0.5], "cat": [0.4], "dog": [0.7]}
B = {"ant": [0.4], "bee": [0.2], "cat": [0.2], "dog": [0.8]}


def report(folder: Path, *records: Record, measures: tuple[str, ...] = (), **settings: Any) -> Report:
    found = entries.read(save(folder, *records))
    return compare(found, entries.labels(found, measures), **settings)


def by(found: Report, measure: str = MEAN) -> Comparison:
    return next(c for c in found.measures if c.measure == measure)


def test_by_hand(tmp_path: Path) -> None:
    """Differences .4, .3, .2, -.1: of 16 exchanges the sums of .8 and 1 are as extreme, of either sign."""
    found = report(tmp_path, series("a", A), series("b", B))
    a, b = by(found).methods
    (pair,) = by(found).pairs
    assert (a.method, b.method, pair.method, pair.other) == ("a", "b", "a", "b")
    assert a.value == pytest.approx(0.6)
    assert b.value == pytest.approx(0.4)
    assert pair.value == pytest.approx(0.2)
    assert pair.p == pair.holm == 4 / 16
    assert (pair.wins, pair.ties, pair.losses) == (3, 0, 1)
    assert a.rank == b.rank == 1
    assert found.exact
    assert found.exchanges == 16
    assert found.videos == ("ant", "bee", "cat", "dog")


def test_intervals_of_two_videos(tmp_path: Path) -> None:
    """Each resample is one of the videos twice, or both: the same for both methods."""
    two = {"ant": A["ant"], "bee": A["bee"]}
    found = by(report(tmp_path, series("a", two), series("b", {"ant": [0.4], "bee": [0.6]})))
    ends = [(e.low, e.high) for e in (*found.methods, *found.pairs)]
    assert ends == [pytest.approx(x) for x in [(0.5, 0.8), (0.4, 0.6), (-0.1, 0.4)]]


def test_one_video_has_no_interval(tmp_path: Path) -> None:
    found = by(report(tmp_path, series("a", {"ant": [0.9]}), series("b", {"ant": [0.1]})))
    assert {(e.low, e.high, e.undefined) for e in (*found.methods, *found.pairs)} == {(None, None, 0)}
    assert found.pairs[0].p == 1


def test_identical_methods_tie(tmp_path: Path) -> None:
    found = report(tmp_path, series("a", A), series("b", A), series("c", A))
    for comparison in found.measures:
        assert {e.rank for e in comparison.methods} == {1}
        for pair in comparison.pairs:
            assert (pair.value, pair.low, pair.high, pair.p, pair.holm) == (0, 0, 0, 1, 1)
            assert (pair.wins, pair.ties, pair.losses) == (0, 4, 0)


def test_separated_methods_have_ranks_of_their_own(tmp_path: Path) -> None:
    videos = [f"video{i}" for i in range(9)]
    levels = {"low": 0.3, "high": 0.8, "alike": 0.3001}
    values = {m: {v: [x + 0.01 * i] for i, v in enumerate(videos)} for m, x in levels.items()}
    values["alike"]["video0"] = [0.29]
    found = by(report(tmp_path, *(series(m, v) for m, v in values.items())))
    assert [e.rank for e in found.methods] == [2, 1, 2]
    ps = {(d.method, d.other): (d.p, d.holm) for d in found.pairs}
    assert ps["low", "high"] == ps["high", "alike"] == (2 / 512, 6 / 512)
    assert ps["low", "alike"][1] > 0.05


def test_a_lower_decay_wins(tmp_path: Path) -> None:
    falls = {video: [0.9, 0.8, 0.2, 0.1] for video in "vwxyz"} | {"u": [0.5] * 4}
    stays = {video: [0.5] * 4 for video in falls}
    found = report(tmp_path, series("falls", falls), series("stays", stays), alpha=0.1)
    decay = by(found, MEAN.replace("mean", "decay"))
    assert decay.lower_is_better
    assert [e.rank for e in decay.methods] == [2, 1]
    assert (decay.pairs[0].wins, decay.pairs[0].ties, decay.pairs[0].losses) == (0, 1, 5)
    assert not by(found).lower_is_better


def test_undefined_resamples_are_counted(tmp_path: Path) -> None:
    """Only "cat" drawn three times has no value: 1/27 of the resamples, less than an interval misses."""
    one = series("a", {"ant": [0.9], "bee": [0.5], "cat": []})
    found = by(report(tmp_path, one)).methods[0]
    assert 40 < found.undefined < 110
    assert (found.low, found.high) == pytest.approx((0.5, 0.9))
    found = by(report(tmp_path, one, alpha=0.01)).methods[0]
    assert found.low is found.high is None


def test_undefined_exchanges_are_counted(tmp_path: Path) -> None:
    """Without values of "ant" in one and of "bee" in the other, one of two exchanges leaves a method none."""
    one, other = series("a", {"ant": [], "bee": [0.5]}), series("b", {"ant": [0.9], "bee": []})
    (pair,) = by(report(tmp_path, one, other)).pairs
    assert pair.undefined_exchanges == 2
    assert pair.p == 1
    assert pair.low is None
    assert pair.undefined > 900
    assert (pair.wins, pair.ties, pair.losses) == (0, 0, 0)


def test_undefined_numbers_have_no_rank(tmp_path: Path) -> None:
    found = by(report(tmp_path, series("a", A), series("none", {video: [] for video in A})))
    assert [e.rank for e in found.methods] == [1, None]
    assert math.isnan(found.pairs[0].p)
    assert math.isnan(found.pairs[0].holm)


def test_seeds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first, second = (series(m, {f"v{i:02}": [x] for i, x in enumerate(rng.random(12))}) for m in "ab")
    one = report(tmp_path, first, second, seed=3, resamples=200)
    assert one == report(tmp_path, first, second, seed=3, resamples=200)
    other = report(tmp_path, first, second, seed=4, resamples=200)
    assert by(one).pairs[0].low != by(other).pairs[0].low
    assert by(one).pairs[0].p != by(other).pairs[0].p
    assert not one.exact
    assert one.exchanges == 201


def test_the_order_of_the_records_changes_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    videos = [f"v{i:02}" for i in range(13)]
    records = [series(m, {v: rng.random(3).tolist() for v in videos}) for m in "abc"]
    forward, backward = (by(report(tmp_path, *each, resamples=500)) for each in (records, records[::-1]))
    assert sorted(map(str, forward.methods)) == sorted(map(str, backward.methods))
    for one in forward.pairs:
        other = next(d for d in backward.pairs if (d.method, d.other) == (one.other, one.method))
        assert (one.p, one.holm) == (other.p, other.holm)
        assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)
        assert one.low is not None
        assert other.high is not None
        assert (one.value, one.low) == pytest.approx((-other.value, -other.high), abs=1e-12)


def maps(seed: int, flip: float) -> dict[str, Any]:
    """Per video a ground truth of four classes, and a prediction that has a share of it wrong."""
    truth, rng = np.random.default_rng(9), np.random.default_rng(seed)
    found = {}
    for i, video in enumerate(("ant", "bee", "cat", "dog")):
        gt = truth.integers(0, 4, (6, 7 + 5 * i))
        found[video] = gt, np.where(rng.random(gt.shape) < flip, rng.integers(0, 5, gt.shape), gt)
    return found


def test_miou_equals_brute_force(tmp_path: Path) -> None:
    """mIoU is of one confusion matrix over all videos: no mean of the videos' mIoU."""
    first, second = maps(1, 0.3), maps(2, 0.5)
    found = report(tmp_path, parsed("a", first), parsed("b", second)).measures[0]

    def miou(choice: list[tuple[Any, Any]]) -> float:
        counts = np.zeros((20, 20), np.int64)
        for gt, pred in choice:
            np.add.at(counts, (gt.ravel(), pred.ravel()), 1)
        return float(np.nanmean(ious(counts)))

    videos = list(first)
    mixed = [
        [(one if stays else other)[v] for v, stays in zip(videos, row, strict=True)]
        for row in itertools.product((True, False), repeat=4)
        for one, other in [(first, second)]
    ]
    numbers = np.array([miou(choice) for choice in mixed])
    differences = numbers - numbers[::-1]
    assert found.methods[0].value == pytest.approx(numbers[0], abs=1e-12)
    assert found.pairs[0].value == pytest.approx(differences[0], abs=1e-12)
    assert found.pairs[0].p == np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)
    assert found.pairs[0].value != pytest.approx(
        np.mean([miou([first[v]]) - miou([second[v]]) for v in videos]), abs=1e-3
    )
    resampled = {miou([first[v] for v in draw]) for draw in itertools.product(videos, repeat=4)}
    low, high = found.methods[0].low, found.methods[0].high
    assert low is not None
    assert high is not None
    assert min(resampled) <= low < numbers[0] < high <= max(resampled)


def persons(method: str, seed: int) -> Record:
    """Scored squares, each shifted by chance against its ground truth; many scores tie."""
    rng, states = np.random.default_rng(seed), {}
    for video in ("ant", "ant2", "bee"):
        gt, pred = np.zeros((10, 40), np.uint16), np.zeros((10, 40), np.uint16)
        for i in range(4):
            shift = int(rng.integers(0, 5))
            gt[:, 10 * i : 10 * i + 6] = i + 1
            pred[:, 10 * i + shift : 10 * i + shift + 5] = i + 1
        rows = tuple(Segment(i + 1, score=float(rng.integers(1, 4)) / 4) for i in range(4))
        truth = Parsing(human=SegmentMap(gt, tuple(Segment(i + 1) for i in range(4))))
        one = Pair(video, "0", 0, True, truth, Parsing(human=SegmentMap(pred, rows)))
        states[video] = APr(matching="once").observe(one)
    return record(method, {APr(matching="once"): states})


def test_ap_equals_brute_force(tmp_path: Path) -> None:
    """AP ranks the detections of all videos together, ties by video: exchanging videos keeps that order."""
    first, second = persons("a", 1), persons("b", 2)
    measure = APr(matching="once")

    def ap(choice: dict[str, Record]) -> float:
        merged = measure.empty()
        for video, source in choice.items():
            merged = merged.merge(type(merged).from_json(source.states[str(measure)][video]))
        values: list[Value] = measure.finish(merged, list(choice))
        return next(v.value for v in values if (v.key, v.scope) == ("0.5", "all"))

    rows = list(itertools.product((first, second), repeat=3))
    numbers = np.array([ap(dict(zip(("ant", "ant2", "bee"), row, strict=True))) for row in rows])
    differences = numbers - numbers[::-1]
    comparison = next(c for c in report(tmp_path, first, second).measures if "@0.5(" in c.measure)
    assert comparison.pairs[0].value == pytest.approx(differences[0], abs=1e-12)
    assert comparison.pairs[0].p == np.mean(np.abs(differences) >= abs(differences[0]) - 1e-12)


def test_videos_called_like_the_parts_of_a_state(tmp_path: Path) -> None:
    names = ("truths", "detections", "videos")
    states = {
        name: APr().observe(
            Pair(
                name, "0", 0, True, *(Parsing(human=SegmentMap.of(np.eye(3, dtype=np.uint16))) for _ in "gp")
            )
        )
        for name in names
    }
    found = report(tmp_path, record("a", {APr(): states}), record("b", {APr(): states}))
    assert {e.value for c in found.measures for e in c.methods if "@0.5(" in c.measure} == {1.0}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dataset": "davis"}, "the data set is 'synth' and 'davis'"),
        ({"version": "7"}, "the version is '1' and '7'"),
        ({"split": "train"}, "the split is 'test' and 'train'"),
        ({"truth": "f" * 64}, "the hash of the ground truth is"),
        ({"values": {"ant": [0.5]}}, "the list of videos is 'ant, bee, cat, dog' and 'ant'"),
    ],
)
def test_other_data_are_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    other = series("b", change.pop("values", B), **change)
    with pytest.raises(UserError) as error:
        report(tmp_path, series("a", A), other)
    assert f"a.json and {tmp_path / 'b.json'} are not of the same data: {says}" in str(error.value)


def test_states_that_do_not_give_the_numbers_are_refused(tmp_path: Path) -> None:
    changed = {str(J()): {video: j_state(video, [0.1]).to_json() for video in A}}
    with pytest.raises(UserError, match=r"its states give 0\.1.* the Record says 0\.6.* score the pred"):
        report(tmp_path, replace(series("a", A), states=changed))


@pytest.mark.parametrize("state", [3, {"ant": 1}, None, [1]])
def test_states_that_are_none_are_refused(tmp_path: Path, state: Any) -> None:
    states = {str(J()): dict.fromkeys(A, state)}
    with pytest.raises(UserError, match=r"a\.json"):
        report(tmp_path, replace(series("a", A), states=states))


@pytest.mark.parametrize("states", [{"K()": {"ant": {}}}, {"K()": {}}])
def test_states_without_the_measure_or_a_video_are_refused(tmp_path: Path, states: Any) -> None:
    with pytest.raises(UserError, match=r"a\.json: its states.*core the predictions again"):
        report(tmp_path, replace(series("a", A), states=states))


def test_methods_of_one_name_are_told_apart_by_their_files(tmp_path: Path) -> None:
    paths = [tmp_path / "x.json", tmp_path / "y.json"]
    for path in paths:
        series("a", A, options={"l": "5"}).save(path)
    assert [e.name for e in entries.read(paths)] == [f"a-l5 ({path})" for path in paths]
    assert [e.name for e in entries.read(paths[:1])] == ["a-l5"]
    with pytest.raises(UserError, match=r"x\.json: given twice"):
        entries.read([paths[0], *paths])


def test_labels(tmp_path: Path) -> None:
    found = entries.read(save(tmp_path, series("a", A), series("b", B)))
    every = [MEAN, MEAN.replace("mean", "recall"), MEAN.replace("mean", "decay")]
    assert entries.labels(found) == entries.labels(found, (), "made") == every
    assert entries.labels(found, ("J.mean()", "J.mean", MEAN)) == [MEAN]
    assert entries.labels(found, ("J.decay", "J.mean"), "made") == [every[2], every[0]]
    with pytest.raises(UserError, match=r"a\.json: has no F\.mean\(.*It has J\.mean"):
        entries.labels(found, ("F.mean()",))
    with pytest.raises(UserError, match=r"a\.json: has no K\. It has J\.mean"):
        entries.labels(found, ("K",))
    with pytest.raises(UserError, match=r"a\.json: has no protocol 'vip-paper'. Its protocols: made"):
        entries.labels(found, (), "vip-paper")
    with pytest.raises(UserError, match="unknown measure 'K'"):
        entries.labels(found, ("K.mean()",))


def test_a_label_that_one_record_lacks_is_named(tmp_path: Path) -> None:
    found = entries.read(save(tmp_path, series("a", A), parsed("b", maps(1, 0.3))))
    with pytest.raises(UserError, match=r"b\.json: has no J\.mean\(.*It has mIoU"):
        entries.labels(found)
