"""synth on disk: both layouts, what is noted of them, and faults."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scenes import FULL, SIZE, scene_of

from vipbench import cli_data
from vipbench.datasets.davis import Davis
from vipbench.datasets.synth import Synth, SynthDavis, frozen, make
from vipbench.datasets.synth_write import LENGTH, SPLITS, Split
from vipbench.datasets.vip import Vip
from vipbench.datasets.vip_classes import flip_classes
from vipbench.errors import UserError
from vipbench.flow import read_flow
from vipbench.pixels import read_ids, read_image
from vipbench.rows import read_rows

LABELS = ("Category_ids", "Category_rev_ids", "Human_ids", "Instance_ids")
SMALL = {"train": Split(1, 1, flow=True), "val": Split(65, 1), "test": Split(73, 2), "hard": Split(85, 1)}


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits of one or two videos, written in a moment."""
    for name, split in SMALL.items():
        monkeypatch.setitem(SPLITS, name, split)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """synth with its test split, two videos of 48x80; not to be changed."""
    root = tmp_path_factory.mktemp("made") / "synth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SPLITS, "test", SMALL["test"])
        make(root, ["test"], size=SIZE)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of `made`, with its times."""
    return Path(shutil.copytree(made, tmp_path / "synth"))


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    code = """if True:
        import sys, pathlib
        from vipbench.datasets import synth_write
        synth_write.SPLITS["train"] = synth_write.Split(1, 1, flow=True)
        synth_write.make(pathlib.Path(sys.argv[1]), ["train"], size=(48, 80))"""
    for hash_seed in ("1", "2"):
        call = [sys.executable, "-c", code, str(tmp_path / hash_seed)]
        subprocess.run(call, check=True, env=os.environ | {"PYTHONHASHSEED": hash_seed})
    one, two = files(tmp_path / "1"), files(tmp_path / "2")
    assert len(one) > 8 * LENGTH
    assert one == two


def test_read_gives_back_what_was_rendered(root: Path) -> None:
    data, content = Synth(root), scene_of(1, size=SIZE)
    videos = data.videos("test")
    assert [v.id for v in videos] == ["videos73", "videos74"]
    assert [(f.name, f.index, f.annotated) for f in videos[1].frames] == [
        (f"{t + 1:012d}", t, True) for t in range(LENGTH)
    ]
    for frame in videos[1].frames[::7]:
        here, found = content.render(frame.index), data.read(frame)
        np.testing.assert_array_equal(found.layer("category").ids, here.category)
        np.testing.assert_array_equal(found.layer("human").ids, here.human)
        part = found.layer("part")
        for s in part.segments:
            assert s.id == (s.human - 1) * 20 + s.category
            own = (here.human == s.human) & (here.category == s.category)
            np.testing.assert_array_equal(part.ids == s.id, own)
        np.testing.assert_array_equal(part.ids > 0, here.category > 0)


def test_persons_keep_their_number_and_outfit(root: Path) -> None:
    data, content = Synth(root), scene_of(0, size=SIZE)
    worn = [{shape.category for shape in who.shapes} for who in content.people]
    for frame in data.videos("test")[0].frames:
        for s in data.read(frame).layer("part").segments:
            assert s.category in worn[s.human - 1]


def test_davis_layout_is_the_same_video_with_the_people_as_one_object(root: Path) -> None:
    vip, davis = Synth(root).videos("test")[0], SynthDavis(root).videos("test")[0]
    assert vip.id == davis.id
    assert [f.name for f in davis.frames] == [f"{t:05d}" for t in range(LENGTH)]
    for one, other in zip(vip.frames, davis.frames, strict=True):
        assert one.image.read_bytes() == other.image.read_bytes()
        human = Synth(root).read(one).layer("human").ids
        np.testing.assert_array_equal(SynthDavis(root).read(other).layer("object").ids, human > 0)
    label = root / "DAVIS/Annotations/480p/videos73/00000.png"
    assert set(np.unique(read_ids(label))) == {0, 255}


def test_the_loaders_of_the_real_data_sets_read_it(root: Path) -> None:
    assert [v.id for v in Vip(root / "VIP").videos("test")] == ["videos73", "videos74"]
    assert (root / "VIP/lists/test_videos.txt").read_text() == "videos73\nvideos74\n"
    make(root, ["val"], size=SIZE)
    assert [v.id for v in Davis(root / "DAVIS").videos("val")] == ["videos65"]


def test_label_files_are_gray_and_of_the_size_of_the_images(root: Path) -> None:
    for kind in LABELS:
        with Image.open(root / "VIP" / kind / "videos73/000000000001.png") as image:
            assert (image.mode, image.size) == ("L", (80, 48))
    assert read_image(root / "VIP/Images/videos73/000000000001.jpg").shape == (*SIZE, 3)
    rows = read_rows(root / "VIP/Instance_ids/videos73/000000000001.txt", "%d %d %d")
    assert rows
    assert all(part == (human - 1) * 20 + category for part, category, human in rows)


def test_reversed_labels_are_mirrored_with_left_and_right_swapped(root: Path) -> None:
    folder = root / "VIP"
    category = read_ids(folder / "Category_ids/videos73/000000000005.png")
    reversed_ids = read_ids(folder / "Category_rev_ids/videos73/000000000005.png")
    np.testing.assert_array_equal(reversed_ids, flip_classes(category))
    shoe, other = category == 18, reversed_ids[:, ::-1] == 19
    assert shoe.any()
    np.testing.assert_array_equal(shoe, other)


@pytest.mark.parametrize("every", [1, 5])
def test_check_finds_nothing(tmp_path: Path, every: int) -> None:
    make(tmp_path, ["hard"], size=SIZE, every=every)
    assert Synth(tmp_path).check("hard") == []
    assert SynthDavis(tmp_path).check("hard") == []


def test_sparse_annotation_is_shipped_as_vip_does(tmp_path: Path) -> None:
    make(tmp_path, ["val"], size=SIZE, every=5)
    (video,) = Synth(tmp_path).videos("val")
    assert [f.index for f in video.annotated] == [0, 5, 10, 15, 20]
    assert [f.index for f in video.frames] == list(range(LENGTH))
    vip, name = tmp_path / "VIP", f"{16:012d}"
    assert sorted(p.stem for p in (vip / "Images/videos65").iterdir()) == [f.name for f in video.annotated]
    front = (vip / "front_frame_list/videos65" / f"{name}.txt").read_text().split()
    behind = (vip / "behind_frame_list/videos65" / f"{name}.txt").read_text().split()
    assert front == [str(n) for n in range(15, 5, -1)]
    assert behind == [str(n) for n in range(17, 25)]
    adjacent = sorted(int(p.stem) for p in (vip / "adjacent_frames/videos65" / name).iterdir())
    assert adjacent == [*range(6, 16), *range(17, 25)]
    assert (vip / "front_frame_list/videos65" / f"{1:012d}.txt").read_text() == ""
    assert len(SynthDavis(tmp_path).videos("val")[0].frames) == LENGTH


def test_flows_of_train_are_those_of_the_scene(tmp_path: Path) -> None:
    make(tmp_path, ["train"], size=SIZE)
    data, content = Synth(tmp_path), scene_of(0, "train", SIZE)
    (video,) = data.videos("train")
    pairs = data.flows(video)
    steps = {(target.index, reference.index - target.index) for target, reference, _ in pairs}
    wanted = {(t, d) for t in range(0, LENGTH, 3) for d in (-3, -1, 1, 3) if 0 <= t + d < LENGTH}
    assert steps == wanted
    for target, reference, path in pairs[::6]:
        exact = content.flow(content.render(target.index), reference.index)
        np.testing.assert_array_equal(read_flow(path), exact)
    (other,) = SynthDavis(tmp_path).videos("train")
    assert [path for _, _, path in SynthDavis(tmp_path).flows(other)] == [path for _, _, path in pairs]


# Making it again, and faults


def test_a_second_split_joins_the_first_and_what_is_there_stays(root: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*.png")}
    seen: list[str] = []
    make(root, ["test", "val"], size=SIZE, progress=lambda what, done, total: seen.append(what))
    assert {what.split()[0] for what in seen} == {"val"}
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert set(json.loads((root / "synth.json").read_text())["splits"]) == {"test", "val"}


def test_a_killed_make_leaves_no_split_and_can_be_run_again(root: Path, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if done == 30:
            raise KeyboardInterrupt

    killed = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        make(killed, ["test"], size=SIZE, progress=stop)
    with pytest.raises(UserError, match="not there"):
        Synth(killed).videos("test")
    make(killed, ["test"], size=SIZE)
    assert files(killed) == files(root)


MISSING = "vipbench data make synth --out {root} --splits val"


@pytest.mark.parametrize("factory", [Synth, SynthDavis])
def test_a_split_that_was_not_made_says_how_to_make_it(root: Path, factory: Callable[[Path], Synth]) -> None:
    for look in (factory(root).videos, factory(root).check):
        with pytest.raises(UserError) as error:
            look("val")
        assert MISSING.format(root=root) in str(error.value)


@pytest.mark.parametrize("factory", [Synth, SynthDavis])
def test_a_missing_root_says_how_to_make_it(tmp_path: Path, factory: Callable[[Path], Synth]) -> None:
    with pytest.raises(UserError, match="vipbench data make synth") as error:
        factory(tmp_path / "none")
    assert str(tmp_path / "none") in str(error.value)


@pytest.mark.parametrize("factory", [Synth, SynthDavis])
def test_unknown_splits_name_the_known_ones(root: Path, factory: Callable[[Path], Synth]) -> None:
    with pytest.raises(UserError, match="test, train, val, hard"):
        factory(root).videos("trainval")
    with pytest.raises(UserError, match="'easy'"):
        make(root, ["easy"], size=SIZE)


@pytest.mark.parametrize("other", [{"seed": 1}, {"size": FULL}, {"every": 2}])
def test_other_settings_need_another_root(root: Path, other: dict[str, object]) -> None:
    before = files(root)
    with pytest.raises(UserError, match="another --out"):
        make(root, ["val"], **({"size": SIZE} | other))  # type: ignore[arg-type]
    assert files(root) == before


def damaged(root: Path, damage: str) -> None:
    path = root / "synth.json"
    manifest = json.loads(path.read_text())
    if damage == "gone":
        path.unlink()
    else:
        texts = {
            "cut": path.read_text()[:20],
            "empty": "{}",
            "a list": "[]",
            "seed of text": json.dumps(manifest | {"seed": "0"}),
            "bare split": json.dumps(manifest | {"splits": {"val": {}}}),
            "without the split": json.dumps(manifest | {"splits": {}}),
        }
        path.write_text(texts[damage])


DAMAGES = ["cut", "empty", "a list", "seed of text", "bare split"]


@pytest.mark.parametrize("damage", ["gone", *DAMAGES, "without the split"])
def test_check_of_a_damaged_manifest_says_so(tmp_path: Path, damage: str) -> None:
    """At the size that is frozen. "without the split": killed after the lists, before the manifest."""
    make(tmp_path, ["val"])
    damaged(tmp_path, damage)
    try:
        said = " ".join(map(str, SynthDavis(tmp_path).check("val")))
    except UserError as error:
        said = str(error)
    assert str(tmp_path) in said


@pytest.mark.parametrize("damage", DAMAGES)
def test_make_over_a_damaged_manifest_is_no_traceback(root: Path, damage: str) -> None:
    damaged(root, damage)
    with pytest.raises(UserError, match=r"synth\.json"):
        make(root, ["val"], size=SIZE)


def test_check_reports_other_content_than_was_fixed(tmp_path: Path) -> None:
    """The split has one video instead of eight, so that its hash must differ."""
    make(tmp_path, ["val"])
    (problem,) = SynthDavis(tmp_path).check("val")
    assert frozen()["val"]["sha256"] in str(problem)
    assert not problem.warning


def test_only_dense_annotation_is_compared_with_what_was_fixed(tmp_path: Path) -> None:
    make(tmp_path, ["val"], every=6)
    assert Synth(tmp_path).check("val") == []


def swap_photos(root: Path) -> None:
    one, two = (root / f"VIP/Images/videos7{n}/000000000001.jpg" for n in (3, 4))
    shutil.copy(two, one)


def remove_flow(root: Path) -> None:
    next((root / "Flow/videos1").iterdir()).unlink()


def repaint_label(root: Path) -> None:
    path = root / "DAVIS/Annotations/480p/videos74/00003.png"
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(path)


def shorten_list(root: Path) -> None:
    (root / "VIP/lists/test_videos.txt").write_text("videos73\n")


@pytest.mark.parametrize(
    ("split", "change"),
    [("test", swap_photos), ("test", repaint_label), ("test", shorten_list), ("train", remove_flow)],
)
def test_check_reports_files_that_are_not_as_made(
    root: Path, split: str, change: Callable[[Path], None]
) -> None:
    make(root, ["train"], size=SIZE)
    (root / "VIP/Images/videos73/.hidden").touch()
    assert Synth(root).check(split) == SynthDavis(root).check(split) == []
    change(root)
    for factory in (Synth, SynthDavis):
        (problem,) = (p for p in factory(root).check(split) if "files" in p.expected)
        assert not problem.warning
        assert f"vipbench data make synth --out {root}" in problem.mend


def test_check_of_a_root_without_hashes_of_its_files_says_to_make_it_again(root: Path) -> None:
    manifest = json.loads((root / "synth.json").read_text())
    del manifest["splits"]["test"]["files"]
    (root / "synth.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"no hashes of split 'test'.*make it again"):
        Synth(root)


@pytest.mark.parametrize("factory", [Synth, SynthDavis])
@pytest.mark.parametrize(
    ("settings", "version"),
    [
        ({}, "1"),
        ({"seed": 3, "size": SIZE, "every": 5}, "1 seed3 48x80 every5"),
        ({"every": 2}, "1 seed0 96x160 every2"),
    ],
)
def test_version_names_settings_that_are_not_the_frozen_ones(
    tmp_path: Path, factory: Callable[[Path], Synth], settings: dict[str, object], version: str
) -> None:
    make(tmp_path, ["val"], **settings)  # type: ignore[arg-type]
    assert factory(tmp_path).version == version


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"seed": -1}, "seed -1"),
        ({"size": (1, 1)}, "size 1x1: expected 32 to 4096 pixels"),
        ({"size": (96, 31)}, "size 96x31"),
        ({"size": (4097, 96)}, "size 4097x96"),
        ({"every": 0}, "every 0"),
        ({"splits": []}, "no split of synth is named; there are: train"),
    ],
)
def test_make_refuses_what_cannot_be_made(tmp_path: Path, settings: dict[str, object], part: str) -> None:
    with pytest.raises(UserError, match=part):
        make(tmp_path / "synth", **({"splits": ["val"]} | settings))  # type: ignore[arg-type]
    assert not (tmp_path / "synth").exists()


def test_the_smallest_size_can_be_made(tmp_path: Path) -> None:
    make(tmp_path, ["val"], size=(32, 32))
    assert SynthDavis(tmp_path).check("val") == []


@pytest.mark.parametrize(
    "option",
    [
        "--seed=-1",
        "--size=1x1",
        "--size=99999999x99999999",
        "--size=9" + "9" * 5000 + "x1",
        "--size=96x",
        "--splits=",
    ],
)
def test_the_command_refuses_it_in_one_line(tmp_path: Path, option: str) -> None:
    done = CliRunner().invoke(cli_data.data, ["make", "synth", "--out", str(tmp_path / "synth"), option])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "synth").exists()
