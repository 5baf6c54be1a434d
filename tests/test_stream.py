"""Scoring from arrays: the same numbers as from files, whatever holds the ids, and nothing kept."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from tiny import Cli

from vipbench.arrays import as_ids
from vipbench.errors import UserError
from vipbench.folders import DavisFolder, VipFolder
from vipbench.metrics.measure import MeasureWarning
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


@pytest.mark.filterwarnings("ignore::vipbench.metrics.measure.MeasureWarning")
def test_parts_have_the_class_and_the_person_of_most_of_their_pixels() -> None:
    """Two persons, hair and shirt; the prediction takes the hair of the second for a hat."""
    category, human = np.array([[2, 2, 5, 5], [2, 2, 5, 5]]), np.array([[1, 1, 1, 1], [2, 2, 2, 2]])
    part = np.array([[1, 1, 2, 2], [3, 3, 4, 4]])
    found = category.copy()
    found[1, :2] = 1
    scorer = Scorer("cihp")
    truth = {"category": category, "human": human, "part": part}
    scorer.add(("v", "a"), truth, truth | {"category": found})
    values = {s.measure.partition("(")[0]: s.value for s in scorer.scores() if s.scope == "all"}
    assert values["APr_vol@0.5"] == pytest.approx(1.5 / 19)  # half of the hair, all of the shirts
    assert values["PCP@0.4"] == 0.75  # the second: background and shirts 1, hair and hat 0, .5 on the whole
    assert values["PCP@0.5"] == 0.5
    with pytest.raises(UserError, match="part without category and human"):
        Scorer("cihp").add(("v", "a"), {"part": part}, None)


def test_255_is_what_the_protocol_says() -> None:
    """Of 4 pixels, 2 of the object and one 255; the prediction has 3 of the object."""
    gt, pred = [[1, 1, 255, 0]], [[1, 1, 1, 0]]
    found = {}
    for protocol in ("davis2016", "davis2017-semi", "davis2017-unsup"):
        scorer = Scorer(protocol)
        for name in "abc":
            scorer.add(("v", name), gt, pred)
        found[protocol] = scorer.scores()[0].value
    assert found == {"davis2016": 1.0, "davis2017-semi": 2 / 3, "davis2017-unsup": 1.0}
    with pytest.raises(
        UserError, match="255 in the ground truth is background in davis2017-semi, left out in"
    ):
        Scorer(["davis2017-semi", "davis2017-unsup"])


def test_a_refused_frame_can_be_added_again() -> None:
    scorer = Scorer("davis2017-semi")
    mask = np.eye(4, dtype=np.uint8)
    scorer.add(("v", "a"), mask, mask)
    for name in "bcd":
        with pytest.raises(UserError, match="predicted id 2, expected the ids of the first frame, at most 1"):
            scorer.add(("v", name), mask, mask * 2)
        scorer.add(("v", name), mask, mask)
    assert by_name(scorer.scores())["J.mean(frames=inner,objects=first-frame)", "all"] == (1.0, 1)


def test_a_record_of_arrays_is_compared_as_any_other(tmp_path: Path, cli: Cli) -> None:
    mask = np.eye(4, dtype=bool)
    for method, pred in (("right", mask), ("empty", None)):
        scorer = Scorer("davis2016")
        for video in "uvw":
            for name in "abc":
                scorer.add((video, name), mask, pred)
        scorer.record(method, "mine").save(tmp_path / f"{method}.json")
    result = cli("compare", tmp_path / "right.json", tmp_path / "empty.json", "--measure", "J.mean")
    assert result.exit_code == 0, result.stderr
    assert "+1.0000" in result.stdout


def test_what_is_left_out_is_said() -> None:
    scorer = Scorer("J()")
    for video, names in (("short", "ab"), ("long", "abc")):
        for name in names:
            scorer.add((video, name), [[1]], [[1]])
    with pytest.warns(MeasureWarning, match="short: no object in a scored frame"):
        scorer.scores()


def test_of_no_frame_there_is_no_number() -> None:
    assert all(np.isnan(score.value) for score in Scorer("J()").scores())
    with pytest.raises(UserError, match="expected a Frame or"):
        Scorer("J()").add("a", [[1]], [[1]])  # type: ignore[arg-type]


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
        (("v", "a"), [[1, 0]], [[1, 0]], "v, frame a: this frame was added before"),
        (("v", "b"), np.zeros((0, 4), int), np.zeros((0, 4), int), "v, frame b, ground truth: no pixel"),
    ],
)
def test_what_is_wrong_is_said(frame: tuple[str, str], gt: object, pred: object, said: str) -> None:
    scorer = Scorer("J()")
    for address in (("u", "a"), ("v", "a")):
        scorer.add(address, [[1, 0]], [[1, 0]])
    with pytest.raises(UserError, match=said):
        scorer.add(frame, gt, pred)


def test_layers_that_are_lacking_are_named() -> None:
    said = r"no layer 'human'\. Pass category, human, part, as \{name: ids\} or as a Parsing"
    with pytest.raises(UserError, match=said):
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
