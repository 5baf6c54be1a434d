"""synth: what is frozen, the exactness of its labels and flow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import FULL, SIZE, scene_of

from vipbench.datasets.synth import frozen
from vipbench.datasets.synth_body import BONES, TORSO
from vipbench.datasets.synth_scene import Scene
from vipbench.datasets.synth_write import LENGTH, SPLITS, Facts, moments, videos_of

AT_LEAST = {"train": (0.15, 0.2), "val": (0.15, 0.2), "test": (0.15, 0.2), "hard": (0.3, 0.4)}


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
