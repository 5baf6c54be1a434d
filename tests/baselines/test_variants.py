"""The options of ATEN and Deep Feature Flow: what equals what, by their definitions."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import addresses, as_bytes, made, photos, raw_features, small  # noqa: E402
from plain import photo  # noqa: E402

from vipbench import papers, registry  # noqa: E402
from vipbench.baselines import aten, presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten  # noqa: E402
from vipbench.baselines.dff import Dff  # noqa: E402
from vipbench.baselines.fgfa import Fgfa  # noqa: E402
from vipbench.baselines.frame import FrameMethod  # noqa: E402
from vipbench.baselines.network import FgfaNet, GuidedNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.baselines.streaming import first, segments  # noqa: E402

TASKS = ("vip", "davis")


@pytest.mark.parametrize("task", TASKS)
def test_aten_with_l_1_and_p_0_is_frame(task: str, tmp_path: Path) -> None:
    video = addresses(range(3), root=photos(tmp_path, range(3)))
    plain = FrameMethod(made(task), precision="exact")
    variant = Aten(made(task), l=1, p=0, precision="exact")
    assert as_bytes(variant.predict(video)) == as_bytes(plain.predict(video))
    assert "frame and aten that come with vipbench, not trained for aten-p0" in variant.about


@pytest.mark.parametrize("task", TASKS)
def test_dff_is_aten_without_encoding_from_the_first_frame(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = addresses(range(7), root=photos(tmp_path, range(7)))
    dff = small(Dff(made(task), l=4, border="aten", flow_input="full", precision="exact"))
    monkeypatch.setattr(aten, "segments", partial(segments, key=first))
    same = small(Aten(made(task), l=4, p=0, precision="exact"))
    same.net.load_state_dict(dff.net.state_dict())
    assert as_bytes(dff.predict(video)) == as_bytes(same.predict(video))


def test_dff_is_its_loop(tmp_path: Path) -> None:
    """The streaming loop of the paper, written out: a key each l frames, the others from the last key."""
    video = addresses(range(7), root=photos(tmp_path, range(7)))
    method = small(Dff(made("davis"), l=3, precision="exact"))
    expected = []
    with torch.inference_mode():
        for frame in video.frames:
            image, _ = photo(frame, method.net)
            if frame.index % 3 == 0:
                key, features = image, method.net.features(image)
                expected.append(features)
            else:
                expected.append(method.net.propagate(features, image, key))
    for i, found in raw_features(method, video):
        assert torch.equal(found, expected[i]), i


def still(net: GuidedNet) -> None:
    """Zero flow; the scale field of a new network is one."""
    for parameter in net.flow.predict[-1].parameters():
        parameter.data.zero_()


def test_a_static_video_with_zero_flow_and_the_mean_has_one_answer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = AtenNet(presets.load("tiny", "vip"), unit="mean")
    still(net)
    weights.save(net, tmp_path / "still.safetensors", weights.identity("aten-mean", net.preset))
    for i in range(8):
        photos(tmp_path, [i])
    options = {"unit": "mean", "weights": tmp_path / "still.safetensors", "precision": "exact"}
    method = small(Aten(made(), l=3, p=2, **options))  # type: ignore[arg-type]
    alone = small(FrameMethod(made()))
    alone.engine = method.engine
    answers = as_bytes(method.predict(addresses(range(8), root=tmp_path)))
    (key,) = as_bytes(alone.predict(addresses([0], root=tmp_path))).values()
    assert [name for name, *_ in key] == ["category", "human", "part"]  # type: ignore[attr-defined]
    for answer in answers.values():
        assert [layer[1] for layer in answer] == [layer[1] for layer in key]  # type: ignore[index, attr-defined]
    for _, features in raw_features(method, addresses(range(8), root=tmp_path)):
        image, _ = photo(addresses([0], root=tmp_path).frames[0], method.net)
        torch.testing.assert_close(features, method.net.features(image).detach(), rtol=1e-4, atol=1e-4)


def maps(*shape: int) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_without_alignment_the_unit_sees_the_features_as_they_are() -> None:
    net = AtenNet(presets.load("tiny", "davis"), unit="mean", align=False)
    here, near, far = maps(3, 1, 40, 4, 5)
    others = [(maps(1, 3, 16, 20), near), (maps(1, 3, 16, 20), far)]
    expected = (here.double() + near.double() + far.double()) / 3
    torch.testing.assert_close(net.encode(maps(1, 3, 16, 20), here, others).double(), expected)


def test_alignment_warps_the_other_keys_alone_farthest_first() -> None:
    net = AtenNet(presets.load("tiny", "davis"), unit="lstm")
    seen = []
    net.propagate = lambda features, target, reference: features + 100  # type: ignore[method-assign, assignment]
    net.lstm.forward = lambda found: seen.extend(found) or found[-1]  # type: ignore[union-attr, method-assign]
    here, near, far = maps(3, 1, 40, 2, 2)
    net.encode(here, here, [(near, near), (far, far)])
    assert [torch.equal(a, b) for a, b in zip(seen, [far + 100, near + 100, here], strict=True)] == [True] * 3


def test_a_flow_of_half_images_counts_in_cells_of_the_full_one() -> None:
    """An object moved by 8 pixels moves 4 at half resolution: one cell there, two of the features."""
    net = GuidedNet(presets.load("tiny", "davis"), flow_input="half")
    shapes = []

    def one_cell(target: Any, reference: Any, scaled: bool) -> Any:
        shapes.append(target.shape)
        cells = (target.shape[2] // 4, target.shape[3] // 4)
        return torch.ones(1, 2, *cells), torch.full((1, 40, *cells), 0.5)

    net.flow.forward = one_cell  # type: ignore[method-assign]
    flow, scale = net.field(maps(1, 3, 64, 96), maps(1, 3, 64, 96))
    assert shapes == [(1, 3, 32, 48)]
    assert flow.shape == (1, 2, 16, 24)
    assert scale.shape == (1, 40, 16, 24)
    assert (flow == 2).all()
    assert (scale == 0.5).all()


@pytest.mark.parametrize("build", [partial(Aten, p=1), Dff])
@pytest.mark.parametrize("length", [1, 2, 6])
def test_all_offsets_parse_the_mean_of_the_features(
    build: Callable[..., Any], length: int, tmp_path: Path
) -> None:
    video = addresses(range(length), {0, length - 1}, photos(tmp_path, range(length)))
    runs = [dict(raw_features(small(build(made("davis"), l=3, offset=o)), video)) for o in range(3)]
    for i, features in raw_features(small(build(made("davis"), l=3, offset="all")), video):
        expected = sum(run[i].double() for run in runs) / 3
        torch.testing.assert_close(features.double(), expected, rtol=1e-5, atol=1e-5)


def test_an_offset_makes_sparse_annotated_frames_keys(tmp_path: Path) -> None:
    """VIP annotates each 25th frame: at l = 5 all have one position, the first, in their segments."""
    near = [i for t in (0, 25, 50) for i in range(max(t - 3, 0), t + 4)]
    video = addresses(near, {0, 25, 50}, photos(tmp_path, near))
    for offset in range(5):
        parts = segments(video, 5, offset=offset)
        whole = [p for p in parts if any(f.annotated for f in p.frames) and len(p.frames) == 5]
        places = {p.frames.index(f) for p in whole for f in p.frames if f.annotated}
        assert places <= {offset}
        assert places or offset in (0, 4)  # too few neighbours at hand
    keyed = small(Aten(made("davis"), l=5, p=0, offset=2))
    expected = as_bytes(small(FrameMethod(made("davis"))).predict(video))
    found = as_bytes(keyed.predict(video))
    assert {i: found[i] for i in (25, 50)} == {i: expected[i] for i in (25, 50)}
    assert segments(video, 5, offset=2)[0].key.index == 1  # cut short by the start: its own median


@pytest.mark.parametrize(("name", "kind"), [("aten", Aten), ("dff", Dff), ("fgfa", Fgfa)])
def test_the_tables_know_the_defaults(name: str, kind: type) -> None:
    """A Record without options is the paper's row; one with another value of an option that counts is not."""
    texts = next(row.defaults for t in papers.tables().values() for row in t.rows if row.method == name)
    found = registry.convert(kind, 1, texts)
    assert found == {key: registry.parameters(kind)[key].default for key in texts}


@pytest.mark.parametrize(("l", "p"), [(3, 2), (3, 1)])
def test_a_key_without_others_is_encoded_by_itself(l: int, p: int, tmp_path: Path) -> None:
    """A video within one segment: the unit runs one step, as its first state is the key itself."""
    video = addresses([1], root=photos(tmp_path, [1]))
    method = small(Aten(made("davis"), l=l, p=p, precision="exact"))
    image, _ = photo(video.frames[0], method.net)
    with torch.inference_mode():
        features = method.net.features(image)
        (expected,) = method.net.gru.step(features, (features,))
    ((_, found),) = raw_features(method, video)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(("task", "shape"), [("vip", (512, 512)), ("davis", (512, 896))])
def test_every_network_at_full_size(task: str, shape: tuple[int, int]) -> None:
    """On the meta device: 256 channels at stride 4 whatever the unit and the flow's input."""
    sizes = presets.load(f"paper-{task}", task)
    grid = (1, 256, shape[0] // 4, shape[1] // 4)
    with torch.device("meta"):
        image, features = torch.empty(1, 3, *shape), torch.empty(grid)
        for unit, half in ((None, "half"), ("gru", "full"), ("lstm", "quarter"), ("mean", "full")):
            net = AtenNet(sizes, unit, flow_input=half, border="zeros")
            assert net.encode(image, features, [(image, features)] * 2).shape == grid
            assert net.propagate(features, image, image).shape == grid
        fgfa = FgfaNet(sizes)
        described = fgfa.described(features)
        assert described.shape == (1, 256 + 512, *grid[2:])
        assert fgfa.aggregate(image, described, [(image, described)] * 3).shape == grid
