"""VIP on disk: both layouts, lists, neighbours, whole videos, mirrored labels, and what check finds."""

from pathlib import Path

import numpy as np
import pytest
from made_data import classes, make_vip, parts, persons, photo

from vipbench.datasets.vip import CLASSES, FLIP, Vip, flip
from vipbench.datasets.vip_classes import flip_classes
from vipbench.errors import UserError
from vipbench.pixels import read_ids, write_ids
from vipbench.rows import read_rows
from vipbench.types import Parsing, Segment, SegmentMap

FRAMES = ["videos2/000000000001", "videos1/000000000026", "videos1/000000000001"]


def test_classes_and_flip_are_the_loaders() -> None:
    assert len(CLASSES) == 20
    assert (CLASSES[5], CLASSES[14], CLASSES[19]) == ("upper-clothes", "left-arm", "right-shoe")
    swapped = {(CLASSES[i], CLASSES[FLIP[i]]) for i in range(20) if FLIP[i] != i}
    assert ("left-arm", "right-arm") in swapped
    assert len(swapped) == 6
    assert [FLIP[FLIP[i]] for i in range(20)] == list(range(20))


@pytest.mark.parametrize(
    ("images", "labels"),
    [("", ""), ("VIP_Fine", "VIP_Fine/Annotations"), ("", "Annotations")],
    ids=["merged", "unzipped", "inside VIP_Fine"],
)
@pytest.mark.parametrize("colours", [False, True], ids=["L", "P"])
def test_both_layouts_read_alike(tmp_path: Path, images: str, labels: str, colours: bool) -> None:
    data = Vip(make_vip(tmp_path, FRAMES, images=images, labels=labels, colours=colours))
    videos = data.videos("val")
    assert [v.id for v in videos] == ["videos2", "videos1"]
    assert [(f.name, f.index, f.annotated) for f in videos[1].frames] == [
        ("000000000001", 0, True),
        ("000000000026", 25, True),
    ]
    assert all(f.image.is_file() for v in videos for f in v.frames)
    found = data.read(videos[1].frames[1])
    np.testing.assert_array_equal(found.layer("category").ids, classes())
    np.testing.assert_array_equal(found.layer("human").ids, persons())
    np.testing.assert_array_equal(found.layer("part").ids, parts())
    assert found.layer("category").segments == ()
    assert [s.id for s in found.layer("human").segments] == [1, 2]
    assert found.layer("part").segments == (Segment(2, 2, 1), Segment(5, 5, 1), Segment(34, 14, 2))
    assert data.check("val") == []


def test_train_is_trainval_less_val(tmp_path: Path) -> None:
    make_vip(tmp_path, ["videos1/000000000001", "videos2/000000000001"], "trainval")
    make_vip(tmp_path, ["videos2/000000000001"], "val")
    assert [v.id for v in Vip(tmp_path).videos("train")] == ["videos1"]
    make_vip(tmp_path, ["videos3/000000000001"], "train")
    assert [v.id for v in Vip(tmp_path).videos("train")] == ["videos3"]


def test_val_is_what_trainval_has_of_val_videos(tmp_path: Path) -> None:
    make_vip(tmp_path, ["videos1/000000000001", "videos2/000000000001"], "trainval")
    (tmp_path / "lists" / "val_videos.txt").write_text("videos2\n")
    assert [v.id for v in Vip(tmp_path).videos("val")] == ["videos2"]
    assert [v.id for v in Vip(tmp_path).videos("train")] == ["videos1"]


@pytest.mark.parametrize("home", ["adjacent_frames", "VIP_Sequence", "VIP_Sequence/adjacent_frames"])
def test_neighbours_become_unannotated_frames(tmp_path: Path, home: str) -> None:
    make_vip(tmp_path, ["videos1/000000000001", "videos1/000000000004"])
    for key, numbers in (("000000000001", (2, 3)), ("000000000004", (2, 3, 5))):
        for number in numbers:
            photo(tmp_path / home / "videos1" / key / f"{number:012d}.jpg")
    (video,) = Vip(tmp_path).videos("val")
    assert [f.index for f in video.frames] == [0, 1, 2, 3, 4]
    assert [f.name for f in video.annotated] == ["000000000001", "000000000004"]
    assert video.frames[3].image == tmp_path / "Images/videos1/000000000004.jpg"
    assert all(f.image.is_file() for f in video.frames)


def test_front_and_behind_lists_say_which_neighbours_count(tmp_path: Path) -> None:
    make_vip(tmp_path, ["videos1/000000000004"])
    for number in range(1, 9):
        photo(tmp_path / "adjacent_frames/videos1/000000000004" / f"{number:012d}.jpg")
    for side, text in (("front", "3\n2\n"), ("behind", "")):
        path = tmp_path / f"{side}_frame_list/videos1/000000000004.txt"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (video,) = Vip(tmp_path).videos("val")
    assert [f.index for f in video.frames] == [1, 2, 3]


def test_decoded_videos_give_every_frame(tmp_path: Path) -> None:
    make_vip(tmp_path, ["videos1/000000000001"])
    for number in range(1, 6):
        photo(tmp_path / "VIP_Videos/videos1" / f"{number:012d}.jpg")
    (video,) = Vip(tmp_path).videos("val")
    assert [(f.index, f.annotated) for f in video.frames] == [(0, True), *((i, False) for i in range(1, 5))]
    assert video.frames[0].image == tmp_path / "Images/videos1/000000000001.jpg"


def test_a_listed_neighbour_without_a_file_does_not_hide_the_decoded_frame(tmp_path: Path) -> None:
    make_vip(tmp_path, ["videos1/000000000001"])
    decoded = tmp_path / "VIP_Videos/videos1/000000000002.jpg"
    photo(decoded)
    path = tmp_path / "behind_frame_list/videos1/000000000001.txt"
    path.parent.mkdir(parents=True)
    path.write_text("2\n3\n")
    (video,) = Vip(tmp_path).videos("val")
    assert [f.index for f in video.frames] == [0, 1, 2]
    assert video.frames[1].image == decoded
    near = tmp_path / "adjacent_frames/videos1/000000000001/000000000002.jpg"
    photo(near)
    assert Vip(tmp_path).videos("val")[0].frames[1].image == near


@pytest.mark.parametrize("video", ["../victim", "..", "a/b", ".vipbench", "a\\b"])
def test_listed_names_stay_inside_the_folder(tmp_path: Path, video: str) -> None:
    make_vip(tmp_path, ["videos1/000000000001"])
    (tmp_path / "lists/val_id.txt").write_text(f"{video}/000000000001\n")
    with pytest.raises(UserError, match=r"val_id.txt:1: expected <video>/<frame number>"):
        Vip(tmp_path).videos("val")


def test_flip_swaps_sides_and_mirrors_boxes(tmp_path: Path) -> None:
    ids = np.array([[14, 0, 0], [2, 0, 255]], np.uint16)
    part = SegmentMap(np.array([[1, 0, 0], [2, 0, 0]], np.uint16), (Segment(1, 14, 1), Segment(2, 2, 1)))
    human = SegmentMap(np.array([[1, 0, 0], [1, 0, 0]], np.uint16), (Segment(1, box=(0, 0, 2, 1)),))
    found = flip(Parsing(SegmentMap(ids), human, part))
    assert found.layer("category").ids.tolist() == [[0, 0, 15], [255, 0, 2]]
    assert found.layer("part").segments == (Segment(1, 15, 1), Segment(2, 2, 1))
    assert found.layer("human").segments == (Segment(1, box=(0, 2, 2, 3)),)
    back = flip(found)
    np.testing.assert_array_equal(back.layer("category").ids, ids)
    assert back.layer("human").segments == human.segments


def test_mirrored_cihp_labels_are_the_flip(test_data: Path) -> None:
    labels = sorted((test_data / "cihp_sample/labels").glob("*.png"))
    assert len(labels) == 5
    for path in labels:
        mirrored = read_ids(path.parents[1] / "labels_rev" / path.name)
        np.testing.assert_array_equal(flip_classes(read_ids(path)), mirrored)


def test_cihp_part_lists_obey_the_id_formula(test_data: Path) -> None:
    lists = sorted((test_data / "cihp_sample/Instance_part_val").glob("*.txt"))
    assert len(lists) == 300
    rows = [row for path in lists for row in read_rows(path, "%d %d %d")]
    assert all(part == category + 20 * (person - 1) for part, category, person in rows)
    assert {category for _, category, _ in rows} <= set(range(1, 20))


def test_published_triple_reads_as_vip(test_data: Path, tmp_path: Path) -> None:
    """4 persons and 31 parts of one photograph, the structure of VIP's labels."""
    make_triple(test_data / "schp_triple", tmp_path)
    data = Vip(tmp_path)
    assert data.check("val") == []
    found = data.read(data.videos("val")[0].frames[0])
    assert len(found.layer("human").segments) == 4
    assert len(found.layer("part").segments) == 31
    assert (found.layer("part").ids == 30).sum() == 4
    assert data.read(data.videos("val")[0].frames[0]).layer("category").size == (900, 1200)


def make_triple(source: Path, root: Path) -> None:
    names = {"Category_ids": "global_human_parsing", "Human_ids": "instance_human_mask"}
    maps = {kind: read_ids(source / f"demo_{name}.png") for kind, name in names.items()}
    maps["Instance_ids"] = read_ids(source / "demo_multiple_human_parsing.png")
    for kind, ids in maps.items():
        write_ids(root / kind / "videos1/000000000001.png", ids)
    rows = []
    for part in range(1, int(maps["Instance_ids"].max()) + 1):
        owned = maps["Instance_ids"] == part
        (category,) = np.unique(maps["Category_ids"][owned])
        (person,) = np.unique(maps["Human_ids"][owned])
        rows.append(f"{part} {category} {person}\n")
    (root / "Instance_ids/videos1/000000000001.txt").write_text("".join(rows))
    photo(root / "Images/videos1/000000000001.jpg", maps["Category_ids"].shape)
    (root / "lists").mkdir()
    (root / "lists/val_id.txt").write_text("videos1/000000000001\n")


def test_missing_root_and_unknown_split(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        Vip(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no split 'dev', only val, train"):
        Vip(tmp_path).videos("dev")


def test_bad_list_line_is_named(tmp_path: Path) -> None:
    make_vip(tmp_path, FRAMES)
    (tmp_path / "lists/val_id.txt").write_text("videos1/000000000001\nvideos1\n")
    with pytest.raises(UserError, match=r"val_id\.txt:2: expected <video>/<frame number>, got 'videos1'"):
        Vip(tmp_path).videos("val")


def test_rows_without_pixels_are_left_out(tmp_path: Path) -> None:
    """The released evaluation counts what is in the list and has pixels."""
    data = Vip(make_vip(tmp_path, FRAMES[:1]))
    (tmp_path / f"Instance_ids/{FRAMES[0]}.txt").write_text("2 2 1\n5 5 1\n70000 4 2\n")
    part = data.read(data.videos("val")[0].frames[0]).layer("part")
    assert [row.id for row in part.segments] == [2, 5]
    assert (part.ids == 34).any()
    assert len(data.check("val")) == 2


def test_layers_of_different_sizes_stop_reading(tmp_path: Path) -> None:
    data = Vip(make_vip(tmp_path, FRAMES[:1]))
    write_ids(tmp_path / f"Human_ids/{FRAMES[0]}.png", persons()[:-1])
    with pytest.raises(UserError, match=r"Human_ids.*size of Category_ids, \(12, 16\), got \(11, 16\)"):
        data.read(data.videos("val")[0].frames[0])


def found(data: Vip) -> list[str]:
    return [str(problem) for problem in data.check("val")]


def test_check_names_a_missing_list(tmp_path: Path) -> None:
    (line,) = found(Vip(tmp_path))
    assert "val_id.txt: expected the list of split 'val', got nothing" in line
    assert "--data" in line


def test_check_finds_every_fault_at_once(tmp_path: Path) -> None:
    names = [f"videos1/{number:012d}" for number in (1, 26, 51, 76, 101)]
    data = Vip(make_vip(tmp_path, names))
    (tmp_path / f"Category_ids/{names[0]}.png").unlink()
    write_ids(
        tmp_path / f"Category_ids/{names[1]}.png", np.where(classes() == 5, 20, classes()).astype(np.uint16)
    )
    photo(tmp_path / f"Human_ids/{names[2]}.png")
    write_ids(tmp_path / f"Instance_ids/{names[3]}.png", parts()[:, :-1])
    (tmp_path / f"Instance_ids/{names[4]}.txt").write_text("2 2 1\n5 99 3\n40 4 1\n")
    lines = found(data)
    expected = [
        (names[0], "expected an image file, got nothing: no such file"),
        (names[1], "expected class ids 0..19, or 255 for unlabelled, got [20]"),
        (names[2], "expected a label PNG (palette, gray or bilevel), got mode RGB"),
        (names[3], "got (12, 15)"),
        (names[4], "id 40: expected one row for each id that has pixels, got a row without pixels"),
        (names[4], "id 34: expected one row for each id that has pixels, got pixels without a row"),
        (names[4], "id 5: expected a class in 1..19, got class 99"),
        (names[4], "id 5: expected a person of Human_ids, got person 3"),
    ]
    for name, text in expected:
        assert any(name in line and text in line for line in lines), text
    assert len(lines) == len(expected)
    assert all(line.startswith("error: ") for line in lines)


def test_check_compares_the_mirrored_labels(tmp_path: Path) -> None:
    data = Vip(make_vip(tmp_path, FRAMES[:1]))
    path = tmp_path / f"Category_rev_ids/{FRAMES[0]}.png"
    write_ids(path, flip_classes(classes()))
    assert found(data) == []
    write_ids(path, np.ascontiguousarray(classes()[:, ::-1]))
    (line,) = found(data)
    assert "expected Category_ids mirrored with left and right swapped" in line


def test_check_warns_of_listed_neighbours_without_images(tmp_path: Path) -> None:
    data = Vip(make_vip(tmp_path, FRAMES[:1]))
    path = tmp_path / f"behind_frame_list/{FRAMES[0]}.txt"
    path.parent.mkdir(parents=True)
    path.write_text("2\n3\n")
    (line,) = found(data)
    assert line.startswith("warning: video videos2")
    assert "2 without an image: 000000000002, 000000000003" in line


def test_unreleased_test_labels_are_a_warning(tmp_path: Path) -> None:
    make_vip(tmp_path, FRAMES[:1], "test", labels="elsewhere")
    data = Vip(tmp_path)
    (problem,) = data.check("test")
    assert problem.warning
    assert "not public" in problem.mend
    assert data.videos("test")[0].annotated[0].name == "000000000001"
