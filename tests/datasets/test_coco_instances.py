"""COCO's instances: addresses, masks and boxes, and what is wrong with a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_coco import Row, data, write
from tiny import Cli, fails

from vipbench import rle
from vipbench.datasets.coco import Coco
from vipbench.errors import UserError
from vipbench.types import Dataset, Instances


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "COCO/annotations/instances_val2017.json", data()).parents[1]


def instances(dataset: Dataset, image: str) -> Instances:
    video = next(v for v in dataset.videos(dataset.splits[0]) if v.id == image)
    found = dataset.read(video.frames[0]).instances
    assert found is not None
    return found


def test_images_are_videos_of_one_frame_by_id(root: Path) -> None:
    videos = Coco(root).videos("val2017")
    assert [video.id for video in videos] == ["2", "9", "10"]
    assert videos[1].frames[0].image == root / "val2017" / "000000000009.jpg"
    assert [len(video.annotated) for video in videos] == [1, 1, 1]


def test_polygons_run_lengths_and_crowds(root: Path) -> None:
    cat, crowd = instances(Coco(root), "9").rows
    assert (cat.category, cat.area, cat.crowd, cat.box) == (1, 16, False, (1, 1, 4, 4))
    assert (crowd.category, crowd.area, crowd.crowd) == (3, 48, True)
    assert rle.runs(crowd.rle or "").tolist() == [96, 48, 48]
    assert rle.area(cat.rle or "", (12, 16)) == 16
    assert instances(Coco(root), "9").names == {1: "cat", 3: "dog"}
    assert instances(Coco(root), "2").rows == ()
    assert Coco(root).classes == ("background", "cat", "", "dog")


def test_the_root_may_be_the_file(root: Path) -> None:
    file = write(root.parent / "mine.json", data())
    assert Coco(file).splits == ("mine",)
    assert [v.id for v in Coco(file).videos("mine")] == ["2", "9", "10"]


def test_splits_are_the_files_those_for_validation_first(root: Path) -> None:
    write(root / "annotations/instances_train2017.json", data() | {"images": [], "annotations": []})
    write(root / "annotations/captions_val2017.json", [])
    assert Coco(root).splits == ("val2017", "train2017")
    with pytest.raises(UserError, match="no split 'test', only val2017, train2017"):
        Coco(root).videos("test")


def test_two_categories_of_one_name_stay_two(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "cat"}, {"id": 3, "name": "cat"}]
    file = write(tmp_path / "a.json", data() | {"categories": categories})
    assert instances(Coco(file), "9").names == {1: "cat 1", 3: "cat 3"}


def broken(path: Path, change: Callable[[Row], object]) -> Path:
    made = data()
    change(made)
    return write(path, made)


FAULTS: list[tuple[Callable[[Row], object], str]] = [
    (lambda d: d.pop("images"), 'expected a list "images" of objects, got none'),
    (lambda d: d["categories"][0].pop("id"), 'expected categories with an "id" in 1..65535'),
    (lambda d: d["annotations"].clear(), 'expected some "annotations", got none'),
    (lambda d: d["images"][0].pop("height"), 'image 10: expected a "height" and a "width"'),
    (lambda d: d["images"].append(d["images"][0]), '"images" with ids of their own, got twice: 10'),
    (lambda d: d["images"][2].update(id="a/b"), "image ids that can name a file, got 'a/b'"),
    (
        lambda d: d["annotations"][0].update(category_id=2),
        'annotation 5, image 9: expected a category of "categories"',
    ),
    (
        lambda d: d["annotations"][0].update(image_id=8),
        "annotation 5, image 8: expected an image that is listed",
    ),
    (lambda d: d["annotations"][0].update(bbox=[1, 2, 3]), 'a "bbox" [x, y, width, height], got [1, 2, 3]'),
    (lambda d: d["annotations"][0].update(area="big"), "expected an area in pixels, got 'big'"),
    (lambda d: d["annotations"][0].update(segmentation=[[1, 2]]), "a polygon of fewer than three points"),
    (lambda d: d["annotations"][0].update(segmentation=[["a"] * 6]), "numbers expected"),
    (lambda d: d["annotations"][1]["segmentation"].update(size=[16, 12]), "a mask of size [12, 16]"),
    (
        lambda d: d["annotations"][1]["segmentation"].update(counts=[96, 48]),
        "12 x 16 pixels, got runs of 144 pixels",
    ),
    (lambda d: d["annotations"][1]["segmentation"].update(counts=[96, -48]), "run lengths expected"),
]


@pytest.mark.parametrize(("change", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_check_names_every_fault(
    cli: Cli, tmp_path: Path, change: Callable[[Row], object], said: str
) -> None:
    result = cli("data", "check", "coco", "--data", broken(tmp_path / "a.json", change))
    assert (result.exit_code, "Traceback" in result.output) == (1, False)
    assert said in result.stdout


def test_check_of_a_sound_file(cli: Cli, root: Path) -> None:
    result = cli("data", "check", "coco", "--data", root)
    assert result.exit_code == 0
    assert "3 without one" in result.stdout  # images: `score` does without
    assert "0 errors, 1 warnings" in result.stdout


def test_no_root_no_file_no_json(cli: Cli, tmp_path: Path) -> None:
    fails(cli, "data", "check", "coco", says=("no root for data set 'coco'", "VIPBENCH_COCO"))
    fails(cli, "data", "check", "coco", "--data", tmp_path, says=("annotations/instances_<split>.json",))
    fails(
        cli, "data", "check", "davis", "--data", write(tmp_path / "a.json", data()), says=("no such folder",)
    )
    (tmp_path / "b.json").write_text("{")
    result = cli("data", "check", "coco", "--data", tmp_path / "b.json")
    assert (result.exit_code, "expected a JSON file" in result.stdout) == (1, True)


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_are_pycocotools(seed: int) -> None:
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    pixels = np.kron(rng.random((7, 9)) < rng.choice([0, 0.1, 0.5, 1]), np.ones(rng.integers(1, 30, 2))) > 0
    made = mask.encode(np.asfortranarray(pixels, np.uint8))["counts"].decode()
    runs = rle.runs(made)
    assert (np.repeat(np.arange(len(runs)) % 2, runs) == pixels.T.ravel()).all()
    assert rle.fault(made, pixels.shape) is None
    assert rle.area(made, pixels.shape) == pixels.sum()
    for wrong in (made[:-1], made + "1", "é", "x" * 40):
        assert rle.fault(wrong, pixels.shape) is not None
