"""The thirteen quirks of the released VIP scripts: what they print for a toy, and what is printed here.

vip-paper keeps those that are a definition (Q1, Q2, Q4, Q11, Q12) and repairs those that are an accident
(Q3, Q5 to Q10, Q13); vip-strict is what COCO and VOC would say; vip-paper-compat does not repair Q3 and Q7.
HCPLab-SYSU/ATEN evaluate/.
"""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pairs import PAPER, STRICT, layer, number, numbers, pair
from PIL import Image

from vipbench.errors import UserError
from vipbench.folders import VipFolder
from vipbench.metrics.ap import APr, APrVol, average_precision
from vipbench.metrics.matching import detected
from vipbench.metrics.measure import MeasureWarning, Pair
from vipbench.metrics.miou import MeanIoU
from vipbench.metrics.protocols import PROTOCOLS
from vipbench.types import Parsing, Segment, SegmentMap

PAPER_VOL, STRICT_VOL = APrVol(**PAPER), APrVol(**STRICT)
PERSON, PERSON_STRICT = APr(**PAPER), APr(**STRICT)
COMPAT = {m.name: m for m in PROTOCOLS["vip-paper-compat"]}
TENTHS = [f"0.{k}" for k in range(1, 10)]


def parts(ids: Sequence[int], *scores: float, category: int = 1) -> SegmentMap:
    """One row of pixels whose ids 1, 2, ... have these scores and one class."""
    return layer(ids, [Segment(i, category, score=score) for i, score in enumerate(scores, 1)])


def persons(ids: Sequence[int], *scores: float) -> SegmentMap:
    return parts(ids, *scores)


def of_class(measure: APrVol, one: Pair, name: str = "hat") -> list[float]:
    found = numbers(measure, [one], f"class:{name}")
    return [found[key] for key in TENTHS] if found else []


def released_order(scores: Sequence[float | str]) -> list[int]:
    """How the released scripts sort detections."""
    return [int(i) for i in np.argsort(np.array(scores))[::-1]]


def released_miou(gt: Sequence[int], pred: Sequence[int]) -> float:
    """The arithmetic of the released test_parsing.py."""
    g, p = np.array(gt), np.array(pred)
    counted = (g >= 0) & (g < 20)
    hist = np.bincount(20 * g[counted] + p[counted], minlength=400).reshape(20, 20)
    with np.errstate(invalid="ignore"):
        iou = np.diag(hist) / (hist.sum(1) + hist.sum(0) - np.diag(hist))
    return float(np.nanmean(iou))


def miou(gt: Sequence[int], pred: Sequence[int]) -> float:
    return number(MeanIoU(), [pair("category", layer(gt), layer(pred))])


def test_q1_duplicates_count() -> None:
    """Two disjoint detections of 40 pixels on one ground truth of 100."""
    one = pair("part", parts([1] * 100, 1), parts([1] * 40 + [2] * 40 + [0] * 20, 0.9, 0.8))
    released = [2.0, 2.0, 2.0, 0, 0, 0, 0, 0, 0]
    assert of_class(PAPER_VOL, one) == released
    assert of_class(STRICT_VOL, one) == [1.0, 1.0, 1.0, 1.0, 0, 0, 0, 0, 0]  # .4 >= .4


def test_q2_absent_class_is_zero() -> None:
    one = pair("part", parts([1, 1], 1), parts([1, 1], 1))
    released = 1 / 19
    assert number(PAPER_VOL, [one], "0.5") == released
    assert of_class(PAPER_VOL, one, "dress") == [0.0] * 9
    assert number(STRICT_VOL, [one], "0.5") == 1.0
    assert of_class(STRICT_VOL, one, "dress") == []


def test_q3_class_without_ground_truth() -> None:
    """Released: NaN for the class and for the mean."""
    ids, hat, dress = [1, 1, 2], Segment(1, 1), Segment(2, 6)
    one = pair("part", layer([1, 1, 0], [hat]), layer(ids, [hat, dress]))
    with np.errstate(invalid="ignore"):
        released = np.mean([1.0, np.float64(0) / np.float64(0), *[0.0] * 17])
    assert math.isnan(released)
    assert math.isnan(number(COMPAT["APr_vol"], [one], "0.5"))
    assert all(math.isnan(ap) for ap in of_class(COMPAT["APr_vol"], one, "dress"))
    assert of_class(COMPAT["APr_vol"], one) == [1.0] * 9
    with pytest.warns(MeasureWarning, match="dress"):
        assert number(PAPER_VOL, [one], "0.5") == 1 / 19
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert number(STRICT_VOL, [one], "0.5") == 1.0


def test_q4_strictly_above_the_threshold() -> None:
    """IoU exactly .5."""
    one = pair("human", persons([1, 1], 1), persons([1, 0], 1))
    released, standard = 0.0, 1.0
    assert number(PERSON, [one], "0.5") == released
    assert number(PERSON_STRICT, [one], "0.5") == standard


def test_q5_ties() -> None:
    """A hit and a miss of the same score: released, the one listed last comes first; here, the lower id."""
    first = pair("human", persons([1, 0], 1), persons([1, 2], 0.5, 0.5))
    last = pair("human", persons([0, 1], 1), persons([1, 2], 0.5, 0.5))
    order = released_order([0.5, 0.5])
    released = [average_precision([hits[i] for i in order], 1) for hits in ([True, False], [False, True])]
    assert released == [0.5, 1.0]
    for measure in (PERSON, PERSON_STRICT):
        assert [number(measure, [one], "0.5") for one in (first, last)] == [1.0, 0.5]


@pytest.mark.parametrize(("hit", "miss"), [("0.9", "9e-05"), ("100", "95")])
def test_q6_scores_are_numbers(hit: str, miss: str) -> None:
    """Released: sorted as text, in which "9e-05" comes after "0.9"."""
    released = average_precision([(True, False)[i] for i in released_order([hit, miss])], 1)
    assert released == 0.5
    one = pair("human", persons([1, 1, 0], 1), persons([1, 1, 2], float(hit), float(miss)))
    assert number(PERSON, [one], "0.5") == number(PERSON_STRICT, [one], "0.5") == 1.0


def test_q6_the_order_of_texts() -> None:
    """Of six scores as files may have them, best first: as text, and as numbers."""
    scores = ["9.9e-05", "1e-05", "1.000000", "0.95", "0.9", "0.10"]
    texts = [scores[i] for i in released_order(scores)]
    assert texts == ["9.9e-05", "1e-05", "1.000000", "0.95", "0.9", "0.10"]
    found = persons(range(1, 7), *map(float, scores))
    ranked = detected(pair("human", persons([0] * 6), found), "human", 2)
    assert [scores[s.id - 1] for s in ranked] == ["1.000000", "0.95", "0.9", "0.10", "9.9e-05", "1e-05"]


def test_q7_a_frame_without_prediction() -> None:
    """Released: its ground truth vanishes, AP 1. Here it is as good as an empty file, AP .5."""
    found = pair("human", persons([1, 1], 1), persons([1, 1], 1), frame="1")
    lacks = pair("human", persons([1, 1], 1), layer([0, 0]), frame="2", missing=True)
    empty = pair("human", persons([1, 1], 1), layer([0, 0]), frame="2")
    released = number(PERSON, [found], "0.5")
    assert released == number(COMPAT["APr"], [found, lacks], "0.5") == 1.0
    assert number(COMPAT["APr"], [found, empty], "0.5") == 0.5
    for measure in (PERSON, PERSON_STRICT):
        assert number(measure, [found, lacks], "0.5") == number(measure, [found, empty], "0.5") == 0.5


def test_q8_a_row_without_pixels() -> None:
    """Released: an IndexError of pooled lists."""
    two_rows_one_mask = pair("part", parts([1, 1], 1), parts([1, 1], 0.9, 0.8))
    for measure in (PAPER_VOL, STRICT_VOL):
        with pytest.raises(UserError, match=r"v, frame f, part: id 2.*a row without pixels"):
            measure.observe(two_rows_one_mask)


def test_q9_more_than_255_instances(tmp_path: Path) -> None:
    """Released: 8 bits, in which instance 256 is background. Here it is written and read in 16."""
    many = parts(range(1, 257), *[0.5] * 256)
    folder = VipFolder(tmp_path)
    folder.write("v", "f", Parsing(layer([1] * 256), persons([1] * 256, 1), many))
    found = folder.read("v", "f").layer("part")
    assert found.ids.tolist() == [list(range(1, 257))]
    assert number(STRICT_VOL, [pair("part", many, found)], "0.1:0.9") == 1.0
    wrapped = layer(found.ids.astype(np.uint8), many.segments[:255])
    assert number(STRICT_VOL, [pair("part", many, wrapped)], "0.1:0.9") == 255 / 256


def test_q10_an_id_that_is_no_class() -> None:
    """Released: 20 lands in the next row of the confusion matrix, without a word, or outside of it."""
    gt, pred = [0, 0, 1, 1], [0, 20, 1, 1]
    assert round(released_miou(gt, pred), 3) == 0.583
    assert released_miou([3, 0], [25, 255]) == released_miou([4, 12], [5, 15])
    with pytest.raises(ValueError, match="reshape"):
        released_miou([19], [25])
    for true, wrong in ((gt, pred), ([3], [25]), ([0], [255]), ([19], [25])):
        with pytest.raises(UserError, match=f"predicted id {max(wrong)}"):
            miou(true, wrong)


def test_q11_class_only_predicted() -> None:
    gt, pred = [0, 0, 1, 1], [0, 2, 1, 1]
    assert miou(gt, pred) == released_miou(gt, pred) == pytest.approx((0.5 + 1 + 0) / 3)


def test_q12_void() -> None:
    gt, pred = [0, 255, 1, 1], [0, 2, 1, 1]
    assert miou(gt, pred) == released_miou(gt, pred) == 1.0


def test_q13_another_size() -> None:
    """Released: resized by a filter that blends labels, 2 and 8 into classes that nobody predicted."""
    released = Image.fromarray(np.array([[2, 8]], np.uint8)).resize((4, 1), Image.Resampling.LANCZOS)
    assert set(np.asarray(released).ravel().tolist()) - {2, 8}
    small, large = layer([[1, 2]]), layer([[1, 1, 2, 2]])
    for name, measure in (("category", MeanIoU()), ("human", PERSON), ("part", PAPER_VOL)):
        with pytest.raises(UserError, match=r"size \(1, 4\).*got \(1, 2\).*Nothing is resized"):
            measure.observe(pair(name, large, small))
