"""DAVIS on disk: years, tasks, resolutions, both kinds of lists, real masks, and what check finds."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made_data import make_davis, photo, square

from vipbench.datasets import davis_attributes
from vipbench.datasets.davis import Davis
from vipbench.errors import UserError
from vipbench.pixels import write_ids


def test_2016_takes_every_nonzero_value_as_the_object(tmp_path: Path) -> None:
    data = Davis(make_davis(tmp_path, {"a": [square(255), square(3)]}))
    (video,) = data.videos("val")
    assert [(f.name, f.index, f.annotated) for f in video.frames] == [("00000", 0, True), ("00001", 1, True)]
    for frame in video.frames:
        found = data.read(frame).layer("object")
        np.testing.assert_array_equal(found.ids, square(1))
        assert [s.id for s in found.segments] == [1]
    assert (data.void, data.protocols, data.check("val")) == (None, ("davis2016",), [])


def test_sequences_of_2016_carry_their_attributes(tmp_path: Path) -> None:
    """As https://github.com/fperazzi/davis-2017 data/db_info.yaml marks bear, blackswan and camel."""
    names = ("bear", "blackswan", "camel", "unknown")
    for year in (2016, 2017):
        make_davis(tmp_path, {name: [square()] for name in names}, year)
    found = {v.id: v.tags for v in Davis(tmp_path).videos("val")}
    assert found["bear"] == ("attribute:DEF",)
    assert found["camel"] == tuple(f"attribute:{code}" for code in ("CS", "DEF", "IO", "ROT"))
    assert found["blackswan"] == found["unknown"] == ()
    assert not any(v.tags for v in Davis(tmp_path, 2017).videos("val"))


def test_attributes_are_those_that_the_authors_published() -> None:
    """How many of the 50 sequences have each, counted in davis-2017 data/db_info.yaml, year 2016."""
    counts = (
        "AC 11 BC 9 CS 13 DB 12 DEF 30 EA 23 FM 21 HO 37 IO 25 LR 13 MB 17 OCC 18 OV 10 ROT 19 SC 21 SV 16"
    )
    words = counts.split()
    found = Counter(code for codes in davis_attributes.sequences().values() for code in codes)
    assert found == dict(zip(words[::2], map(int, words[1::2]), strict=True))
    assert len(davis_attributes.sequences()) == 50
    assert set(davis_attributes.meanings()) == set(found)


def test_2017_reads_255_as_background_or_as_void(tmp_path: Path) -> None:
    ids = square(2)
    ids[0] = 255
    for annotations in ("Annotations", "Annotations_unsupervised"):
        make_davis(tmp_path, {"a": [ids]}, 2017, annotations)
    semi, unsupervised = Davis(tmp_path, 2017), Davis(tmp_path, 2017, task="unsupervised")
    frame = semi.videos("val")[0].frames[0]
    np.testing.assert_array_equal(semi.read(frame).layer("object").ids, square(2))
    np.testing.assert_array_equal(unsupervised.read(frame).layer("object").ids, ids)
    assert [s.id for s in unsupervised.read(frame).layer("object").segments] == [2]
    assert (semi.void, unsupervised.void) == (None, 255)
    assert semi.protocols == ("davis2017-semi",)


def test_pair_lists_of_the_2016_package(tmp_path: Path) -> None:
    make_davis(tmp_path, {"b": [square()] * 3, "a": [square()] * 2})
    (tmp_path / "ImageSets/2016/val.txt").unlink()
    pairs = [("b", 0), ("b", 1), ("a", 0)]
    lines = [f"/JPEGImages/480p/{s}/{n:05d}.jpg /Annotations/480p/{s}/{n:05d}.png\n" for s, n in pairs]
    (tmp_path / "ImageSets/480p").mkdir()
    (tmp_path / "ImageSets/480p/val.txt").write_text("".join(lines))
    videos = Davis(tmp_path).videos("val")
    assert [(v.id, [f.name for f in v.frames]) for v in videos] == [
        ("b", ["00000", "00001"]),
        ("a", ["00000"]),
    ]


def test_full_resolution_and_sizes_that_differ_between_sequences(tmp_path: Path) -> None:
    make_davis(tmp_path, {"a": [square()], "b": [square(size=(20, 30))]}, 2017)
    for folder in ("Annotations", "JPEGImages"):
        (tmp_path / folder / "480p").rename(tmp_path / folder / "Full-Resolution")
    data = Davis(tmp_path, 2017, "Full-Resolution")
    sizes = [data.read(v.frames[0]).layer("object").size for v in data.videos("val")]
    assert sizes == [(12, 16), (20, 30)]
    assert data.check("val") == []


def test_scoring_needs_no_images(tmp_path: Path) -> None:
    data = Davis(make_davis(tmp_path, {"a": [square()] * 2}))
    for path in (tmp_path / "JPEGImages/480p/a").iterdir():
        path.unlink()
    assert len(data.videos("val")[0].annotated) == 2
    (problem,) = data.check("val")
    assert problem.warning
    assert "2 without one: 00000, 00001" in problem.got


def test_bad_options_and_splits(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2016 and 2017, not 2018"):
        Davis(tmp_path, 2018)
    with pytest.raises(UserError, match="resolutions 480p, Full-Resolution, 1080p, not 'small'"):
        Davis(tmp_path, resolution="small")
    with pytest.raises(UserError, match="tasks semi-supervised and unsupervised, not 'interactive'"):
        Davis(tmp_path, 2017, task="interactive")
    with pytest.raises(UserError, match="no such folder"):
        Davis(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no split 'dev'"):
        Davis(tmp_path).videos("dev")


def test_check_finds_every_fault_at_once(tmp_path: Path) -> None:
    data = Davis(make_davis(tmp_path, {"a": [square()] * 5, "b": [square(0)] * 2}))
    with (tmp_path / "ImageSets/2016/val.txt").open("a") as file:
        file.write("gone\n")
    labels = tmp_path / "Annotations/480p/a"
    (labels / "00001.png").unlink()
    photo(labels / "00002.png")
    (labels / "00003.png").write_bytes((labels / "00004.png").read_bytes()[:-30])
    write_ids(labels / "00004.png", square(size=(12, 15)))
    lines = [str(problem) for problem in data.check("val")]
    expected = [
        "a/00001.png: expected an image file, got nothing: no such file",
        "a/00002.png: expected a label PNG (palette, gray or bilevel), got mode RGB",
        "a/00003.png: expected a whole image, got a truncated or damaged one",
        "a/00004.png: expected the size of its image, (12, 16), got (12, 15)",
        "b: expected an object in some frame, got background alone",
        "gone: expected frames of this listed sequence, got none",
    ]
    for text in expected:
        assert any(text in line for line in lines), text
    assert len(lines) == len(expected)


def test_check_names_a_missing_list_and_a_bad_line(tmp_path: Path) -> None:
    (problem,) = Davis(tmp_path).check("val")
    assert problem.expected == "the list of split 'val'"
    make_davis(tmp_path, {"a": [square()]})
    (tmp_path / "ImageSets/2016/val.txt").write_text("a\n\na/b/c\n")
    (problem,) = Davis(tmp_path).check("val")
    assert problem.where.endswith("val.txt:2")


@pytest.mark.parametrize("line", ["..", "../a", "../00000.jpg", ".vipbench", "a\\b", "/x/../00000.jpg y"])
def test_listed_names_stay_inside_the_folder(tmp_path: Path, line: str) -> None:
    make_davis(tmp_path, {"a": [square()]})
    (tmp_path / "ImageSets/2016/val.txt").write_text(f"a\n{line}\n")
    with pytest.raises(UserError, match=r"val.txt:2: expected a sequence name"):
        Davis(tmp_path).videos("val")


def test_2017_does_not_take_the_list_of_2016(tmp_path: Path) -> None:
    make_davis(tmp_path, {"a": [square()]})
    (tmp_path / "ImageSets/2016").rename(tmp_path / "ImageSets/480p")
    assert [v.id for v in Davis(tmp_path).videos("val")] == ["a"]
    with pytest.raises(UserError, match=r"ImageSets/2017/val.txt: expected the list"):
        Davis(tmp_path, 2017).videos("val")


def test_check_warns_of_objects_that_come_later(tmp_path: Path) -> None:
    data = Davis(make_davis(tmp_path, {"a": [square(1), square(2)]}, 2017), 2017)
    (problem,) = data.check("val")
    assert problem.warning
    assert "[2] in later frames" in problem.got


def test_davis_2016_val(test_data: Path) -> None:
    data = Davis(test_data / "DAVIS")
    videos = data.videos("val")
    assert len(videos) == 20
    assert sum(len(v.annotated) for v in videos) == 1376
    found = data.read(videos[0].frames[0]).layer("object")
    assert found.size == (480, 854)
    assert set(np.unique(found.ids)) == {0, 1}


def test_davis_2017_palettes(test_data: Path, tmp_path: Path) -> None:
    """tennis: palette PNGs with ids 1 and 2 and void 255."""
    samples = test_data / "davis2017_samples/sequences"
    for folder in ("Annotations", "Annotations_unsupervised", "JPEGImages"):
        (tmp_path / folder).symlink_to(samples / folder.removesuffix("_unsupervised"))
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("tennis\n")
    semi, unsupervised = Davis(tmp_path, 2017), Davis(tmp_path, 2017, task="unsupervised")
    frames = semi.videos("val")[0].frames
    assert {s.id for f in frames for s in semi.read(f).layer("object").segments} == {1, 2}
    assert any((unsupervised.read(f).layer("object").ids == 255).any() for f in frames)
    assert not any((semi.read(f).layer("object").ids == 255).any() for f in frames)


def test_davis_2017_first_frames(test_data: Path, tmp_path: Path) -> None:
    """Gray PNGs of 2 to 7 objects; selfie is wider than the others."""
    samples = test_data / "davis2017_samples/first_frames"
    for folder in ("Annotations", "JPEGImages"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "480p").symlink_to(samples / folder)
    names = sorted(path.name for path in (samples / "Annotations").iterdir())
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("\n".join(names))
    data = Davis(tmp_path, 2017)
    found = [data.read(v.frames[0]).layer("object") for v in data.videos("val")]
    counts = [len(layer.segments) for layer in found]
    assert (min(counts), max(counts)) == (2, 7)
    assert {layer.size[1] for layer in found} == {854, 910}
    assert not any(p for p in data.check("val") if not p.warning)
