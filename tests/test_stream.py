"""Scoring from arrays: the same numbers as from files, whatever holds the ids, and nothing kept."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from vipbench.arrays import as_ids
from vipbench.errors import UserError
from vipbench.folders import DavisFolder, VipFolder
from vipbench.records import Score
from vipbench.scorer import score
from vipbench.specs import DatasetSpec
from vipbench.stream import Scorer

MEAN = "J.mean(frames=inner,objects=foreground)"


def by_name(scores: list[Score]) -> dict[tuple[str, str], tuple[float, int]]:
    return {(s.measure, s.scope): (s.value, s.n) for s in scores}


def test_davis_as_from_files(davis_root: Path, davis_preds: Path) -> None:
    data = DatasetSpec.of("davis", davis_root)
    dataset, scorer = data.open(), Scorer(["davis2016", "F(tolerance=3)"])
    for video in dataset.videos("val"):
        for frame in video.annotated:
            pred = DavisFolder(davis_preds).read(video.id, frame.name)
            scorer.add(frame, dataset.read(frame).layer("object").ids, pred.layer("object").ids)
    record = score(davis_preds, data, "val", asked=("davis2016", "F(tolerance=3)"))
    assert by_name(scorer.scores()) == by_name(list(record.scores))


def test_vip_as_from_files(vip_root: Path, vip_preds: Path) -> None:
    data = DatasetSpec.of("vip", vip_root)
    dataset, scorer = data.open(), Scorer(["vip-paper", "vip-strict"])
    for video in dataset.videos("val"):
        for frame in video.annotated:
            scorer.add(frame, dataset.read(frame), VipFolder(vip_preds).read(video.id, frame.name))
    assert by_name(scorer.scores()) == by_name(list(score(vip_preds, data, "val").scores))


def test_no_prediction_is_an_empty_one() -> None:
    scorer = Scorer("J()")
    mask = np.eye(4, dtype=bool)
    for name, pred in zip("abcd", (mask, mask, None, mask), strict=True):
        scorer.add(("v", name), mask, pred)
    assert by_name(scorer.scores())[MEAN, "all"] == (0.5, 1)


def test_layers_by_name() -> None:
    scorer = Scorer("vip-paper")
    ids = {"category": [[0, 3], [0, 3]], "human": [[0, 1], [0, 1]], "part": [[0, 1], [0, 1]]}
    scorer.add(("v", "a"), ids, ids)
    found = {
        score.measure.partition("(")[0]: score.value for score in scorer.scores() if score.scope == "all"
    }
    assert (found["mIoU"], found["APr@0.5"]) == (1.0, 1.0)


def test_of_no_frame_there_is_no_number() -> None:
    assert all(np.isnan(score.value) for score in Scorer("J()").scores())


@pytest.mark.parametrize(
    ("frame", "gt", "pred", "said"),
    [
        (("v", "b"), [[1, 0]], [[1], [0]], r"v, frame b: a prediction of size \(2, 1\), expected \(1, 2\)"),
        (
            ("v", "b"),
            [[0.5, 1]],
            [[1, 0]],
            "v, frame b, ground truth, object: float64, expected whole numbers",
        ),
        (("v", "b"), [[1, 0]], [[1, -1]], r"prediction, object: ids -1..1, expected 0..65535"),
        (("v", "b"), [[1, 0]], [1, 0], r"shape \[2\], expected \[H, W\]"),
        (("v", "b"), [[1, 0]], [[1, 0], [1]], "not an array"),
        (("u", "b"), [[1, 0]], [[1, 0]], "u, frame b: this video has ended"),
    ],
)
def test_what_is_wrong_is_said(frame: tuple[str, str], gt: object, pred: object, said: str) -> None:
    scorer = Scorer("J()")
    for address in (("u", "a"), ("v", "a")):
        scorer.add(address, [[1, 0]], [[1, 0]])
    with pytest.raises(UserError, match=said):
        scorer.add(frame, gt, pred)


def test_one_array_for_many_layers_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"one array for the layers category, human, part\. Pass \{layer: ids\}"
    ):
        Scorer("vip-paper").add(("v", "a"), [[1]], [[1]])


def test_a_tensor_is_not_copied() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.zeros((3, 5), dtype=torch.uint8)
    ids = as_ids(tensor)
    assert ids.__array_interface__["data"][0] == tensor.data_ptr()
    assert as_ids(tensor > 0).dtype == np.uint8
    assert as_ids(tensor.long() + 300).max() == 300


def test_memory_does_not_grow_with_the_video() -> None:
    """A thousand frames of 300 kB; rows of values stay, pixels do not."""
    frame = np.zeros((480, 640), np.uint8)
    frame[100:200, 100:200] = 1
    scorer = Scorer("davis2016")
    tracemalloc.start()
    for t in range(1000):
        scorer.add(("v", f"{t:05d}"), frame.copy(), frame.copy())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000_000
    found = by_name(scorer.scores())
    assert found[MEAN, "all"] == (1.0, 1)
    assert found[MEAN, "v"] == (1.0, 998)
