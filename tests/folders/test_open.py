"""Telling layouts apart, and saying what is wrong with a folder that has none."""

from pathlib import Path

import pytest
from made_data import SIZE, photo, square

from vipbench.errors import UserError
from vipbench.folders import ChallengeFolder, DavisFolder, Folder, VipFolder, open_folder
from vipbench.types import Parsing, SegmentMap

LAYOUTS: list[type[Folder]] = [VipFolder, ChallengeFolder, DavisFolder]


def fill(folder: Folder) -> None:
    made = Parsing.empty(SIZE, folder.layers)
    if folder.layers == ("object",):
        made = Parsing(object=SegmentMap.of(square()))
    folder.write("a", "00000", made)


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_layouts_are_told_apart(layout: type[Folder], tmp_path: Path) -> None:
    fill(layout(tmp_path))
    (tmp_path / "0 empty video").mkdir()
    assert type(open_folder(tmp_path)) is layout


@pytest.mark.parametrize(
    ("layout", "stray"),
    [(VipFolder, "preview.png"), (ChallengeFolder, "preview.png"), (DavisFolder, "gray/global_00000.png")],
)
def test_a_stray_file_does_not_make_it_another_layout(
    layout: type[Folder], stray: str, tmp_path: Path
) -> None:
    fill(layout(tmp_path))
    photo(tmp_path / "a" / stray)
    assert type(open_folder(tmp_path, layout.layers)) is layout


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_a_nested_top_folder_is_opened_if_it_is_the_only_one(layout: type[Folder], tmp_path: Path) -> None:
    fill(layout(tmp_path / "results"))
    (tmp_path / "__MACOSX").mkdir()
    found = open_folder(tmp_path)
    assert (type(found), found.root) == (layout, tmp_path / "results")
    fill(layout(tmp_path / "more"))
    with pytest.raises(UserError, match=r"holds 2 prediction folders. Pass one of more, results in it"):
        open_folder(tmp_path)


def test_missing_empty_and_strange_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        open_folder(tmp_path / "nowhere")
    (tmp_path / ".vipbench").mkdir()
    with pytest.raises(UserError, match="empty: no video folder in it"):
        open_folder(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match=r"no known layout. Looked for .*<sequence>/00000.png \(davis\)"):
        open_folder(tmp_path)
    photo(tmp_path / "a/00000.jpg")
    with pytest.raises(UserError, match=r"JPEG files \(a/00000.jpg\), which blur ids. Write PNG"):
        open_folder(tmp_path)
    with pytest.raises(UserError, match="neither, or is damaged"):
        open_folder(tmp_path / "a/00000.jpg")


def test_a_sequence_folder_says_that_it_is_one(tmp_path: Path) -> None:
    photo(tmp_path / "00000.png")
    with pytest.raises(
        UserError, match=r"frames without a video folder.* pass the folder that holds the video"
    ):
        open_folder(tmp_path)
