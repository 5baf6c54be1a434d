"""What a training sample is: the frames beside the current one, its mirror image, its draws."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import addresses  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.nn.warp import warp  # noqa: E402
from vipbench.baselines.samples import Samples  # noqa: E402
from vipbench.baselines.train_data import left_out  # noqa: E402
from vipbench.baselines.train_rules import alone, keys, keys_fit, offset  # noqa: E402
from vipbench.datasets import synth_write  # noqa: E402
from vipbench.datasets.synth import Synth, make  # noqa: E402
from vipbench.datasets.vip import FLIP  # noqa: E402

VIDEO = addresses(range(30))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Of one training video of synth."""
    home = tmp_path_factory.mktemp("synth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(synth_write.SPLITS, "train", replace(synth_write.SPLITS["train"], count=1))
        make(home, ["train"])
    return Samples(Synth(home), "train", presets.load("tiny", "vip").input, seed=3)


def drawn(rule: Any, t: int, times: int = 400, video: Any = VIDEO) -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rule(video, t, rng) for _ in range(times)]


@pytest.mark.parametrize(("l", "low", "high"), [(3, -1, 1), (4, -2, 1), (5, -2, 2)])
def test_key_of_a_sample_lies_where_the_paper_has_it(l: int, low: int, high: int) -> None:
    found = drawn(keys(l, 2), 15)
    assert {15 - k[0] for k in found} == set(range(low, high + 1))
    assert {k[1] - k[0] for k in found} == {-l, l}
    assert all(k[2] - k[1] == k[1] - k[0] for k in found)
    assert all(0 <= k < 30 for some in drawn(keys(l, 2), 0) for k in some)


def test_dff_draws_its_key_from_the_ten_frames_up_to_the_current_one() -> None:
    counts = np.bincount([k for (k,) in drawn(offset(-9, 0, 1), 20, 2000)], minlength=21)
    assert counts[:11].sum() == 0
    assert (abs(counts[11:] - 200) < 5 * 200**0.5).all()
    assert {k for (k,) in drawn(offset(-9, 0, 1), 3)} == {0, 1, 2, 3}


def test_fgfa_draws_two_different_offsets_of_eleven() -> None:
    found = drawn(offset(-5, 5, 2), 15, 2000)
    assert {k for pair in found for k in pair} == set(range(10, 21))
    assert all(a != b for a, b in found)
    assert {k for pair in drawn(offset(-5, 5, 2), 28) for k in pair} == set(range(23, 30))


def test_offsets_count_frames_of_the_source() -> None:
    """Of frames 0, 1, 2, 30, 31: those around 30 are 30 and 31, with what is nearest beyond the gap."""
    video = addresses([0, 1, 2, 30, 31])
    assert {k for (k,) in drawn(offset(-9, 9, 1), 3, video=video)} == {3, 4}


@pytest.mark.parametrize(("l", "p", "frames"), [(3, 2, 30), (4, 2, 17), (5, 1, 24), (3, 0, 4)])
def test_keys_of_a_dense_video_are_the_same_draws_as_by_position(l: int, p: int, frames: int) -> None:
    video = addresses(range(7, 7 + frames))
    for t in range(frames):
        ours, theirs = np.random.default_rng(t), np.random.default_rng(t)
        for _ in range(20):
            k = int(theirs.integers(max(0, t - (l - 1 - l // 2)), min(frames - 1, t + l // 2) + 1))
            steps = [step for step in (-l, l) if 0 <= k + p * step < frames]
            step = steps[theirs.integers(len(steps))]
            assert keys(l, p)(video, t, ours) == [k + i * step for i in range(p + 1)]


def test_keys_count_frames_of_the_source() -> None:
    """Frames 0 ... 9 and 20 ... 30: the keys of 21 lie to its right, and so in the positions."""
    video = addresses([*range(10), *range(20, 31)])
    for run in drawn(keys(3, 2), 11, video=video):
        indices = [video.frames[i].index for i in run]
        assert 20 <= indices[0] <= 22
        assert np.diff(indices).tolist() == [3, 3]


def test_keys_without_others_are_not_drawn() -> None:
    """Of ten frames, 4 and 5 have no two others three apart on one side."""
    video = addresses(range(10))
    assert {run[0] for run in drawn(keys(3, 2), 4, video=video)} == {3}
    with pytest.raises(UserError, match=r"video v, frame 00000: expected 3 keys 3 frames apart"):
        keys(3, 2)(addresses([0, 1, 2, 4, 5]), 0, np.random.default_rng(0))


class Cut:
    """The data set with other videos."""

    name, flows = "cut", None

    def __init__(self, *videos: Any) -> None:
        self.all = videos

    def videos(self, split: str) -> Any:
        return self.all


def test_frames_without_keys_are_left_out_and_counted() -> None:
    sizes = presets.load("tiny", "vip")
    data: Any = Cut(addresses(range(30), {0, 15}), addresses(range(5), {1, 2, 3}))
    samples = [Samples(data, "train", sizes.input, 0, fits=fits) for fits in (keys_fit(sizes), None)]
    assert [(len(s.frames), s.left_out) for s in samples] == [(2, 3), (5, 0)]
    assert left_out((samples[0], samples[1])).endswith(
        "left out: 3 of 5 to learn from and 0 of 5 to judge by"
    )
    assert left_out((samples[1], samples[1])) == ""
    with pytest.raises(
        UserError, match="none of the 3 annotated frames of split train has the frames around"
    ):
        Samples(Cut(addresses(range(5), {1, 2, 3})), "train", sizes.input, 0, fits=keys_fit(sizes))  # type: ignore[arg-type]


def test_samples_do_not_depend_on_what_was_drawn_before(samples: Samples) -> None:
    first = samples.clip(samples.rng(5, 1), keys(3, 2))
    samples.clip(samples.rng(6, 0), keys(3, 2))
    again = samples.clip(samples.rng(5, 1), keys(3, 2))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.truth.category, again.truth.category)
    assert torch.equal(torch.randperm(9, generator=first.draws), torch.randperm(9, generator=again.draws))


class Fixed:
    """A generator that draws the first frame, mirrored or not."""

    def __init__(self, mirrored: bool) -> None:
        self.values = [0, int(mirrored), 0]

    def integers(self, *limits: int) -> int:
        return self.values.pop(0)


def test_the_mirror_image_swaps_left_and_right_parts(samples: Samples) -> None:
    rule: Any = lambda video, t, rng: [t, t + 1]  # noqa: E731
    plain, mirrored = (samples.clip(Fixed(m), rule) for m in (False, True))  # type: ignore[arg-type]
    swapped = torch.arange(256)
    swapped[: len(FLIP)] = torch.tensor(FLIP)
    assert torch.equal(mirrored.truth.category, swapped[plain.truth.category].flip(1))
    assert (swapped[plain.truth.category] != plain.truth.category).any()  # some are seen at all
    assert torch.equal(mirrored.truth.masks, plain.truth.masks.flip(2))
    for a, b in zip((plain.image, *plain.others), (mirrored.image, *mirrored.others), strict=True):
        assert torch.equal(a.flip(2), b)
    assert plain.same == (True, False)


def test_a_crop_is_a_window_of_the_canvas_for_images_and_truth(samples: Samples) -> None:
    cropped = Samples(samples.dataset, "train", samples.spec, 3, crop=(64, 96))
    corners = set()
    for step in range(20):
        whole, part = (s.clip(s.rng(step, 0), keys(3, 2)) for s in (samples, cropped))
        (corner,) = corners_of(whole.image, part.image)
        corners.add(corner)
        y, x = corner
        window = (slice(y, y + 64), slice(x, x + 96))
        for a, b in zip(whole.others, part.others, strict=True):
            assert torch.equal(a[:, *window], b)
        assert torch.equal(whole.truth.category[window], part.truth.category)
        seen = whole.truth.masks[:, *window]
        assert torch.equal(seen[seen.flatten(1).any(1)], part.truth.masks)
        for box, mask in zip(part.truth.boxes, part.truth.masks, strict=True):
            rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
            assert box.tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    assert len(corners) > 10


def corners_of(whole: Any, part: Any) -> list[tuple[int, int]]:
    """Where in an image a part of it lies."""
    height, width = part.shape[1:]
    places = whole.unfold(1, height, 1).unfold(2, width, 1)
    first = (places[..., 0, :] == part[:, None, None, 0]).all(-1).all(0).nonzero().tolist()
    return [(y, x) for y, x in first if torch.equal(places[:, y, x], part)]


def test_a_frame_alone(samples: Samples) -> None:
    clip = samples.clip(samples.rng(0, 0), alone)
    assert clip.others == clip.same == ()


def test_flow_pairs_bring_the_reference_onto_the_target(samples: Samples) -> None:
    """The reference, warped by the exact flow, is closer to the target than the reference itself."""
    for step in range(8):  # mirrored and plain, sharp and blurred
        target, reference, flow = samples.pair(samples.rng(step, 0))
        moved = warp(reference[None], flow[None])[0]
        inside = (moved != 0).any(0)
        error = (moved - target).abs().mean(0)[inside].mean()
        assert error < 0.8 * (reference - target).abs().mean(0)[inside].mean()
