"""What a training sample is: the frames beside the current one, its mirror image, its draws."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import addresses  # noqa: E402

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.samples import Samples  # noqa: E402
from vipbench.baselines.train_rules import alone, keys, offset  # noqa: E402
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
