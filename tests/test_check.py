"""What `check` reports of a prediction folder: errors, warnings, and what is legal."""

from pathlib import Path

import numpy as np
import pytest
from made_data import classes, make_davis, make_vip, parts, persons, photo, square

from vipbench.check import check
from vipbench.datasets.davis import Davis
from vipbench.datasets.vip import Vip
from vipbench.errors import UserError
from vipbench.folders import DavisFolder, VipFolder, open_folder
from vipbench.pixels import write_ids
from vipbench.types import Parsing, Segment, SegmentMap


def inner(length: int) -> set[int]:
    """DAVIS scores neither the first frame nor the last."""
    return {0, length - 1}


@pytest.fixture
def davis(tmp_path: Path) -> Davis:
    return Davis(make_davis(tmp_path / "DAVIS", {"a": [square(255)] * 4, "b": [square(255)] * 4}))


@pytest.fixture
def preds(tmp_path: Path) -> DavisFolder:
    """Complete predictions of 255 on 0."""
    folder = DavisFolder(tmp_path / "preds")
    for video in ("a", "b"):
        for number in range(4):
            folder.write(video, f"{number:05d}", Parsing(object=SegmentMap(square(255, at=3))))
    return folder


def lines(folder: DavisFolder, data: Davis, **options: object) -> list[str]:
    return [str(p).replace(f"{folder.root}", "preds") for p in check(folder, data, "val", **options)]  # type: ignore[arg-type]


def test_complete_predictions_have_no_problem(preds: DavisFolder, davis: Davis) -> None:
    assert lines(preds, davis) == []


def test_missing_frames_are_warnings_where_they_score(preds: DavisFolder, davis: Davis) -> None:
    for name in ("00000", "00002", "00003"):
        preds.files("a", name)[0].unlink()
    (line,) = lines(preds, davis)
    assert line.startswith("warning: preds/a: expected 4 scored frames, got 3 missing: 00000, 00002, 00003.")
    (line,) = lines(preds, davis, unscored=inner)
    assert line.startswith("warning: preds/a: expected 2 scored frames, got 1 missing: 00002.")
    (line,) = lines(preds, davis, unscored=inner, strict_frames=True)
    assert line.startswith("error: preds/a")


def test_missing_first_and_last_frames_are_legal_if_unscored(preds: DavisFolder, davis: Davis) -> None:
    for name in ("00000", "00003"):
        preds.files("b", name)[0].unlink()
    assert lines(preds, davis, unscored=inner, strict_frames=True) == []


def test_extra_and_missing_videos_and_frames_are_warnings(preds: DavisFolder, davis: Davis) -> None:
    (preds.root / "b").rename(preds.root / "c")
    preds.write("a", "00009", Parsing(object=SegmentMap(square())))
    found = lines(preds, davis)
    assert [line.split(". ")[0] for line in found] == [
        "warning: preds: expected videos of davis val alone, got 1 more: c",
        "warning: preds/b: expected predictions for this video, got none",
        "warning: preds/a: expected frames named as in the data set (00000, 00001, 00002, 00003) alone, "
        "got 1 more: 00009",
    ]
    strict = lines(preds, davis, strict_frames=True)
    assert [line.replace("error", "warning", 1) for line in strict] == found


def test_sequences_limit_what_is_asked_for(preds: DavisFolder, davis: Davis) -> None:
    preds.files("b", "00001")[0].unlink()
    assert lines(preds, davis, sequences=("a",)) == []
    assert len(lines(preds, davis, sequences=("b",))) == 1
    with pytest.raises(UserError, match="unknown sequence 'z'"):
        lines(preds, davis, sequences=("z",))


def test_every_fault_is_found_at_once(preds: DavisFolder, davis: Davis) -> None:
    photo(preds.files("a", "00000")[0])
    path = preds.files("a", "00001")[0]
    path.write_bytes(path.read_bytes()[:-25])
    write_ids(preds.files("a", "00002")[0], square(size=(12, 15)))
    preds.files("b", "00003")[0].write_text("")
    found = lines(preds, davis)
    expected = [
        "error: preds/a/00000.png: expected a label PNG (palette, gray or bilevel), got mode RGB. ",
        "error: preds/a/00001.png: expected a whole image, got a truncated or damaged one",
        "error: preds/a/00002.png: expected 16x12 pixels, got 15x12. Write predictions at",
        "error: preds/b/00003.png: expected an image, got a file that is none. Write or copy it again",
    ]
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_sizes_come_from_annotations_where_images_are_missing(preds: DavisFolder, davis: Davis) -> None:
    for path in davis.images.rglob("*.jpg"):
        path.unlink()
    write_ids(preds.files("a", "00002")[0], square(size=(11, 16)))
    (line,) = lines(preds, davis)
    assert "expected 16x12 pixels, got 16x11" in line


def test_2017_knows_the_objects_of_the_first_frame(tmp_path: Path) -> None:
    data = Davis(make_davis(tmp_path / "DAVIS", {"a": [square(2)] * 2}, 2017), 2017)
    folder = DavisFolder(tmp_path / "preds")
    for name, value in (("00000", 2), ("00001", 255)):
        folder.write("a", name, Parsing(object=SegmentMap(square(value))))
    (line,) = lines(folder, data)
    assert line.startswith("error: preds/a/00001.png: expected ids 0..2, got 1 others: 255.")


def vip_preds(root: Path, frames: list[str]) -> VipFolder:
    folder = VipFolder(root)
    rows = (Segment(2, 2, 1), Segment(5, 5, 1), Segment(34, 14, 2))
    for frame in frames:
        video, name = frame.split("/")
        maps = SegmentMap(classes()), SegmentMap.of(persons()), SegmentMap(parts(), rows)
        folder.write(video, name, Parsing(*maps))
    return folder


def test_vip_asks_for_annotated_frames_alone(tmp_path: Path) -> None:
    frames = ["videos1/000000000001", "videos1/000000000004"]
    data = Vip(make_vip(tmp_path / "VIP", frames))
    photo(tmp_path / "VIP/adjacent_frames/videos1/000000000001/000000000002.jpg")
    folder = vip_preds(tmp_path / "preds", frames)
    folder.write("videos1", "000000000004", Parsing.empty((12, 16), data.layers))
    assert check(folder, data, "val") == []
    folder.write("videos1", "000000000002", Parsing.empty((12, 16), data.layers))
    (problem,) = check(folder, data, "val")
    assert problem.warning
    assert problem.got == "1 more: 000000000002"


def test_vip_faults(tmp_path: Path) -> None:
    frames = ["videos1/000000000001", "videos1/000000000026"]
    data = Vip(make_vip(tmp_path / "VIP", frames))
    folder = vip_preds(tmp_path / "preds", frames)
    write_ids(tmp_path / "preds/videos1/gray/global_000000000001.png", np.full((12, 16), 20, np.uint16))
    (tmp_path / "preds/videos1/gray/scores_000000000026.txt").write_text("high 1 1 2 2\n")
    found = [(Path(p.where).name, p.warning) for p in check(folder, data, "val")]
    assert found == [("global_000000000001.png", False), ("scores_000000000026.txt:1", False)]


def test_the_unlabelled_test_split_can_be_checked(tmp_path: Path) -> None:
    frames = ["videos1/000000000001"]
    data = Vip(make_vip(tmp_path / "VIP", frames, "test", labels="elsewhere"))
    assert check(vip_preds(tmp_path / "preds", frames), data, "test") == []


def test_a_folder_of_another_data_set_is_one_error(preds: DavisFolder, davis: Davis, tmp_path: Path) -> None:
    vip = Vip(make_vip(tmp_path / "VIP", ["videos1/000000000001"]))
    (problem,) = check(preds, vip, "val")
    assert not problem.warning
    assert problem.got == "a folder of another data set, in the layout davis"
    other = Davis(make_davis(tmp_path / "other", {"x": [square()], "y": [square()]}))
    (problem,) = check(preds, other, "val")
    assert problem.expected == "videos of davis val (x, y)"
    assert problem.got == "a folder of another data set or split, with a, b"


@pytest.mark.parametrize("method", ["cut", "osvos"])
def test_published_masks_are_valid(method: str, test_data: Path) -> None:
    folder = open_folder(test_data / "davis2016_predictions" / method)
    chosen = ("blackswan", "dog", "libby")
    assert check(folder, Davis(test_data / "DAVIS"), "val", chosen, True) == []


def test_published_masks_without_last_frames_are_valid(test_data: Path) -> None:
    """lvo has no last frames, which the benchmark does not score."""
    folder = open_folder(test_data / "davis2016_predictions/lvo")
    data, chosen = Davis(test_data / "DAVIS"), ("blackswan", "dog")
    assert check(folder, data, "val", chosen, True, inner) == []
    assert [p.got for p in check(folder, data, "val", chosen)] == ["1 missing: 00049", "1 missing: 00059"]


def test_frames_of_other_names_are_an_error(preds: DavisFolder, davis: Davis) -> None:
    for path in sorted((preds.root / "a").iterdir()):
        path.rename(path.with_name(path.name[1:]))
    (problem,) = (p for p in check(preds, davis, "val") if not p.warning)
    assert str(problem).startswith(f"error: {preds.root / 'a'}: expected frames named 00000, ")
    assert "none of them, but 0000" in problem.got
