"""AP by the size of the instance: small below 32^2 pixels, large from 96^2 on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pairs import numbers, observed, pair

from vipbench.metrics.ap import APr, APrVol
from vipbench.metrics.measure import Pair
from vipbench.metrics.ranking import size
from vipbench.types import Segment, SegmentMap

SIZE = (200, 300)


def blobs(*areas: tuple[int, int], scores: tuple[float, ...] = (), category: int = 1) -> SegmentMap:
    """Segments 1, 2, .. as (first pixel, pixels), counted row by row."""
    ids = np.zeros(SIZE[0] * SIZE[1], np.uint16)
    for segment, (start, area) in enumerate(areas, 1):
        ids[start : start + area] = segment
    given = scores or (1.0,) * len(areas)
    return SegmentMap(ids.reshape(SIZE), tuple(Segment(k, category, score=s) for k, s in enumerate(given, 1)))


def by_size(measure: APr, *made: Pair, key: str = "0.5") -> dict[str, float]:
    values = measure.finish(observed(measure, made), ["v"])
    return {v.scope[5:]: v.value for v in values if v.scope.startswith("size:") and v.key == key}


def test_limits() -> None:
    assert [size(area) for area in (1, 1023, 1024, 9215, 9216, 10**6)] == list("ssmmll")


def test_sizes_are_scored_apart() -> None:
    """The small one is found, the medium one is not, no large one is there."""
    gt = blobs((0, 100), (1000, 2000))
    one = pair("human", gt, blobs((0, 100)))
    assert by_size(APr(), one) == {"small": 1.0, "medium": 0.0}
    assert numbers(APr(), [one])["0.5"] == 0.5


def test_a_hit_counts_with_the_size_of_what_it_hit() -> None:
    """1,000 of 1,200 pixels: a small detection of a medium person, right at .5 and wrong at .9."""
    one = pair("human", blobs((0, 1200)), blobs((0, 1000)))
    assert by_size(APr(), one) == by_size(APr(), one, key="0.8") == {"medium": 1.0}
    assert by_size(APr(), one, key="0.9") == {"medium": 0.0}


def test_a_miss_counts_with_its_own_size() -> None:
    """A better scored small miss halves the precision of the small, not of the large."""
    gt = blobs((0, 100), (10000, 20000))
    pred = blobs((0, 100), (10000, 20000), (500, 90), scores=(0.8, 0.7, 0.9))
    assert by_size(APr(), pair("human", gt, pred)) == {"small": 0.5, "large": 1.0}


@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
@pytest.mark.parametrize(("absent", "expected"), [("zero", 1 / 19), ("skip", 1.0), ("nan", math.nan)])
def test_classes_without_this_size(absent: Any, expected: float) -> None:
    """A small hat, and a stray small dress; nothing of these is medium."""
    gt = blobs((0, 100), (5000, 3000))
    gt = SegmentMap(gt.ids, (Segment(1, 1), Segment(2, 5)))
    pred = SegmentMap(blobs((0, 100), (300, 50)).ids, (Segment(1, 1), Segment(2, 6, score=0.5)))
    found = by_size(APrVol(absent=absent), pair("part", gt, pred))
    assert found == pytest.approx({"small": expected, "medium": 0.0}, nan_ok=True)
