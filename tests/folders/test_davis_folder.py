"""The DAVIS layout: every kind of PNG, round trips, published masks, faults."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from made_data import SIZE, photo, square
from PIL import Image

from vipbench.errors import UserError
from vipbench.folders import DavisFolder, open_folder
from vipbench.pixels import palette, probe
from vipbench.types import Frame, Ids, Parsing, SegmentMap

FRAME = Frame("a", "00000", 0, Path("none.jpg"))


@given(ids=npst.arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_round_trip(ids: Ids) -> None:
    with tempfile.TemporaryDirectory() as root:
        DavisFolder(Path(root)).write("a", "00000", Parsing(object=SegmentMap.of(ids)))
        read = open_folder(Path(root)).read("a", "00000").layer("object")
    np.testing.assert_array_equal(read.ids, ids)
    assert [s.id for s in read.segments] == sorted(set(ids[ids > 0].tolist()))


def test_written_with_the_palette_of_davis(tmp_path: Path) -> None:
    folder = DavisFolder(tmp_path)
    folder.write("a", "00000", Parsing(object=SegmentMap.of(square(2))))
    path = tmp_path / "a/00000.png"
    assert probe(path) == ("P", SIZE)
    assert palette()[:4].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert np.asarray(Image.open(path).convert("RGB"))[3, 3].tolist() == [0, 128, 0]
    assert (folder.frames("a"), folder.files("a", "00000")) == (["00000"], [path])


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_bilevel_gray_and_palette_read_alike(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(square(1).astype(np.uint8))
    if mode == "1":
        image = Image.fromarray(square(1).astype(bool))
    if mode == "P":
        image.putpalette(palette().tobytes())
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a/00000.png")
    assert probe(tmp_path / "a/00000.png")[0] == mode
    np.testing.assert_array_equal(DavisFolder(tmp_path).read("a", "00000").layer("object").ids, square(1))


def test_faults_of_a_frame(tmp_path: Path) -> None:
    folder = DavisFolder(tmp_path)
    folder.write("a", "00000", Parsing(object=SegmentMap.of(square(255))))
    assert folder.examine(FRAME, SIZE, 65536)[1] == []
    got = [p.got for p in folder.examine(FRAME, (12, 17), 3)[1]]
    assert got == ["16x12", "1 others: 255"]
    photo(tmp_path / "a/00000.png")
    assert [p.got for p in folder.examine(FRAME, SIZE, 3)[1]] == ["mode RGB"]
    with pytest.raises(UserError, match="no such file"):
        folder.read("a", "00001")


def test_published_bilevel_masks(test_data: Path) -> None:
    folder = open_folder(test_data / "davis2016_predictions/osvos")
    assert folder.name == "davis"
    assert len(folder.videos()) == 20
    assert probe(folder.files("blackswan", "00000")[0])[0] == "1"
    found = folder.read("blackswan", "00001").layer("object")
    assert found.size == (480, 854)
    assert set(np.unique(found.ids)) == {0, 1}
