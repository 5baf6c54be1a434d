"""Mean, recall and decay; which frames and sequences count."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import layer, number, numbers, observed, pair

from vipbench.errors import UserError
from vipbench.metrics.boundary import F
from vipbench.metrics.davis2017 import JCompat
from vipbench.metrics.measure import MeasureWarning, Pair
from vipbench.metrics.protocols import PROTOCOLS, unscored
from vipbench.metrics.region import J
from vipbench.metrics.series import decay, edges, mean, recall

EDGES = {
    1: [0, 0, 0, 0, 0],
    2: [0, 0, 1, 1, 1],
    3: [0, 1, 1, 2, 2],
    4: [0, 1, 2, 2, 3],
    5: [0, 1, 2, 3, 4],
    8: [0, 2, 4, 5, 7],
    48: [0, 12, 24, 35, 47],
    50: [0, 12, 25, 37, 49],
    78: [0, 19, 39, 58, 77],
    98: [0, 24, 49, 73, 97],
    102: [0, 25, 51, 76, 101],
}
# What a ramp from 1 to 0 loses, by hand; beside it what edges of 8 bits make of it with numpy 2.
RAMPS = {
    1: (0.0, 0.0),
    4: (2 / 3, 2 / 3),
    5: (3 / 4, 3 / 4),
    48: (35 / 47, 35 / 47),
    50: (37 / 49, 37 / 49),
    255: (190.5 / 254, 190.5 / 254),
    256: (191 / 255, math.nan),
    257: (192 / 256, math.nan),
    400: (299 / 399, 0.1078),
    1000: (749 / 999, math.nan),
}


@pytest.mark.parametrize(("n", "expected"), EDGES.items())
def test_edges(n: int, expected: list[int]) -> None:
    assert edges(n) == expected


@pytest.mark.parametrize("n", RAMPS)
def test_decay_of_a_ramp(n: int) -> None:
    ours, _ = RAMPS[n]
    assert decay(np.linspace(1, 0, n)) == pytest.approx(ours, abs=1e-14)


@pytest.mark.parametrize("n", [n for n in RAMPS if n not in (256, 257, 1000)])
def test_edges_of_8_bits_are_what_the_reference_has(n: int) -> None:
    """Up to 255 frames the same; of 400 the last bin begins at frame 44 and ends at 143."""
    cut = np.array(edges(n)).astype(np.uint8)
    ramp = np.linspace(1, 0, n)
    theirs = ramp[cut[0] : cut[1] + 1].mean() - ramp[cut[3] : int(cut[4]) + 1].mean()
    assert theirs == pytest.approx(RAMPS[n][1], abs=5e-5)


@given(st.integers(1, 2000))
def test_quarters_cover_all_frames_evenly(n: int) -> None:
    cut = edges(n)
    assert (cut[0], cut[4]) == (0, n - 1)
    steps = np.diff(cut)
    assert steps.min() >= (n - 1) // 4 - 1
    assert steps.max() <= (n - 1) // 4 + 2
    assert abs(decay(np.full(n, 0.3))) < 1e-15


def test_recall_is_strict() -> None:
    assert recall(np.array([0.5, 0.5, np.nextafter(0.5, 1), 0.4])) == 0.25
    assert (mean(np.array([])), recall(np.array([]))) == pytest.approx((math.nan, math.nan), nan_ok=True)


def sequence(video: str, hits: list[int], size: int = 4) -> list[Pair]:
    """Frames of which the object is found in `hits[t]` of 4 pixels: J = hits / 4."""
    return [
        pair(
            "object",
            layer([1] * size),
            layer([255] * hit + [0] * (size - hit)),
            video=video,
            frame=f"{t:05d}",
            position=t,
            last=t == len(hits) - 1,
        )
        for t, hit in enumerate(hits)
    ]


def test_first_and_last_frame_do_not_count() -> None:
    pairs = sequence("a", [0, 4, 2, 3, 0])
    assert number(J(), pairs, "mean") == 0.75
    assert number(J(), pairs, "recall") == 2 / 3
    assert number(J(), pairs, "decay", "a") == pytest.approx((1 + 0.5) / 2 - 0.75)
    values = J().finish(observed(J(), pairs), ["a"])
    frames = [(v.scope, v.value) for v in values if v.key == "frame"]
    assert frames == [("a/00001", 1.0), ("a/00002", 0.5), ("a/00003", 0.75)]


def test_the_mean_is_over_sequences_not_frames() -> None:
    pairs = sequence("long", [0, 4, 4, 4, 4, 0]) + sequence("short", [0, 0, 0])
    assert number(J(), pairs, "mean") == 0.5


def test_the_mean_is_over_objects_of_2017() -> None:
    gt, pred = layer([1, 1, 2, 2, 3]), layer([1, 1, 2, 0, 0])
    one = pair("object", gt, pred, objects=(1, 2))
    measure = J(objects="first-frame")
    assert numbers(measure, [one])["mean"] == 0.75  # the 3 came later: it is not scored
    assert numbers(measure, [one], "v#2")["mean"] == 0.5
    assert numbers(measure, [one], "v#2/f") == {"frame": 0.5}


def test_an_id_that_the_first_frame_lacks_is_refused() -> None:
    one = pair("object", layer([1, 2, 2]), layer([1, 2, 3]), objects=(1, 2))
    for measure in (J(objects="first-frame"), JCompat(objects="first-frame")):
        with pytest.raises(UserError, match=r"v, frame f: predicted id 3, .* at most 2"):
            measure.observe(one)


def test_a_sequence_too_short_is_left_out_and_said() -> None:
    pairs = sequence("two", [4, 4]) + sequence("three", [0, 2, 0])
    for measure in (J(), F()):
        state = observed(measure, pairs)
        with pytest.warns(MeasureWarning, match="two"):
            values = measure.finish(state, ["two", "three"])
        assert [v.n for v in values if v.scope == "all"] == [1, 1, 1]
        assert not [v for v in values if v.scope.startswith("two")]
    assert number(J(), pairs[2:], "mean") == 0.5


def test_nothing_scored_is_not_a_number() -> None:
    with pytest.warns(MeasureWarning):
        found = numbers(J(), sequence("two", [4, 4]))
    assert all(math.isnan(value) for value in found.values())
    assert set(found) == {"mean", "recall", "decay"}


def test_no_warning_without_need() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers(J(), sequence("three", [0, 2, 0]))


def test_which_frames_may_be_missing() -> None:
    for protocol in ("davis2016", "davis2017-semi"):
        assert unscored(PROTOCOLS[protocol], 5) == {0, 4}
        assert unscored(PROTOCOLS[protocol], 2) == {0, 1}
        assert unscored(PROTOCOLS[protocol], 1) == {0}
    for protocol in ("vip-paper", "vip-strict"):
        assert unscored(PROTOCOLS[protocol], 5) == set()
