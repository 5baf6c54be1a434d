"""The gate of FlowNet-S: figures by hand, verdicts, and which frames are taken."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_flow import rng, sampled  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import chairs, clips, flow_gate, presets, train, train_task, weights  # noqa: E402
from vipbench.baselines.canvas import Placement  # noqa: E402
from vipbench.baselines.flow_data import Procedural, Sample, placed  # noqa: E402
from vipbench.baselines.flow_gate import MISSED, OPEN, PASSED, full_flow, told  # noqa: E402
from vipbench.baselines.flow_gate import flow_gate as measure  # noqa: E402
from vipbench.baselines.nn.flownet import FlowNetS  # noqa: E402
from vipbench.baselines.presets import Input  # noqa: E402
from vipbench.baselines.procedural import make_pair  # noqa: E402
from vipbench.types import Frame, Video  # noqa: E402

SPEC = Input(height=48, width=80, min_side=40, crop=(), mean=(123.7, 116.8, 103.9))


class Constant(nn.Module):
    """A network whose flow is (u, v) pixels everywhere, in its training unit at stride 4."""

    def __init__(self, u: float, v: float) -> None:
        super().__init__()
        self.flow = nn.Parameter(torch.tensor([u, v]) / 20)

    def pyramid(self, target: Tensor, reference: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        n, _, h, w = target.shape
        return [self.flow[None, :, None, None].expand(n, 2, h // 4, w // 4)], target


def photo(shift: int) -> np.ndarray:
    """40x80, a picture moved to the right."""
    wide = make_pair(rng(3), 40, 120, sprites=8).target
    return np.ascontiguousarray(wide[:, 20 - shift : 100 - shift])


def clip(target: np.ndarray, reference: np.ndarray) -> clips.Clip:
    placement = Placement.of((target.shape[0], target.shape[1]), SPEC)
    return placement.image(target), placement.image(reference), placement


def sideways(u: float) -> Sample:
    """A pair whose flow is u pixels to the right everywhere."""
    target, reference, flow = placed(make_pair(rng(0), 48, 80), SPEC)
    return target, reference, torch.tensor([u, 0.0])[:, None, None].expand_as(flow)


def test_the_right_flow_passes_and_the_wrong_one_misses() -> None:
    pairs = [sideways(4), sideways(3), sideways(5)]
    moving = [clip(photo(0), photo(4)) for _ in range(2)]
    right, wrong = (measure(Constant(u, 0), pairs, moving) for u in (4.0, -4.0))
    assert right.verdict == PASSED
    assert right.better == 1
    assert wrong.verdict == MISSED
    assert wrong.better == 0
    assert right.zero_photometric == wrong.zero_photometric
    assert (right.epe, right.zero_epe, wrong.epe) == pytest.approx((2 / 3, 4, 8))
    assert (right.pairs, right.clips) == (3, 2)


def test_both_errors_must_be_below_those_of_zero_flow() -> None:
    moving = [clip(photo(0), photo(4))]
    assert measure(Constant(4, 0), [sideways(-4)], moving).verdict == MISSED
    assert measure(Constant(-4, 0), [sideways(-4)], moving).verdict == MISSED
    assert measure(Constant(4, 0), [sideways(-4)], []).verdict == MISSED
    assert measure(Constant(0, 0), [sideways(4)], moving).verdict == MISSED


def test_the_figures_are_those_written_out_in_float64() -> None:
    made = [make_pair(rng(i), 48, 80) for i in range(3)]
    target, reference = photo(0), photo(3)
    found = measure(Constant(2.5, -1.0), [placed(p, SPEC) for p in made], [clip(target, reference)])
    flows = [p.flow.astype(float) for p in made]
    epe = [np.sqrt(((f - [2.5, -1.0]) ** 2).sum(2)).mean() for f in flows]
    zero = [np.sqrt((f**2).sum(2)).mean() for f in flows]
    assert found.epe == pytest.approx(np.mean(epe), rel=1e-5)
    assert found.zero_epe == pytest.approx(np.mean(zero), rel=1e-5)
    # The photo of 40x80 lies on rows 4 to 43 of the canvas; beside it the (mean-subtracted) canvas is black.
    canvas = np.zeros((48, 80, 3), np.uint8)
    canvas[4:44] = reference
    constant = np.broadcast_to(np.float32([2.5, -1.0]), (48, 80, 2))
    warped = sampled(canvas, constant)[4:44]
    assert found.photometric == pytest.approx(np.abs(warped - target).mean(), rel=1e-4)
    still = np.abs(reference.astype(float) - target).mean()
    assert found.zero_photometric == pytest.approx(still, rel=1e-5)


def test_the_flow_is_at_full_size_in_pixels() -> None:
    flow = full_flow(Constant(3.0, -2.0), torch.zeros(3, 48, 80), torch.zeros(3, 48, 80))
    assert flow.shape == (2, 48, 80)
    assert torch.allclose(flow, torch.tensor([3.0, -2.0])[:, None, None].expand(2, 48, 80))


def test_a_real_network_is_measured() -> None:
    sizes = presets.load("tiny", "davis")
    torch.manual_seed(0)
    net = FlowNetS(sizes.flow, 40)
    found = measure(net, [placed(make_pair(rng(0), 64, 64), SPEC)], [clip(photo(0), photo(2))])
    assert all(np.isfinite([found.epe, found.photometric]))


def test_without_clips_nothing_is_concluded() -> None:
    found = measure(Constant(1, 0), [sideways(2)], [], "some pairs")
    assert found.verdict == OPEN
    assert np.isnan(found.photometric)
    assert found.about()["gate_photometric"] == OPEN
    assert "1 held-out pairs of some pairs" in found.about()["gate_epe"]


def test_the_words_say_what_to_do_unless_it_passed() -> None:
    pair = [sideways(3)]
    right, wrong = (measure(Constant(u, 0), pair, [clip(photo(0), photo(4))]).about() for u in (4.0, -4.0))
    assert told(right).startswith("FlowNet-S: gate passed: end-point error ")
    assert "VIPBENCH_CHAIRS" not in told(right)
    assert told(wrong).startswith("FlowNet-S: gate missed")
    assert "VIPBENCH_CHAIRS" in told(wrong)
    assert "nobody knows" in told(measure(Constant(3, 0), pair, []).about())
    assert told({"method": "flow"}) == ""


class Clips:
    """A data set of frames on disk with the numbers given, a video for each list."""

    name, version, split = "clips", "1", "val"
    layers = ("object",)

    def __init__(self, root: Path, *videos: Sequence[int]) -> None:
        self.made = []
        for v, numbers in enumerate(videos):
            frames = []
            for n in numbers:
                path = root / f"{v}-{n}.png"
                Image.fromarray(photo(n % 8)).save(path)
                frames.append(Frame(f"v{v}", f"{n:05}", n, path))
            self.made.append(Video(f"v{v}", "train", tuple(frames)))

    def videos(self, split: str) -> list[Video]:
        if split != self.split:
            raise UserError(f"no split {split}")
        return self.made


def test_only_consecutive_frames_are_clips(tmp_path: Path) -> None:
    dataset = Clips(tmp_path, [1, 2, 3, 28, 29], [1, 26, 51], [5, 6])
    found = clips.real_clips(dataset, SPEC, 9)  # type: ignore[arg-type]
    assert len(found) == 4
    target, reference, placement = found[0]
    expected = clip(photo(1), photo(2))
    assert torch.equal(target, expected[0])
    assert torch.equal(reference, expected[1])
    assert placement == expected[2]
    assert len(clips.real_clips(dataset, SPEC, 2)) == 2  # type: ignore[arg-type]


def test_a_data_set_of_single_frames_has_no_clips(tmp_path: Path) -> None:
    dataset = Clips(tmp_path, [1], [1, 26])
    assert clips.real_clips(dataset, SPEC, 9) == []  # type: ignore[arg-type]


def test_frames_of_train_are_taken_where_there_is_no_val_and_those_without_a_photo_never(
    tmp_path: Path,
) -> None:
    dataset = Clips(tmp_path, [1, 2, 3, 4])
    dataset.split = "train"
    dataset.made[0].frames[3].image.unlink()
    assert len(clips.real_clips(dataset, SPEC, 9)) == 2  # type: ignore[arg-type]
    dataset.split = "none"
    assert clips.real_clips(dataset, SPEC, 9) == []  # type: ignore[arg-type]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of training, two pairs and clips at the gate, no FlyingChairs, no picture."""
    sizes = presets.load("tiny", "davis")
    shorter = replace(sizes, flow_stage=replace(sizes.flow_stage, steps=2, batch=2))
    monkeypatch.setattr(presets, "load", lambda name, task: shorter)
    monkeypatch.delenv(chairs.ENV, raising=False)
    monkeypatch.setattr(train, "draw", lambda rows, path, title: None)
    for module, name in ((train_task, "HELD_OUT"), (flow_gate, "HELD_OUT"), (flow_gate, "CLIPS")):
        monkeypatch.setattr(module, name, 2)


@pytest.mark.usefixtures("short")
def test_a_data_set_without_flow_trains_on_procedural_pairs_and_the_weights_tell_of_the_gate(
    tmp_path: Path,
) -> None:
    dataset: Any = Clips(tmp_path, [1, 2, 3])
    notes: list[str] = []
    path = train.train("flow", "tiny", dataset, tmp_path / "out", note=notes.append)
    about = weights.about(path)
    assert about["data"] == "procedural pairs 1"
    assert "2 held-out pairs of procedural pairs 1" in about["gate_epe"]
    assert "2 pairs of frames" in about["gate_photometric"]
    assert told(about) in notes
    once, again = load_file(path), load_file(train.train("flow", "tiny", dataset, tmp_path / "again"))
    assert all(torch.equal(once[name], again[name]) for name in once)


@pytest.mark.usefixtures("short")
def test_flow_that_missed_its_gate_is_not_used_silently(tmp_path: Path) -> None:
    path, notes = tmp_path / "tiny-flow.safetensors", list[str]()
    for verdict, said in ((MISSED, 1), (OPEN, 2), (PASSED, 2)):
        about = {"gate": verdict, "gate_epe": "1 px", "gate_photometric": "2"}
        weights.save(nn.Linear(1, 1), path, about)
        train._warn(path, notes.append)
        assert len(notes) == said
    assert f"{path}: FlowNet-S: gate missed" in notes[0]


@pytest.mark.usefixtures("short")
def test_other_pairs_are_other_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset: Any = Clips(tmp_path, [1, 2, 3])
    train.train("flow", "tiny", dataset, tmp_path / "out")
    monkeypatch.setattr(Procedural, "name", "procedural pairs 2")
    with pytest.raises(UserError, match=r"procedural pairs 1.*Choose another --out"):
        train.train("flow", "tiny", dataset, tmp_path / "out")
