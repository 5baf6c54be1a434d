"""What FlowNet-S learns from: FlyingChairs and procedural pairs, splits and changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_flow import rng, sampled  # noqa: E402

from vipbench import UserError  # noqa: E402
from vipbench.baselines import chairs  # noqa: E402
from vipbench.baselines.chairs import Chairs  # noqa: E402
from vipbench.baselines.flow_data import (  # noqa: E402
    FlyingChairs,
    Procedural,
    cropped,
    flipped,
    flow_pairs,
    recoloured,
)
from vipbench.baselines.pairs import Pair  # noqa: E402
from vipbench.baselines.presets import Input  # noqa: E402
from vipbench.baselines.procedural import make_pair  # noqa: E402
from vipbench.flow import write_flow  # noqa: E402

SPEC = Input(height=48, width=80, min_side=48, crop=(), mean=(123.7, 116.8, 103.9))


@pytest.fixture(autouse=True)
def without_chairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(chairs.ENV, raising=False)


@pytest.mark.parametrize(("mirror", "upset"), [(True, False), (False, True), (True, True)])
def test_a_flipped_pair_is_still_exact(mirror: bool, upset: bool) -> None:
    pair = make_pair(rng(2), 96, 160)
    changed = flipped(pair, mirror, upset)
    error = np.abs(sampled(changed.reference, changed.flow) - changed.target).mean(2)[changed.visible]
    assert error.mean() < 1.5
    again = flipped(changed, mirror, upset)
    assert np.array_equal(again.target, pair.target)
    assert np.array_equal(again.flow, pair.flow)


def test_a_crop_is_a_window_of_all_parts() -> None:
    pair = make_pair(rng(2), 96, 160)
    window = cropped(pair, rng(0))
    assert window.flow.shape == (80, 140, 2)
    places = [(t, l) for t in range(17) for l in range(21)]
    at = [
        p for p in places if np.array_equal(pair.target[p[0] : p[0] + 80, p[1] : p[1] + 140], window.target)
    ]
    ((top, left),) = at
    assert np.array_equal(pair.flow[top : top + 80, left : left + 140], window.flow)


def test_recolouring_is_the_same_for_both_images_but_for_noise() -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2).repeat(64, 0)
    pair = Pair(grey, grey, np.zeros((64, 256, 2), np.float32), np.ones((64, 256), np.bool_))
    for seed in range(20):
        changed = recoloured(pair, rng(seed))
        means = [image.astype(float).mean(0) for image in (changed.target, changed.reference)]
        assert np.abs(means[0] - means[1]).mean() < 3
        assert (np.diff(means[0][16:-16:16], axis=0) > -8).all()  # brighter stays brighter
        assert changed.flow is pair.flow


def test_a_sample_lies_on_the_canvas_as_photos_do() -> None:
    source = Procedural(SPEC, 3)
    target, reference, flow = source.pair(source.rng(5, 1))
    assert target.shape == reference.shape == (3, 48, 80)
    assert flow.shape == (2, 48, 80)
    assert target.dtype == flow.dtype == torch.float32
    again = source.pair(source.rng(5, 1))
    assert all(torch.equal(a, b) for a, b in zip((target, reference, flow), again, strict=True))
    made = make_pair(rng(3, 5, 1), 48, 80)
    assert np.array_equal(flow.numpy(), made.flow.transpose(2, 0, 1))


def test_held_out_pairs_are_the_same_for_all_and_none_of_training() -> None:
    (train, held), (_, other) = flow_pairs(SPEC, 0), flow_pairs(SPEC, 7)
    flows = [held.pair(held.rng(0, i))[2] for i in range(3)]
    assert all(torch.equal(other.pair(other.rng(0, i))[2], flow) for i, flow in enumerate(flows))
    drawn = [train.pair(train.rng(step, i))[2] for step in range(3) for i in range(3)]
    assert not any(torch.equal(a, b) for a in drawn for b in flows)


def test_pairs_have_the_size_of_the_training_crop() -> None:
    train, held = flow_pairs(replace(SPEC, crop=(32, 64)), 0)
    for pairs in (train, held):
        assert pairs.pair(pairs.rng(0, 0))[2].shape == (2, 32, 64)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """FlyingChairs of eight pairs of 64x48, of the same form."""
    (tmp_path / "data").mkdir()
    for number in range(1, 9):
        pair = make_pair(rng(number), 48, 64)
        start = tmp_path / "data" / f"{number:05}"
        for i, image in ((1, pair.target), (2, pair.reference)):
            Image.fromarray(image).save(f"{start}_img{i}.ppm")
        write_flow(start.with_name(f"{number:05}_flow.flo"), pair.flow)
    return tmp_path


def test_chairs_are_read_as_they_lie_there(root: Path) -> None:
    pair = make_pair(rng(3), 48, 64)
    first, second, flow = Chairs.at(root).read("00003")
    assert np.array_equal(first, pair.target)
    assert np.array_equal(second, pair.reference)
    assert np.array_equal(flow, pair.flow)


@pytest.mark.parametrize("folder", [".", "data"])
def test_the_split_list_decides(root: Path, folder: str) -> None:
    (root / folder / chairs.LIST).write_text("1\n2\n1\n1\n2\n1\n1\n1\n")
    found = Chairs.at(root)
    assert found.val == ("00002", "00005")
    assert found.train == ("00001", "00003", "00004", "00006", "00007", "00008")


def test_without_a_list_the_last_are_held_out(root: Path) -> None:
    assert Chairs.at(root).val == ("00008",)


def test_what_is_wrong_with_chairs_is_said(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="VIPBENCH_CHAIRS"):
        Chairs.at(tmp_path / "elsewhere")
    (root / chairs.LIST).write_text("1\n2\n3\n")
    with pytest.raises(UserError, match="8 lines, one for each pair, of 1 or 2"):
        Chairs.at(root)
    (root / chairs.LIST).write_text("1\n" * 8)
    with pytest.raises(UserError, match="both splits"):
        Chairs.at(root)
    (root / chairs.LIST).unlink()
    (root / "data/00001_img2.ppm").unlink()
    with pytest.raises(UserError, match="00001_img2"):
        Chairs.at(root).read("00001")
    write_flow(root / "data/00002_flow.flo", np.zeros((5, 6, 2)))
    with pytest.raises(UserError, match="one size"):
        Chairs.at(root).read("00002")
    (root / "data/00003_img1.ppm").write_bytes(b"P6 64 48 255 \0\0")
    with pytest.raises(UserError, match="00003_img1"):
        Chairs.at(root).read("00003")


def test_chairs_are_taken_where_they_are_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chairs.ENV, str(root))
    train, held = flow_pairs(SPEC, 0)
    assert isinstance(train, FlyingChairs)
    assert train.name == held.name == "FlyingChairs, 7 pairs"
    target, _, flow = train.pair(train.rng(0, 0))
    assert target.shape == (3, 48, 80)
    assert flow.nan_to_num().abs().sum() > 0
    image, _, truth = held.pair(held.rng(0, 0))
    first, _, whole = Chairs.at(root).read("00008")
    # 64x48 on a canvas of 48 x 80: not scaled, eight columns of padding on each side.
    assert torch.equal(truth[:, :, 8:72], torch.from_numpy(whole.transpose(2, 0, 1).copy()))
    assert truth[:, :, :8].isnan().all()
    assert truth[:, :, 72:].isnan().all()
    mean = torch.tensor([123.7, 116.8, 103.9])[:, None, None]
    shown = torch.from_numpy(first.transpose(2, 0, 1).copy()).float()
    assert torch.allclose(image[:, :, 8:72] + mean, shown, atol=1e-4)


def test_a_wrong_folder_of_chairs_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(chairs.ENV, str(root / "data"))
    with pytest.raises(UserError, match="VIPBENCH_CHAIRS"):
        flow_pairs(SPEC, 0)


def test_the_second_chairs_warped_by_the_flow_are_nearer_the_first(test_data: Path, tmp_path: Path) -> None:
    """Real pairs, named as in the whole data set: the first image is the target, the second the reference."""
    (tmp_path / "data").mkdir()
    for number, path in enumerate(sorted((test_data / "flow/FlyingChairs_examples").glob("*-gt.flo")), 1):
        for part, kind in (("gt.flo", "flow.flo"), ("img0.ppm", "img1.ppm"), ("img1.ppm", "img2.ppm")):
            source = path.with_name(path.name.replace("gt.flo", part))
            (tmp_path / f"data/{number:05}_{kind}").symlink_to(source.resolve())
    found = Chairs.at(tmp_path)
    assert (found.train, found.val) == (("00001", "00002"), ("00003",))
    for name in found.train + found.val:
        first, second, flow = found.read(name)
        assert first.shape == (384, 512, 3)
        still = np.abs(second.astype(float) - first).mean()
        assert np.abs(sampled(second, flow) - first).mean() < 0.6 * still
