"""Measures as text, and states that merge to the same bits in any partition and order."""

import itertools
import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import Array

from vipbench.errors import UserError
from vipbench.metrics.ap import APr, APrVol
from vipbench.metrics.measure import Measure, Pair, label, parse
from vipbench.metrics.protocols import PROTOCOLS, described
from vipbench.metrics.region import J
from vipbench.types import Instance, Instances, Parsing, Segment, SegmentMap

MEASURES = list(dict.fromkeys(m for measures in PROTOCOLS.values() for m in measures))
LABELS = [
    ("davis2016", "mean", "J.mean(frames=inner,objects=foreground)"),
    ("davis2017-semi", "mean", "J.mean(frames=inner,objects=first-frame)"),
    ("vip-paper", "0.5", "APr@0.5(absent=zero,compare=>,frames=all,matching=argmax)"),
    ("vip-paper", "0.5:0.95", "APr@0.5:0.95(absent=zero,compare=>,frames=all,matching=argmax)"),
    ("vip-paper", "0.1:0.9", "APr_vol@0.1:0.9(absent=zero,compare=>,frames=all,matching=argmax)"),
    ("vip-strict", "0.5", "APr@0.5(absent=skip,compare=>=,frames=all,matching=once)"),
    ("vip-strict", "", "mIoU(absent=skip,frames=all)"),
]


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_text_and_back(measure: Measure) -> None:
    assert parse(str(measure)) == (measure, "")
    for key in measure.keys:
        assert parse(label(measure, key)) == (measure, key)


@pytest.mark.parametrize(("protocol", "key", "text"), LABELS)
def test_labels(protocol: str, key: str, text: str) -> None:
    assert text in [label(m, key) for m in PROTOCOLS[protocol] if key in m.keys]


def test_a_parameter_left_out_has_its_default() -> None:
    assert parse("J.mean()") == (J(), "mean")
    assert parse("APr_vol@0.3(compare=>=)") == (APrVol(compare=">="), "0.3")
    assert APr() != APrVol()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("J.mean", "is not a measure"),
        ("K.mean()", "unknown measure 'K'. Known: AP"),
        ("J.median()", "no number 'median'. Known: mean, recall, decay, frame"),
        ("APr@0.1()", "no number '0.1'. Known: 0.5, 0.55"),
        ("J.mean(object=all)", "J has no parameter 'object'. Known: frames, objects"),
        ("J.mean(objects=all)", "objects=all is not known, expected foreground or first-frame"),
    ],
)
def test_a_text_that_is_no_measure_is_the_users_error(text: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        parse(text)


def parsing(rng: np.random.Generator, size: tuple[int, int]) -> Parsing:
    def instances(n: int) -> SegmentMap:
        ids: Array = rng.integers(0, n, size).astype(np.uint16)
        present = np.unique(ids[ids > 0])
        rows = [
            Segment(int(i), int(rng.integers(1, 4)) if n > 3 else 1, score=float(rng.random()))
            for i in present
        ]
        return SegmentMap(ids, tuple(rows))

    category = SegmentMap(rng.integers(0, 5, size).astype(np.uint16))
    return Parsing(category, instances(3), instances(6), instances(3), boxes(rng, size))


def boxes(rng: np.random.Generator, size: tuple[int, int]) -> Instances:
    """Up to three objects that may overlap, with tied scores."""
    rows = (
        Instance(
            i, int(rng.integers(1, 3)), float(rng.integers(3)), box=(0.0, 0.0, *map(float, rng.random(2) * 4))
        )
        for i in range(rng.integers(4))
    )
    return Instances(size, tuple(rows), {1: "cat", 2: "dog"})


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Pair], list[int], list[int]]:
    """The frames of some videos, an order of them, and where that order is cut into parts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pairs = []
    for video in draw(st.lists(st.sampled_from(["c", "a", "b"]), min_size=1, unique=True)):
        length = draw(st.integers(1, 5))
        for t in range(length):
            gt, pred = parsing(rng, (5, 7)), parsing(rng, (5, 7))
            pairs.append(Pair(video, f"{t:05d}", t, t == length - 1, gt, pred, objects=(1, 2), missing=False))
    order = draw(st.permutations(range(len(pairs))))
    return pairs, order, draw(st.lists(st.integers(0, len(pairs)), max_size=4))


def merged(measure: Measure, states: list[Any]) -> Any:
    state = measure.empty()
    for other in states:
        state = state.merge(other)
    return state


@settings(deadline=None)
@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
@given(shuffled())
def test_any_partition_in_any_order_gives_the_same_bits(
    case: tuple[list[Pair], list[int], list[int]],
) -> None:
    pairs, order, cuts = case
    videos = list(dict.fromkeys(pair.video for pair in pairs))
    bounds = [0, *sorted(cuts), len(pairs)]
    for measure in MEASURES:
        states = [measure.observe(pair) for pair in pairs]
        whole = merged(measure, states)
        parts = [
            merged(measure, [states[i] for i in order[start:stop]])
            for start, stop in itertools.pairwise(bounds)
        ]
        other = merged(measure, parts[::-1])
        assert json.dumps(other.to_json()) == json.dumps(whole.to_json())
        again = type(whole).from_json(json.loads(json.dumps(whole.to_json())))
        expected = repr(measure.finish(whole, videos))  # repr: exact, and NaN equals itself
        assert repr(measure.finish(other, videos)) == expected
        assert repr(measure.finish(again.merge(measure.empty()), videos)) == expected


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32))
def test_perfect_is_one_and_values_are_shares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gt, pred = parsing(rng, (9, 8)), parsing(rng, (9, 8))
    for measure in (*PROTOCOLS["davis2016"], *PROTOCOLS["davis2017-semi"], *PROTOCOLS["vip-strict"]):
        perfect = Pair("v", "f", 1, False, gt, gt, objects=(1, 2))
        values = measure.finish(measure.observe(perfect), ["v"])
        assert {v.value for v in values if v.key != "decay"} == {1.0}
        values = measure.finish(measure.observe(Pair("v", "f", 1, False, gt, pred, objects=(1, 2))), ["v"])
        assert all(0 <= v.value <= 1 for v in values)


def test_import_brings_in_no_scipy() -> None:
    code = "import sys, vipbench.metrics.protocols; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_protocol_says_what_it_is() -> None:
    words = described()
    assert list(words) == list(PROTOCOLS)
    fields = ["about", "frames", "objects", "void", "matching", "averaging", "undefined", "ties", "source"]
    assert {tuple(of) for of in words.values()} == {tuple(fields)}
