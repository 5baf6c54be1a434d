"""Real shapes: a published parser's part, person and instance-part maps of one photograph."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import restated
from pairs import numbers

from vipbench.metrics.ap import APr, APrVol
from vipbench.metrics.measure import Pair
from vipbench.metrics.protocols import PROTOCOLS
from vipbench.pixels import read_ids
from vipbench.types import Parsing, Segment, SegmentMap

BOTH = [m for p in ("vip-paper", "vip-strict") for m in PROTOCOLS[p] if isinstance(m, APr)]


@pytest.fixture(scope="module")
def truth(test_data: Path) -> Parsing:
    """4 persons and 31 parts; a part's class and person are those below its pixels."""
    names = ("global_human_parsing", "instance_human_mask", "multiple_human_parsing")
    category, human, part = (read_ids(test_data / f"schp_triple/demo_{name}.png") for name in names)
    first = {int(i): int(np.argmax(part == i)) for i in np.unique(part[part > 0])}
    rows = [Segment(i, int(category.flat[p]), int(human.flat[p])) for i, p in first.items()]
    return Parsing(SegmentMap(category), SegmentMap.of(human), SegmentMap(part, tuple(rows)))


@pytest.fixture(scope="module")
def perturbed(truth: Parsing) -> Parsing:
    """Moved by 9 and 6 pixels, person 2 halved into two, scores that fall with the id but for every third."""
    moved = {n: np.roll(truth.layer(n).ids, (9, 6), (0, 1)) for n in ("category", "human", "part")}
    middle = int(np.nonzero(moved["human"] == 2)[1].mean())
    moved["human"][:, middle:][moved["human"][:, middle:] == 2] = 9
    people = [Segment(i, score=1 / i) for i in np.unique(moved["human"])[1:].tolist()]
    parts = [
        Segment(s.id, s.category, s.human, 1.0 if s.id % 3 == 0 else 1 / s.id)
        for s in truth.layer("part").segments
    ]
    human, part = SegmentMap(moved["human"], tuple(people)), SegmentMap(moved["part"], tuple(parts))
    return Parsing(SegmentMap(moved["category"]), human, part)


def pair(gt: Parsing, pred: Parsing) -> Pair:
    return Pair("demo", "1", 0, 1, gt, pred)


def test_it_is_what_it_is_said_to_be(truth: Parsing) -> None:
    assert len(truth.layer("human").segments) == 4
    assert len(truth.layer("part").segments) == 31


def test_against_itself(truth: Parsing) -> None:
    for measure in PROTOCOLS["vip-strict"]:
        assert set(numbers(measure, [pair(truth, truth)]).values()) == {1.0}
    present = len({s.category for s in truth.layer("part").segments})
    released = numbers(APrVol(), [pair(truth, truth)])
    assert list(released.values()) == pytest.approx([present / 19] * 10)


@pytest.mark.parametrize("measure", BOTH, ids=str)
def test_perturbed_against_masks(measure: APr, truth: Parsing, perturbed: Parsing) -> None:
    found = numbers(measure, [pair(truth, perturbed)])
    frame = ("demo", "1", truth.layer(measure.layer), perturbed.layer(measure.layer))
    for key, t in zip(measure.keys, measure.thresholds, strict=False):
        strict = measure.matching == "once"
        aps = [restated.average_precision([frame], c, Fraction(str(t)), strict) for c in measure.classes]
        counted = [ap for ap in aps if ap is not None] if strict else [ap or 0 for ap in aps]
        assert found[key] == pytest.approx(float(sum(counted) / len(counted)), abs=1e-12)
    assert 0 < found[measure.keys[-1]] < 1
