"""Image, ground truth and prediction side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vipbench.datasets.davis import Davis
from vipbench.errors import UserError
from vipbench.folders import DavisFolder, VipFolder, open_folder
from vipbench.pixels import palette, write_ids, write_image
from vipbench.report.overlay import CAPTION, GUTTER, WIDTH, overlay
from vipbench.types import Frame, Ids, Parsing, Segment, SegmentMap, Video

H, W = 40, 64
FACTOR = WIDTH // W
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def box(y: int, x: int, value: int = 1) -> Ids:
    """A 10x10 square of an id."""
    ids = np.zeros((H, W), np.uint16)
    ids[y : y + 10, x : x + 10] = value
    return ids


def tint(colour: int, photo: int = 0) -> tuple[int, ...]:
    """What an id looks like over a gray photo."""
    return tuple(min(255, int(0.25 * photo + 0.75 * c)) for c in palette()[colour].tolist())


class People:
    """Two persons in one video of two frames, the second without a photo."""

    name = "people"
    version = "1"
    layers: tuple[str, ...] = ("category", "human", "part")
    classes: tuple[str, ...] = ("background", "hat", "hair")
    void: int | None = None
    protocols: tuple[str, ...] = ("vip-paper",)
    layout = "vip"
    splits: tuple[str, ...] = ("test",)

    def __init__(self, root: Path) -> None:
        self.root = root
        write_image(root / "0.png", np.full((H, W, 3), 100, np.uint8))

    def videos(self, split: str) -> Sequence[Video]:
        frames = tuple(Frame("walk", f"{i:05}", i, self.root / f"{i}.png") for i in range(2))
        return [Video("walk", split, frames)]

    def read(self, frame: Frame) -> Parsing:
        two = box(0, 0) + box(20, 30, 2)
        return Parsing(SegmentMap(two), SegmentMap.of(two), SegmentMap.of(box(0, 0, 7) + box(20, 30, 9)))


def predict(root: Path, frame: str) -> VipFolder:
    """A folder with both persons found, in the other order, and a third that is not there."""
    folder = VipFolder(root)
    ids = box(20, 30) + box(0, 0, 2) + box(0, 50, 3)
    rows = tuple(Segment(i, category=1, score=0.5) for i in (1, 2, 3))
    folder.write("walk", frame, Parsing(SegmentMap(ids % 3), SegmentMap(ids, rows), SegmentMap(ids, rows)))
    return folder


def panel(sheet: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    """A panel at its own size [H, W, 3]."""
    y = GUTTER + row * (H * FACTOR + GUTTER + CAPTION) + CAPTION
    x = GUTTER + column * (W * FACTOR + GUTTER)
    return sheet[y : y + H * FACTOR : FACTOR, x : x + W * FACTOR : FACTOR]


def draw(tmp_path: Path, folder: VipFolder) -> list[NDArray[np.uint8]]:
    assert overlay(folder, People(tmp_path), "test", tmp_path / "out") == 2
    return [np.asarray(Image.open(tmp_path / "out" / "walk" / f"{i:05}.png")) for i in range(2)]


def test_panels_are_photo_truth_and_prediction_row_by_layer(tmp_path: Path) -> None:
    sheet = draw(tmp_path, predict(tmp_path / "preds", "00000"))[0]
    assert sheet.shape == (
        3 * (H * FACTOR + GUTTER + CAPTION) + GUTTER,
        3 * (W * FACTOR + GUTTER) + GUTTER,
        3,
    )
    for row in range(3):
        assert (panel(sheet, row, 0) == 100).all()
        assert tuple(panel(sheet, row, 1)[15, 15]) == (50, 50, 50)
    assert tuple(panel(sheet, 0, 1)[25, 35]) == tint(2, 100)
    assert tuple(panel(sheet, 1, 1)[5, 5]) == tint(1, 100)
    assert tuple(panel(sheet, 2, 1)[25, 35]) == tint(9, 100)
    assert (sheet[:GUTTER] == 255).all()
    assert (sheet[:, :GUTTER] == 255).all()


def test_classes_keep_their_colour_and_instances_take_their_partners(tmp_path: Path) -> None:
    sheet = draw(tmp_path, predict(tmp_path / "preds", "00000"))[0]
    assert tuple(panel(sheet, 0, 2)[25, 35]) == tint(1, 100)
    for row in (1, 2):
        truth, prediction = panel(sheet, row, 1), panel(sheet, row, 2)
        for y, x in ((5, 5), (25, 35)):
            assert tuple(prediction[y, x]) == tuple(truth[y, x])
        third = tuple(prediction[5, 55])
        assert third not in {tuple(c) for c in truth.reshape(-1, 3).tolist()}


def test_a_missing_frame_is_drawn_as_empty_and_says_so(tmp_path: Path) -> None:
    folder = predict(tmp_path / "preds", "00000")
    there, missing = draw(tmp_path, folder)
    assert (panel(missing, 1, 2) == 0).all()
    assert tuple(panel(missing, 1, 1)[5, 5]) == tint(1)
    caption = slice(GUTTER, GUTTER + CAPTION), slice(GUTTER + 2 * (W * FACTOR + GUTTER), None)
    assert not np.array_equal(there[caption], missing[caption])


def test_pictures_are_overwritten_whole(tmp_path: Path) -> None:
    folder = predict(tmp_path / "preds", "00000")
    path = tmp_path / "out" / "walk" / "00000.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a picture")
    draw(tmp_path, folder)
    first = path.read_bytes()
    draw(tmp_path, folder)
    assert path.read_bytes() == first
    assert sorted(os.listdir(path.parent)) == ["00000.png", "00001.png"]


def test_progress_counts_the_frames(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = predict(tmp_path / "preds", "00000")
    overlay(folder, People(tmp_path), "test", tmp_path / "out", ["walk"], lambda *report: seen.append(report))
    assert seen == [("walk/00000", 1, 2), ("walk/00001", 2, 2)]


def test_a_wrong_size_is_the_users_error_and_draws_nothing(tmp_path: Path) -> None:
    folder = predict(tmp_path / "preds", "00000")
    for path in folder.files("walk", "00000"):
        if path.suffix == ".png":
            write_ids(path, np.tile(np.arange(4, dtype=np.uint16), (20, 2)), colours=False)
    with pytest.raises(UserError, match=r"00000.*expected 64x40 pixels, got 8x20"):
        overlay(folder, People(tmp_path), "test", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_photo_of_another_size_is_the_users_error(tmp_path: Path) -> None:
    people = People(tmp_path)
    write_image(tmp_path / "0.png", np.zeros((H, W + 1, 3), np.uint8))
    with pytest.raises(UserError, match="photo of 65x40"):
        overlay(predict(tmp_path / "preds", "00000"), people, "test", tmp_path / "out")


def test_a_folder_of_another_data_set_is_the_users_error(tmp_path: Path) -> None:
    objects = DavisFolder(tmp_path / "objects")
    write_ids(tmp_path / "objects" / "walk" / "00000.png", box(0, 0))
    with pytest.raises(UserError, match="davis folder"):
        overlay(objects, People(tmp_path), "test", tmp_path / "out")
    strangers = tmp_path / "strangers"
    predict(strangers, "00000")
    (strangers / "walk").rename(strangers / "run")
    with pytest.raises(UserError, match="no prediction for a video of test"):
        overlay(open_folder(strangers), People(tmp_path), "test", tmp_path / "out")


def davis(root: Path, prediction: int) -> NDArray[np.uint8]:
    """The sheet of one DAVIS 2016 frame whose object the prediction writes as another value."""
    write_ids(root / "Annotations" / "480p" / "walk" / "00000.png", box(0, 0, 255))
    lists = root / "ImageSets" / "2016" / "val.txt"
    lists.parent.mkdir(parents=True)
    lists.write_text("walk\n")
    write_ids(root / "preds" / "walk" / "00000.png", box(0, 0, prediction))
    overlay(DavisFolder(root / "preds"), Davis(root), "val", root / "out")
    return np.asarray(Image.open(root / "out" / "walk" / "00000.png"))


@pytest.mark.parametrize("value", [1, 7, 255])
def test_any_value_is_the_object_of_davis_2016(tmp_path: Path, value: int) -> None:
    sheet = davis(tmp_path, value)
    assert sheet.shape[0] == H * FACTOR + 2 * GUTTER + CAPTION
    assert tuple(panel(sheet, 0, 2)[5, 5]) == tuple(panel(sheet, 0, 1)[5, 5]) == tint(1)


def test_real_frames_of_davis(test_data: Path, tmp_path: Path) -> None:
    dataset = Davis(test_data / "DAVIS")
    folder = open_folder(test_data / "davis2016_predictions" / "cut")
    count = overlay(folder, dataset, "val", tmp_path, ["drift-chicane"])
    pictures = sorted((tmp_path / "drift-chicane").glob("*.png"))
    assert count == len(pictures) == 52
    assert Image.open(pictures[0]).size == (3 * (854 + GUTTER) + GUTTER, 480 + 854 // 40 + 2 * GUTTER)
