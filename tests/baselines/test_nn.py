"""N_feat, FlowNet-S, FGFA and the mask head against independent formulations, and the presets' shapes."""

import re
from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.baselines.nn.deeplab import ASPP  # noqa: E402
from vipbench.baselines.nn.embedding import Embedding, adaptive_weights, aggregate  # noqa: E402
from vipbench.baselines.nn.flownet import FlowNetS, flow_loss  # noqa: E402
from vipbench.baselines.nn.heads import ParsingRCNN, upsample  # noqa: E402
from vipbench.baselines.nn.mask import MaskHead  # noqa: E402
from vipbench.baselines.nn.norm import BatchNorm  # noqa: E402
from vipbench.baselines.nn.resnet import ResNet  # noqa: E402
from vipbench.errors import UserError  # noqa: E402


def rng(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def test_scale_field_starts_as_the_identity_and_its_bias_is_frozen() -> None:
    net = FlowNetS(presets.load("tiny", "vip").flow, 8)
    image = torch.randn(1, 3, 96, 160, generator=rng())
    _, scale = net(image, image)
    assert torch.equal(scale, torch.ones_like(scale))
    assert net.scale.bias is not None
    assert not net.scale.bias.requires_grad


def test_flow_is_in_cells_by_default_and_in_the_released_unit_on_request() -> None:
    sizes = presets.load("tiny", "vip").flow
    images = torch.randn(2, 1, 3, 64, 64, generator=rng())
    released = FlowNetS(replace(sizes, factor=20, bias=False), 8)
    cells = FlowNetS(replace(sizes, bias=False), 8)
    cells.load_state_dict(released.state_dict())
    raw = released.pyramid(*images)[0][-1]
    assert torch.equal(released(*images)[0], raw * 20)
    assert torch.equal(cells(*images)[0], raw * 5)
    assert not any(name.startswith(("predict", "upsample")) and "bias" in name for name in cells.state_dict())


def test_flow_loss_is_zero_for_the_truth_and_counts_in_units_of_20_pixels() -> None:
    truth = torch.full((1, 2, 64, 64), 20.0)
    exact = [torch.ones(1, 2, n, n) for n in (1, 2, 4, 8, 16)]
    assert flow_loss(exact, truth).item() == pytest.approx(0, abs=1e-5)
    off = [flow + torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1) for flow in exact]
    assert flow_loss(off, truth).item() == pytest.approx(5 * 0.62, abs=1e-5)


def test_upsample_puts_cell_i_at_pixel_4i() -> None:
    cells = torch.arange(12.0).reshape(1, 1, 3, 4)
    up = upsample(cells)
    assert up.shape == (1, 1, 12, 16)
    assert torch.allclose(up[..., ::4, ::4], cells)
    assert up[0, 0, 0, 2].item() == pytest.approx(0.5)


def test_a_stage_strides_where_it_is_told_to() -> None:
    for place, first, second in (("1x1", (2, 2), (1, 1)), ("3x3", (1, 1), (2, 2))):
        net = ResNet(4, (2, 3, 4, 5), (1, 2, 1, 2), stride_on=place)
        for layer in (net.layer2, net.layer3):
            assert layer[0].conv1.stride == first
            assert layer[0].conv2.stride == second
            assert layer[0].downsample[0].stride == (2, 2)
        assert {b.conv2.dilation for b in net.layer4} == {(2, 2)}
        low, top = net(torch.zeros(1, 3, 64, 96))
        assert (low.shape, top.shape) == ((1, 8, 16, 24), (1, 20, 4, 6))


def test_the_low_level_tap_is_res2_or_the_pooled_stem() -> None:
    torch.manual_seed(0)
    stem = ResNet(4, (2, 3, 4, 5), (1, 1, 1, 1), tap="stem").eval()
    res2 = ResNet(4, (2, 3, 4, 5), (1, 1, 1, 1)).eval()
    res2.load_state_dict(stem.state_dict())
    image = torch.randn(1, 3, 32, 32, generator=rng())
    with torch.inference_mode():
        assert torch.equal(stem.layer1(stem(image)[0]), res2(image)[0])
        assert torch.equal(stem(image)[1], res2(image)[1])
    assert (stem.outputs, res2.outputs) == ((4, 20), (8, 20))
    with pytest.raises(UserError, match=r"'res3'.*res2, stem"):
        ResNet(4, (2, 3, 4, 5), (1, 1, 1, 1), tap="res3")


@pytest.mark.parametrize("mode", ["live", "frozen", "batch"])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_takes_the_statistics_it_is_told_to(mode: str, training: bool) -> None:
    norm = BatchNorm(3, mode).double().train(training)
    torch.nn.init.normal_(norm.weight, generator=rng(1))
    norm.running_mean, norm.running_var = torch.tensor([[1.0, 2, 3], [4, 5, 6]], dtype=torch.float64)
    x = torch.randn(4, 3, 5, 6, generator=rng(), dtype=torch.float64)
    own = mode == "batch" or (mode == "live" and training)
    mean = x.mean((0, 2, 3)) if own else torch.tensor([1, 2, 3]).double()
    var = x.var((0, 2, 3), correction=0) if own else torch.tensor([4, 5, 6]).double()
    per_channel = (None, slice(None), None, None)
    expected = (x - mean[per_channel]) / (var[per_channel] + 1e-3).sqrt() * norm.weight[per_channel]
    torch.testing.assert_close(norm(x), expected, atol=1e-12, rtol=0)
    moved = norm.running_mean.tolist() != [1, 2, 3]
    assert moved == (mode == "live" and training)
    assert norm(x[:0]).shape == (0, 3, 5, 6)


def test_aspp_of_a_constant_map_is_the_same_in_the_middle_and_pools_the_mean() -> None:
    """Order of the concatenation: pooling, 1x1, then the rates."""
    aspp = ASPP(2, 3, (1, 2))
    with torch.no_grad():
        for p in aspp.parameters():
            p.zero_()
        aspp.pool.weight[0, 0] = 1  # channel 0 of the first branch: the map's mean
        aspp.point.weight[1, 1] = 1  # channel 1 of the second: the map itself
        aspp.project.weight[0, 0] = aspp.project.weight[1, 3 + 1] = 1
    x = torch.rand(1, 2, 6, 7, generator=rng())
    found = aspp(x)
    torch.testing.assert_close(found[0, 0], x[0, 0].mean().expand(6, 7))
    torch.testing.assert_close(found[0, 1], x[0, 1])


def test_fgfa_weights_are_the_softmax_of_cosines_written_out() -> None:
    frames = torch.randn(4, 2, 5, 3, 4, generator=rng(), dtype=torch.float64)  # [frames, N, E, H, W]
    features = torch.randn(4, 2, 6, 3, 4, generator=rng(1), dtype=torch.float64)
    current = frames[1]
    cosine = (frames * current).sum(2) / (frames.square().sum(2) * current.square().sum(1)).sqrt()
    share = cosine.exp() / cosine.exp().sum(0)
    found = adaptive_weights(list(frames), current)
    torch.testing.assert_close(found, share[:, :, None], atol=1e-12, rtol=0)
    expected = (share[:, :, None] * features).sum(0)
    streamed = aggregate(zip(features, frames, strict=True), current)
    torch.testing.assert_close(streamed, expected, atol=1e-12, rtol=0)


def test_fgfa_of_equal_frames_is_the_frame_and_a_frame_beyond_the_border_has_cosine_0() -> None:
    torch.manual_seed(0)
    net, features = Embedding(4, (8, 8, 6)), torch.rand(1, 4, 3, 5, generator=rng())
    embedded = net(features)
    assert embedded.shape == (1, 6, 3, 5)
    assert (embedded < 0).any()  # no activation after the last
    torch.testing.assert_close(aggregate([(features, embedded)] * 3, embedded), features)
    weights = adaptive_weights([embedded, torch.zeros_like(embedded)], embedded)
    e = torch.tensor(1.0).exp()
    torch.testing.assert_close(weights[0], (e / (e + 1)).expand(1, 1, 3, 5))


def test_the_mask_heads_side_branch_is_added_to_probabilities_and_clipped() -> None:
    """The released sum, sigmoid + side branch, and its cross-entropy on clipped probabilities."""
    torch.manual_seed(0)
    head = MaskHead(4, 8, side=True).double().eval()
    assert head.side is not None
    rois = torch.randn(3, 4, 14, 14, generator=rng(), dtype=torch.float64)
    side, taps = head.side, []
    head.side.register_forward_hook(lambda _, inputs, __: taps.append(inputs[0]))
    released = head(rois)
    head.side = None
    plain = head(rois).sigmoid()
    fc = side.fc(side.norm2(side.conv2(side.norm1(side.conv1(taps[0])).relu())).relu())
    branch = torch.stack([fc[:, 0::2, 0, 0], fc[:, 1::2, 0, 0]], 1).reshape(3, 2, 28, 28)
    expected = (plain + branch).clamp(1e-7, 1 - 1e-7)
    torch.testing.assert_close(released.sigmoid(), expected, atol=1e-6, rtol=0)
    truth = (torch.rand(3, 2, 28, 28, generator=rng(1)) < 0.5).double()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(released, truth)
    keras = -(truth * expected.log() + (1 - truth) * (1 - expected).log()).mean()
    torch.testing.assert_close(loss, keras, atol=1e-5, rtol=0)


def test_released_mask_statistics_are_over_all_slots() -> None:
    """Unused slots are zero RoIs: the masks of two persons depend on how many slots there are."""
    preset = presets.load("tiny", "vip")
    sizes = replace(preset.heads, mask_norm="batch")
    torch.manual_seed(0)
    head = ParsingRCNN(4, 20, sizes, preset.targets).eval()
    trunk = torch.rand(4, 24, 40, generator=rng())
    boxes = torch.tensor([[4.0, 4, 60, 40], [20, 60, 90, 100]])
    with torch.inference_mode():
        (found,) = head.person_masks(trunk[None], [boxes])
        nothing = torch.tensor([[500.0, 500, 510, 510]]).expand(sizes.detections - 2, 4)
        expected = head.person_masks(trunk[None], [torch.cat([boxes, nothing])])[0][:2]
        # An image's statistics are its own, and without persons there are none.
        none, same = head.person_masks(trunk.expand(2, -1, -1, -1), [boxes[:0], boxes])
        assert none.shape == (0, 28, 28)
        assert torch.equal(same, found)
    torch.testing.assert_close(found, expected)


def test_a_new_frozen_norm_is_frozen() -> None:
    """Before anything is said of training: mean zero, variance one."""
    norm, x = BatchNorm(3, "frozen"), 5 + 2 * torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(norm(x), x / (1 + 1e-3) ** 0.5)
    assert not norm.running_mean.any()
    assert BatchNorm(3).training


def tree(preset: str, task: str) -> dict[str, str]:
    """Module path with layer numbers left out -> kind: what must not differ between presets."""
    with torch.device("meta"):
        model = AtenNet(presets.load(preset, task))
    return {re.sub(r"\.(\d+)", ".#", name): type(m).__name__ for name, m in model.named_modules()}


@pytest.mark.parametrize("task", ["vip", "davis"])
def test_presets_have_the_same_module_tree(task: str) -> None:
    assert tree("tiny", task) == tree(f"paper-{task}", task)


@pytest.mark.parametrize(("task", "canvas", "classes"), [("vip", (512, 512), 20), ("davis", (512, 896), 2)])
def test_paper_preset_has_the_papers_shapes(task: str, canvas: tuple[int, int], classes: int) -> None:
    with torch.device("meta"):
        model = AtenNet(presets.load(f"paper-{task}", task))
        image = torch.empty(1, 3, *canvas)
        features = model.features(image)
        flow, scale = model.flow(image, image)
        encoded = model.gru([features, features, features])
        parsing = (model.head.parsing if task == "vip" else model.head)(encoded)  # type: ignore[union-attr, operator]
    grid = (canvas[0] // 4, canvas[1] // 4)
    assert features.shape == encoded.shape == scale.shape == (1, 256, *grid)
    assert flow.shape == (1, 2, *grid)
    assert parsing.shape == (1, classes, *canvas)
