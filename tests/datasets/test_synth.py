"""synth: what is frozen, the exactness of its labels and flow, both layouts on disk, and faults."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vipbench.datasets.davis import Davis
from vipbench.datasets.synth import Synth, SynthDavis, frozen, make
from vipbench.datasets.synth_body import BONES, TORSO
from vipbench.datasets.synth_scene import Scene, scene
from vipbench.datasets.synth_write import LENGTH, SPLITS, Facts, Split, moments, videos_of
from vipbench.datasets.vip import Vip
from vipbench.datasets.vip_classes import flip_classes
from vipbench.errors import UserError
from vipbench.flow import read_flow
from vipbench.pixels import read_ids, read_image
from vipbench.rows import read_rows

SIZE, FULL = (48, 80), (96, 160)
LABELS = ("Category_ids", "Category_rev_ids", "Human_ids", "Instance_ids")
SMALL = {"train": Split(1, 1, flow=True), "val": Split(65, 1), "test": Split(73, 2), "hard": Split(85, 1)}
AT_LEAST = {"train": (0.15, 0.2), "val": (0.15, 0.2), "test": (0.15, 0.2), "hard": (0.3, 0.4)}


def scene_of(video: int, split: str = "test", size: tuple[int, int] = FULL) -> Scene:
    """The scene that the split's video is drawn from."""
    s = SPLITS[split]
    rng = np.random.default_rng([0, s.first + video])
    return scene(rng, size, LENGTH, s.crowd, s.spread, s.blurred)


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(autouse=True)
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits of one or two videos, written in a moment; not for tests of what is frozen."""
    if "frozen" not in request.function.__name__:
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


# What is frozen


@pytest.mark.parametrize("split", SPLITS)
def test_frozen_splits_are_as_hard_as_promised(split: str) -> None:
    facts, (occluded, blurred) = frozen()[split], AT_LEAST[split]
    assert facts["frames"] == SPLITS[split].count * LENGTH
    assert 2 <= facts["persons"][0] <= facts["persons"][1] <= 5
    assert facts["occluded"] >= occluded
    assert facts["blurred"] >= blurred


@pytest.mark.parametrize("split", ["val", "test", "hard"])
def test_content_is_the_frozen_one_and_has_every_class(split: str) -> None:
    """One pass over a split: the hash that was frozen, and 19 parts, each seen in a quarter of the videos."""
    facts, videos = Facts(), {name: np.zeros(20, np.int64) for name in videos_of(split)}
    for moment in moments(split, 0, FULL):
        facts.add(moment)
        videos[moment.video] += np.bincount(moment.render.category.ravel(), minlength=20)
    assert facts.summary() == frozen()[split]
    assert (sum(pixels > 0 for pixels in videos.values()) >= len(videos) / 4).all()


def test_frozen_splits_share_no_video() -> None:
    names = [name for split in SPLITS for name in videos_of(split)]
    assert len(names) == len(set(names)) == 92
    assert (videos_of("train")[0], videos_of("test")[0], videos_of("hard")[-1]) == (
        "videos1",
        "videos73",
        "videos92",
    )


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


def test_another_seed_is_another_video() -> None:
    first, second = (next(iter(moments("val", seed, SIZE))) for seed in (0, 1))
    assert not np.array_equal(first.photo, second.photo)


# Labels


@pytest.mark.parametrize("video", [0, 5])
def test_visible_counts_the_silhouette_of_each_person_alone(video: int) -> None:
    content = scene_of(video, "hard")
    together = content.render(7)
    for number, who in enumerate(content.people):
        alone = replace(content, people=(who,)).render(7)
        seen, whole = together.visible[number]
        assert whole == np.count_nonzero(alone.human)
        assert seen == np.count_nonzero(together.human == number + 1)
        assert (alone.human[together.human == number + 1] == 1).all()
        # Where a person is not hidden, the parts are those they have alone.
        same = together.human == number + 1
        np.testing.assert_array_equal(together.category[same], alone.category[same])


def test_nearer_people_hide_farther_ones() -> None:
    content = scene_of(0, "hard")
    nearest = content.render(3).visible[-1]
    assert nearest[0] == nearest[1] > 0
    assert content.people[-1].height > content.people[0].height


def test_left_parts_are_at_the_right_of_the_image() -> None:
    """Persons face the viewer, so that their left shoulder is at the image's right of their right one."""
    for video in range(12):
        content = scene_of(video)
        for number in range(len(content.people)):
            bones = content.bones(11.0)[BONES * number : BONES * (number + 1)]
            assert bones[2, 0] > bones[TORSO, 0] > bones[4, 0]


@pytest.mark.parametrize("kind", ["motion", "defocus"])
def test_blurred_frames_are_less_sharp_than_the_same_frames_sharp(kind: str) -> None:
    """And their labels are the sharp ones of the central time."""

    def detail(photo: np.ndarray) -> float:
        return float(np.abs(np.diff(photo.astype(float), axis=0)).mean())

    found = 0
    for video in range(4):
        content = scene_of(video)
        sharp = replace(content, blur=("sharp",) * LENGTH)
        for frame in (t for t in range(LENGTH) if content.blur[t] == kind):
            assert detail(content.photo(frame)) < 0.97 * detail(sharp.photo(frame))
            np.testing.assert_array_equal(content.render(frame).category, sharp.render(frame).category)
            found += 1
    assert found >= 8


def test_motion_blur_is_the_mean_of_the_exposure() -> None:
    """A white dot on black that moves 5 pixels a frame leaves a streak of the same light."""
    backdrop = np.zeros((192, 400, 3))
    backdrop[96 - 10 : 96 + 10, 198:202] = 240.0
    still = Scene(FULL, 1, (scene_of(0).people[0],), (0, 0, 0, 0, 1, 0), backdrop, ("motion",))
    away = replace(still.people[0], path=(500.0, 0.0, 0.0, 0.0))
    sharp, moving = replace(still, people=(away,)), replace(still, people=(away,), camera=(0, 0, 5, 0, 1, 0))
    rows = [content.photo(0)[48, :, 0].astype(float) for content in (sharp, moving)]
    assert rows[0].sum() == pytest.approx(rows[1].sum(), rel=0.02)
    assert np.count_nonzero(rows[1]) >= np.count_nonzero(rows[0]) + 5
    assert rows[1].max() < rows[0].max()


# Flow


@pytest.mark.parametrize(("video", "t", "s"), [(0, 6, 7), (1, 12, 9), (4, 3, 6), (7, 20, 19)])
def test_flow_leads_to_the_same_point_of_the_same_bone(video: int, t: int, s: int) -> None:
    """Rendered anew at s, the pixel nearest to where the flow leads shows the same point of the same owner.

    To within half a pixel's diagonal. Where it shows another owner, that is a nearer person or part, or one
    of these or the owner is next to it (a point at a rim, rounded). What left the frame is not looked at.
    """
    content = scene_of(video)
    here, there = content.render(t), content.render(s)
    flow = content.flow(here, s).astype(float)
    y, x = np.indices(FULL)
    column, row = np.rint(x + flow[..., 0]).astype(int), np.rint(y + flow[..., 1]).astype(int)
    stays = (column >= 0) & (column < FULL[1]) & (row >= 0) & (row < FULL[0])
    owner, column, row = here.owner[stays], column[stays], row[stays]
    same = there.owner[row, column] == owner
    human, around = here.human[stays], np.pad(there.human, 1, mode="edge")
    beside = np.stack([around[row + i, column + j] for i in range(3) for j in range(3)])
    assert (beside.max(0) >= human).all()
    assert (same | (there.human[row, column] > 0) | (human > 0)).all()
    assert same.mean() > 0.5
    du, dv = (getattr(here, k)[stays] - getattr(there, k)[row, column] for k in ("u", "v"))
    bones = content.bones(s)
    scales = np.where(owner >= 0, np.sqrt(bones[owner, 2] ** 2 + bones[owner, 3] ** 2), content.view(s)[2])
    assert (np.hypot(du, dv) * scales)[same].max() < 0.7072


def test_flow_of_the_background_is_the_camera_by_hand() -> None:
    """Pan: the world moves against the camera. Zoom: away from the centre, in proportion to the distance."""
    content = scene_of(2)
    pan = replace(content, camera=(3.0, 1.0, 2.0, -1.0, 1.0, 0.0))
    here = pan.render(4)
    ground = here.owner < 0
    np.testing.assert_allclose(pan.flow(here, 5)[ground], np.tile([-2, 1], (ground.sum(), 1)), atol=1e-5)
    np.testing.assert_allclose(pan.flow(here, 1)[ground], np.tile([6, -3], (ground.sum(), 1)), atol=1e-5)
    zoom = replace(content, camera=(0.0, 0.0, 0.0, 0.0, 1.0, 0.01))
    here = zoom.render(0)
    y, x = np.nonzero(here.owner < 0)
    wanted = 0.03 * np.stack([x - 80, y - 48], -1)
    np.testing.assert_allclose(zoom.flow(here, 3)[here.owner < 0], wanted, atol=1e-5)


def test_flow_to_the_same_time_is_nothing() -> None:
    content = scene_of(3)
    assert np.abs(content.flow(content.render(9), 9)).max() < 1e-4


# On disk


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
        text = {"cut": path.read_text()[:20], "without the split": json.dumps(manifest | {"splits": {}})}
        path.write_text(text[damage])


@pytest.mark.parametrize("damage", ["gone", "cut", "without the split"])
def test_check_of_a_damaged_manifest_says_so(tmp_path: Path, damage: str) -> None:
    """At the size that is frozen. "without the split": killed after the lists, before the manifest."""
    make(tmp_path, ["val"])
    damaged(tmp_path, damage)
    try:
        said = " ".join(map(str, SynthDavis(tmp_path).check("val")))
    except UserError as error:
        said = str(error)
    assert str(tmp_path) in said


def test_make_over_a_damaged_manifest_is_no_traceback(root: Path) -> None:
    damaged(root, "cut")
    with pytest.raises(UserError, match=r"synth\.json"):
        make(root, ["val"], size=SIZE)


def test_check_reports_other_content_than_was_fixed(tmp_path: Path) -> None:
    """The split has one video instead of eight, so that its hash must differ."""
    make(tmp_path, ["val"])
    (problem,) = SynthDavis(tmp_path).check("val")
    assert frozen()["val"]["sha256"] in str(problem)
    assert not problem.warning
