"""COCO's numbers: cases small enough to do by hand, and cocoapi itself on random ones."""

from __future__ import annotations

import contextlib
import io
import json
import math
from typing import Any

import numpy as np
import pytest
from pairs import Array, layer, numbers, observed
from pairs import pair as label_pair

from vipbench import rle
from vipbench.errors import UserError
from vipbench.metrics.coco import COCO, COCOHuman, box_ious
from vipbench.metrics.measure import Measure, MeasureWarning, Pair
from vipbench.types import Instance, Instances, Parsing, Segment

SIZE = (200, 200)
PERFECT = pytest.approx(1, abs=1e-15)  # cocoapi divides by hits + misses + 2^-52
NAMES = {1: "cat", 2: "dog"}
BBOX, SEGM = COCO(kind="bbox"), COCO()
Box = tuple[float, float, float, float]
Row = tuple[Any, ...]


def pair(video: str, truths: list[Instance], found: list[Instance], size: tuple[int, int] = SIZE) -> Pair:
    gt, pred = Instances(size, tuple(truths), NAMES), Instances(size, tuple(found))
    return Pair(video, video, 0, True, Parsing(instances=gt), Parsing(instances=pred))


def truth(box: Box, category: int = 1, crowd: bool = False, area: float | None = None) -> Instance:
    return Instance(0, category, 1.0, area or box[2] * box[3], crowd, box)


def found(score: float, box: Box, category: int = 1) -> Instance:
    return Instance(0, category, score, box=box)


A, B, FAR = (0.0, 0.0, 40.0, 40.0), (50.0, 0.0, 40.0, 40.0), (150.0, 150.0, 40.0, 40.0)
HALF = (0.0, 0.0, 40.0, 20.0)  # IoU with A is .5 exactly
SMALL, MEDIUM = (100.0, 100.0, 32.0, 32.0), (100.0, 100.0, 33.0, 32.0)

# truths, detections -> some of the numbers of the only frame
CASES: list[tuple[str, list[Instance], list[Instance], dict[str, float]]] = [
    ("perfect", [truth(A)], [found(0.5, A)], {"AP": 1, "AR1": 1, "APm": 1, "APs": math.nan}),
    ("at the threshold", [truth(A)], [found(0.5, HALF)], {"AP": 0.1, "AP50": 1, "AP75": 0, "AR100": 0.1}),
    # recall .5 is reached at 51 of the 101 recalls
    ("one of two", [truth(A), truth(B)], [found(0.5, A)], {"AP": 51 / 101, "AR100": 0.5}),
    ("false first", [truth(A)], [found(0.9, FAR), found(0.5, A)], {"AP": 0.5, "AR1": 0, "AR10": 1}),
    ("false last", [truth(A)], [found(0.4, FAR), found(0.5, A)], {"AP": 1}),
    (
        "twice",
        [truth(A), truth(B)],
        [found(0.9, A), found(0.8, A), found(0.7, B)],
        {"AP": (51 + 50 * 2 / 3) / 101},
    ),
    ("other category", [truth(A)], [found(0.5, A, 2)], {"AP": 0}),
    # only crowds may be found more than once, and neither they nor what finds them counts
    ("crowd", [truth(A, crowd=True), truth(B)], [found(0.9, A), found(0.8, HALF), found(0.7, B)], {"AP": 1}),
    ("crowd alone", [truth(A, crowd=True)], [found(0.9, A)], {"AP": math.nan, "AR100": math.nan}),
    ("ends of ranges", [truth(SMALL)], [found(0.9, SMALL)], {"APs": 1, "APm": 1, "APl": math.nan}),
    ("above small", [truth(MEDIUM)], [found(0.9, MEDIUM)], {"APs": math.nan, "APm": 1}),
    # FAR, medium, takes nothing: a miss among the medium ones, and no matter among the small
    ("outside", [truth(SMALL)], [found(0.95, FAR), found(0.9, SMALL)], {"APs": 1, "APm": 0.5, "AP": 0.5}),
    ("nothing found", [truth(A)], [], {"AP": 0, "AR100": 0}),
]


@pytest.mark.parametrize(
    ("truths", "detections", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
@pytest.mark.parametrize("measure", [BBOX, SEGM], ids=str)  # boxes at whole pixels are masks too
@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
def test_by_hand(
    measure: COCO, truths: list[Instance], detections: list[Instance], expected: dict[str, float]
) -> None:
    got = numbers(measure, [pair("v", truths, detections)])
    assert {key: got[key] for key in expected} == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_of_equal_overlaps_the_later_truth_is_taken() -> None:
    """The better detection lies midway between two truths; which one it leaves, the other one needs."""
    left, middle, right = ((x, 0.0, 40.0, 40.0) for x in (0.0, 4.0, 8.0))
    detections = [found(0.9, middle), found(0.8, left)]
    assert numbers(BBOX, [pair("v", [truth(left), truth(right)], detections)])["AP75"] == PERFECT
    assert numbers(BBOX, [pair("v", [truth(right), truth(left)], detections)])["AP75"] == pytest.approx(
        51 / 101
    )


def test_a_truth_that_counts_is_preferred_to_a_crowd() -> None:
    truths = [truth(HALF), truth(A, crowd=True)]
    assert numbers(BBOX, [pair("v", truths, [found(0.9, A)])])["AP50"] == PERFECT
    assert numbers(BBOX, [pair("v", truths, [found(0.9, A)])])["AP75"] == 0


def test_a_crowd_divides_by_the_area_of_the_detection() -> None:
    quarter = (0.0, 0.0, 20.0, 20.0)
    assert box_ious([quarter], [A, A], np.array([False, True])).tolist() == [[0.25, 1.0]]
    assert box_ious([], [A], np.array([False])).shape == (0, 1)


def test_a_hundred_detections_a_frame_and_category() -> None:
    better = [found(0.9, FAR)] * 100
    assert numbers(BBOX, [pair("v", [truth(A)], [found(0.5, A), *better[1:]])])["AR100"] == 1
    assert numbers(BBOX, [pair("v", [truth(A)], [found(0.5, A), *better])])["AR100"] == 0


def test_categories_count_alike_and_have_numbers_of_their_own() -> None:
    truths = [truth(A), truth(B), truth(FAR, 2)]
    pairs = [pair("v", truths, [found(0.5, A), found(0.9, FAR, 2)])]
    assert numbers(BBOX, pairs)["AP"] == pytest.approx((51 / 101 + 1) / 2)
    assert numbers(BBOX, pairs, "class:cat")["AP"] == pytest.approx(51 / 101)
    assert numbers(BBOX, pairs, "class:dog")["AP"] == PERFECT
    assert numbers(BBOX, pairs, "v")["AP50"] == numbers(BBOX, pairs)["AP50"]


def test_a_detection_in_a_frame_without_truth_is_a_miss() -> None:
    pairs = [pair("b", [truth(A)], [found(0.5, A)]), pair("a", [], [found(0.6, A)])]
    assert numbers(BBOX, pairs)["AP"] == 0.5
    pairs[1] = pair("a", [], [found(0.5, A)])  # a tie: in the order of the data set
    assert numbers(BBOX, pairs)["AP"] == PERFECT
    assert numbers(BBOX, pairs[::-1])["AP"] == 0.5


def test_no_truth_at_all_is_said() -> None:
    with pytest.warns(MeasureWarning, match="no ground truth in any of 1 videos"):
        assert math.isnan(numbers(BBOX, [pair("v", [], [found(0.5, A)])])["AP"])


def test_what_cannot_be_scored() -> None:
    with pytest.raises(UserError, match="v, frame v: category 3 is not one of the data set's"):
        BBOX.observe(pair("v", [truth(A)], [found(0.5, A, 3)]))
    other = Parsing(instances=Instances((9, 9), (Instance(0, 1, rle="1"),)))
    with pytest.raises(UserError, match=r"size \(200, 200\), got \(9, 9\)"):
        BBOX.observe(Pair("v", "v", 0, True, pair("v", [], []).gt, other))


def test_persons_of_label_maps() -> None:
    """IoU 1 and .5 in a frame of two persons: AP 1 at the first threshold, 51/101 at the others."""
    gt, pred = (
        layer([1, 1, 2, 2, 0, 0]),
        layer([4, 4, 7, 0, 0, 0], [Segment(4, score=0.9), Segment(7, score=0.8)]),
    )
    got = numbers(COCOHuman(), [label_pair("human", gt, pred)])
    assert [got["AP50"], got["AR1"]] == [PERFECT, 0.5]
    assert got["AP"] == pytest.approx((1 + 9 * 51 / 101) / 10)
    with pytest.raises(UserError, match="a row without pixels"):
        COCOHuman().observe(label_pair("human", gt, layer([1] * 6, [Segment(1), Segment(2)])))


# cocoapi itself


def random_case(seed: int, kind: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A data set and results: crowds, empty frames, tied scores, truths of equal IoU, over 100 detections."""
    rng = np.random.default_rng(seed)
    images = [{"id": i, "height": 200, "width": 200} for i in rng.choice(50, 8, replace=False).tolist()]
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image in images:
        for _ in range(rng.integers(0, 7)):
            x, y, w, h = (float(v) for v in rng.integers(1, 120, 4) // rng.choice([1, 4], 4) + 1)
            box = [min(x, 199 - w), min(y, 199 - h), w, h]
            area = w * h * float(rng.choice([1, 0.7]))
            category = int(rng.integers(1, 4))
            made = {"image_id": image["id"], "category_id": category, "bbox": box, "area": area}
            made |= {"iscrowd": int(rng.random() < 0.2), "segmentation": polygon(box)}
            annotations += [made | {"id": len(annotations) + n + 1} for n in range(1 + (rng.random() < 0.2))]
            for _ in range(rng.choice([0, 1, 2, 3, 110], p=[0.2, 0.3, 0.3, 0.15, 0.05])):
                shifted = [float(v) for v in np.array(box) + rng.integers(-3, 4, 4) * rng.choice([0, 1, 3])]
                shifted[2:] = [max(v, 2.0) for v in shifted[2:]]
                other = category if rng.random() < 0.9 else int(rng.integers(1, 4))
                row = {"image_id": image["id"], "category_id": other, "score": float(rng.integers(1, 9) / 8)}
                mask = {"size": [200, 200], "counts": rle.encode(polygon(shifted), SIZE)}
                results.append(row | ({"bbox": shifted} if kind == "bbox" else {"segmentation": mask}))
    categories = [{"id": 3, "name": "a"}, {"id": 1, "name": "b"}, {"id": 2, "name": "c"}]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def polygon(box: list[float]) -> list[list[float]]:
    x, y, w, h = box
    return [[x, y, x + w, y, x + w, y + h, x + w / 2, y + h / 2, x, y + h]]


def pairs_of(data: dict[str, Any], results: list[dict[str, Any]]) -> list[Pair]:
    names = {c["id"]: c["name"] for c in data["categories"]}

    def rows(found: list[dict[str, Any]], image: int) -> tuple[Instance, ...]:
        return tuple(instance(row) for row in found if row["image_id"] == image)

    made = []
    for image in sorted(image["id"] for image in data["images"]):
        gt, pred = (
            Instances(SIZE, rows(data["annotations"], image), names),
            Instances(SIZE, rows(results, image)),
        )
        made.append(Pair(f"{image}", "0", 0, True, Parsing(instances=gt), Parsing(instances=pred)))
    return made


def instance(row: dict[str, Any]) -> Instance:
    mask = rle.encode(row["segmentation"], SIZE) if "segmentation" in row else None
    box = tuple(row["bbox"]) if "bbox" in row else None
    crowd = bool(row.get("iscrowd"))
    return Instance(0, row["category_id"], row.get("score", 1.0), row.get("area"), crowd, box, mask)


def reference(data: dict[str, Any], results: list[dict[str, Any]], kind: str) -> Array:
    api, evaluation = (pytest.importorskip(f"pycocotools.{name}") for name in ("coco", "cocoeval"))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = api.COCO()
        coco.dataset = json.loads(json.dumps(data | {"info": {}}))
        coco.createIndex()
        made = evaluation.COCOeval(coco, coco.loadRes(json.loads(json.dumps(results))), kind)
        made.evaluate()
        made.accumulate()
        made.summarize()
    stats: Array = np.where(made.stats < 0, np.nan, made.stats)
    return stats


@pytest.mark.parametrize("kind", ["segm", "bbox"])
@pytest.mark.parametrize("seed", range(25))
@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
def test_equals_cocoapi(seed: int, kind: str) -> None:
    data, results = random_case(seed, kind)
    if results:
        got = numbers(COCO(kind=kind), pairs_of(data, results))  # type: ignore[arg-type]
        assert list(got.values()) == pytest.approx(
            list(reference(data, results, kind)), abs=1e-14, nan_ok=True
        )


@pytest.mark.parametrize("kind", ["segm", "bbox"])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
def test_masks_with_boxes_of_their_own(seed: int, kind: str) -> None:
    """A mask is as large as it is, whatever its box: cocoapi takes the box's area unless there is none."""
    data, results = random_case(100 + seed, "segm")
    wide = [row | {"bbox": [0.0, 0.0, 150.0, 20.0 + n % 50]} for n, row in enumerate(results)]
    got = numbers(COCO(kind=kind), pairs_of(data, wide))  # type: ignore[arg-type]
    expected = reference(data, results if kind == "segm" else wide, kind)
    assert list(got.values()) == pytest.approx(list(expected), abs=1e-14, nan_ok=True)


@pytest.mark.parametrize("measure", [BBOX, SEGM], ids=str)
@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
def test_resamples_are_those_of_the_videos_repeated(measure: COCO) -> None:
    pairs = pairs_of(*random_case(7, measure.kind))
    videos = [one.video for one in pairs]
    weights = np.random.default_rng(0).multinomial(len(videos), [1 / len(videos)] * len(videos), 20)
    weights[0], weights[1] = 0, 1
    state = observed(measure, pairs)
    got, expected = (
        measure.resample(state, videos, weights),
        Measure.resample(measure, state, videos, weights),
    )
    for key in measure.keys:
        np.testing.assert_allclose(got[key], expected[key], rtol=1e-13)
    assert np.isnan(got["AP"][0])


def test_a_video_named_twice_counts_twice() -> None:
    """As if the second were another frame with the same content."""
    first, other = [truth(A)], [truth(A), truth(B)]
    pairs = [pair("a", first, [found(0.5, A)]), pair("b", other, [found(0.9, FAR), found(0.4, B)])]
    again = pair("c", first, [found(0.5, A)])
    state = observed(BBOX, pairs)
    twice = {v.key: v.value for v in BBOX.finish(state, ["a", "b", "a"]) if v.scope == "all"}
    assert twice == pytest.approx(numbers(BBOX, [*pairs, again]), nan_ok=True)
    assert twice != pytest.approx(numbers(BBOX, pairs), nan_ok=True)
