"""Building blocks against independent formulations in float64, and the presets' shapes and counts."""

import re
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.network import AtenNet  # noqa: E402
from vipbench.baselines.nn import boxes as bx  # noqa: E402
from vipbench.baselines.nn.convrnn import ConvGRU  # noqa: E402
from vipbench.baselines.nn.deeplab import FeatureNet  # noqa: E402
from vipbench.baselines.nn.flownet import FlowNetS, flow_loss  # noqa: E402
from vipbench.baselines.nn.heads import upsample  # noqa: E402
from vipbench.baselines.nn.roi import roi_align  # noqa: E402
from vipbench.baselines.nn.targets import Truth, anchor_targets, roi_targets  # noqa: E402
from vipbench.baselines.nn.warp import warp  # noqa: E402


def rng(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


def warp_by_loop(features: Any, flow: Any) -> Any:
    """The released op in plain Python: 0 outside [0, W) x [0, H), right and lower neighbours clamped."""
    out = torch.zeros_like(features)
    n, _, height, width = features.shape
    for b, y, x in np.ndindex(n, height, width):
        px, py = x + flow[b, 0, y, x].item(), y + flow[b, 1, y, x].item()
        if not (0 <= px < width and 0 <= py < height):
            continue
        left, top = int(np.floor(px)), int(np.floor(py))
        right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
        a, c = px - left, py - top
        f = features[b]
        out[b, :, y, x] = (1 - c) * ((1 - a) * f[:, top, left] + a * f[:, top, right]) + c * (
            (1 - a) * f[:, bottom, left] + a * f[:, bottom, right]
        )
    return out


def test_warp_equals_the_released_rule_with_its_asymmetric_border() -> None:
    features = torch.randn(2, 3, 5, 7, generator=rng(), dtype=torch.float64)
    flow = torch.randn(2, 2, 5, 7, generator=rng(1), dtype=torch.float64) * 4
    flow[0, 0, 2, 6] = 0.5  # W-1 < x < W: the last column repeats
    flow[0, 0, 2, 0] = -0.5  # -1 < x < 0: zero
    flow[1, 0, 0, 0] = torch.nan
    torch.testing.assert_close(warp(features, flow), warp_by_loop(features, flow), atol=1e-12, rtol=0)


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (1, -2), (-2, 3)])
def test_warp_by_whole_cells_shifts_and_leaves_zeros(dy: int, dx: int) -> None:
    features = torch.rand(1, 2, 6, 8, generator=rng(), dtype=torch.float64) + 1
    flow = torch.tensor([dx, dy], dtype=torch.float64).reshape(1, 2, 1, 1).expand(1, 2, 6, 8)
    expected = torch.roll(features, (-dy, -dx), (2, 3))
    rows, columns = torch.arange(6)[:, None] + dy, torch.arange(8) + dx
    expected = expected * ((rows >= 0) & (rows < 6) & (columns >= 0) & (columns < 8))
    torch.testing.assert_close(warp(features, flow), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("size", [(1, 7), (5, 1), (1, 1)])
def test_warp_of_a_single_row_or_column(size: tuple[int, int]) -> None:
    features = torch.randn(1, 2, *size, generator=rng(), dtype=torch.float64)
    zero = torch.zeros(1, 2, *size, dtype=torch.float64)
    torch.testing.assert_close(warp(features, zero), features, atol=1e-12, rtol=0)


def test_warp_gradients() -> None:
    features = torch.randn(1, 2, 4, 5, generator=rng(), dtype=torch.float64, requires_grad=True)
    flow = (torch.rand(1, 2, 4, 5, generator=rng(1), dtype=torch.float64) * 0.6 + 0.2).requires_grad_()
    assert torch.autograd.gradcheck(warp, (features, flow))


def test_convgru_is_equation_5_written_out() -> None:
    gru = ConvGRU(3).double()
    maps = [torch.randn(1, 3, 4, 5, generator=rng(i), dtype=torch.float64) for i in range(3)]
    conv = torch.nn.functional.conv2d
    wz, wr, wc = gru.input.weight.chunk(3)
    bz, br, bc = gru.input.bias.chunk(3)  # type: ignore[union-attr]
    uz, ur = gru.gates.weight.chunk(2)
    h = (maps[0] + maps[1] + maps[2]) / 3
    for x in maps:
        z = 1 / (1 + torch.exp(-(conv(x, wz, bz, padding=1) + conv(h, uz, padding=1))))
        r = 1 / (1 + torch.exp(-(conv(x, wr, br, padding=1) + conv(h, ur, padding=1))))
        c = torch.tanh(conv(x, wc, bc, padding=1) + conv(r * h, gru.candidate.weight, padding=1))
        h = h - z * h + z * c
    torch.testing.assert_close(gru(maps), h, atol=1e-12, rtol=0)


def test_scale_field_starts_as_the_identity_and_its_bias_is_frozen() -> None:
    net = FlowNetS(presets.load("tiny", "vip").flow, 8)
    image = torch.randn(1, 3, 96, 160, generator=rng())
    _, scale = net(image, image)
    assert torch.equal(scale, torch.ones_like(scale))
    assert net.scale.bias is not None
    assert not net.scale.bias.requires_grad


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


def roi_by_loop(features: Any, box: Any, size: int) -> Any:
    """Mean of 2x2 bilinear samples a cell, 0 outside the map."""
    channels, height, width = features.shape
    out = torch.zeros(channels, size, size, dtype=features.dtype)
    y1, x1, y2, x2 = (box / 4 - 0.5).tolist()
    for i, j, a, b in np.ndindex(size, size, 2, 2):
        y = y1 + (2 * i + a + 0.5) / (2 * size) * (y2 - y1)
        x = x1 + (2 * j + b + 0.5) / (2 * size) * (x2 - x1)
        if not (0 <= y <= height - 1 and 0 <= x <= width - 1):
            continue
        top, left = int(y), int(x)
        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
        v, u = y - top, x - left
        value = (1 - v) * ((1 - u) * features[:, top, left] + u * features[:, top, right])
        value = value + v * ((1 - u) * features[:, bottom, left] + u * features[:, bottom, right])
        out[:, i, j] += value / 4
    return out


def test_roi_align_equals_a_loop_inside_and_beyond_the_map() -> None:
    features = torch.randn(3, 10, 12, generator=rng(), dtype=torch.float64)
    boxes = torch.tensor([[4.0, 6, 30, 41], [0, 0, 40, 48], [-9, 20, 21, 60]], dtype=torch.float64)
    found = roi_align(features, boxes, 7, 0.25)
    expected = torch.stack([roi_by_loop(features, box, 7) for box in boxes])
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
    assert roi_align(features, boxes[:0], 7, 0.25).shape == (0, 3, 7, 7)


def test_anchor_order_and_shape() -> None:
    found = bx.anchors(2, 3, (32, 64), (0.5, 1.0))
    assert found.shape == (2 * 3 * 4, 4)
    size = found[:, 2:] - found[:, :2]
    torch.testing.assert_close(size[0], torch.tensor([32 / 0.5**0.5, 32 * 0.5**0.5]))
    torch.testing.assert_close(size[:4].prod(1), torch.tensor([32.0, 64, 32, 64]) ** 2)
    centre = (found[:, 2:] + found[:, :2]) / 2
    torch.testing.assert_close(centre[::4], torch.tensor([[0.0, 0], [0, 4], [0, 8], [4, 0], [4, 4], [4, 8]]))


def test_box_coding_is_inverted_and_matches_a_hand_computed_case() -> None:
    reference = torch.tensor([[0.0, 0, 10, 20]])
    box = torch.tensor([[5.0, 0, 25, 20]])
    deltas = bx.encode(box, reference)
    torch.testing.assert_close(deltas, torch.tensor([[10.0, 0, float(np.log(2)) / 0.2, 0]]))
    torch.testing.assert_close(bx.decode(deltas, reference), box)


def test_nms_keeps_what_a_loop_keeps() -> None:
    corners = torch.rand(60, 2, generator=rng()) * 60
    boxes = torch.cat([corners, corners + 10 + torch.rand(60, 2, generator=rng(1)) * 30], 1)
    scores = torch.rand(60, generator=rng(2))
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if all(bx.iou(boxes[i : i + 1], boxes[k : k + 1]).item() <= 0.4 for k in kept):
            kept.append(i)
    assert bx.nms(boxes, scores, 0.4, 100).tolist() == kept
    assert bx.nms(boxes, scores, 0.4, 3).tolist() == kept[:3]
    assert bx.nms(boxes[:0], scores[:0], 0.4, 3).tolist() == []


def test_anchor_targets_force_the_best_anchor_of_each_person() -> None:
    anchors = bx.anchors(8, 8, (16,), (1.0,))
    person = torch.tensor([[3.0, 3, 13, 13]])  # no anchor reaches IoU .7 with it
    assert bx.iou(anchors, person).max() < 0.7
    chosen, labels, deltas = anchor_targets(anchors, person, 20, rng())
    assert labels.sum() == 1
    assert len(chosen) == 20
    torch.testing.assert_close(bx.decode(deltas, anchors[chosen[:1]]), person)
    assert (bx.iou(anchors[chosen[1:]], person) < 0.3).all()


def test_roi_targets_of_a_full_box_are_a_full_mask() -> None:
    masks = torch.zeros(1, 40, 40)
    masks[0, 8:32, 4:36] = 1
    truth = Truth(torch.zeros(40, 40, dtype=torch.long), masks, torch.tensor([[8.0, 4, 32, 36]]))
    proposals = torch.tensor([[8.0, 4, 32, 36], [0, 0, 6, 6], [30, 30, 39, 39], [8, 4, 20, 36]])
    found = roi_targets(proposals, truth, 12, rng())
    assert found.labels.tolist().count(1) == 2  # the box itself and its upper half (IoU .5)
    positive = [tuple(b.tolist()) for b in found.boxes[:2]]
    assert found.masks[positive.index((8.0, 4.0, 32.0, 36.0))].all()
    none = roi_targets(proposals, Truth(truth.category, masks[:0], truth.boxes[:0]), 12, rng())
    assert none.labels.sum() == 0
    assert none.masks.shape == (0, 28, 28)


def tree(preset: str, task: str) -> dict[str, str]:
    """Module path with layer numbers left out -> kind: what must not differ between presets."""
    with torch.device("meta"):
        model = AtenNet(presets.load(preset, task))
    return {re.sub(r"\.(\d+)", ".#", name): type(m).__name__ for name, m in model.named_modules()}


@pytest.mark.parametrize("task", ["vip", "davis"])
def test_presets_have_the_same_module_tree(task: str) -> None:
    assert tree("tiny", task) == tree("paper", task)


@pytest.mark.parametrize(("task", "canvas", "classes"), [("vip", (512, 512), 20), ("davis", (512, 896), 2)])
def test_paper_preset_has_the_papers_shapes(task: str, canvas: tuple[int, int], classes: int) -> None:
    with torch.device("meta"):
        model = AtenNet(presets.load("paper", task))
        image = torch.empty(1, 3, *canvas)
        features = model.features(image)
        flow, scale = model.flow(image, image)
        encoded = model.gru([features, features, features])
        parsing = (model.head.parsing if task == "vip" else model.head)(encoded)  # type: ignore[union-attr, operator]
    grid = (canvas[0] // 4, canvas[1] // 4)
    assert features.shape == encoded.shape == scale.shape == (1, 256, *grid)
    assert flow.shape == (1, 2, *grid)
    assert parsing.shape == (1, classes, *canvas)


def parameters(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())


def test_paper_preset_has_the_published_parameter_counts() -> None:
    """FlowNet-S: 38,676 k weights plus predict, deconv and upsample biases, plus the 194 -> 256 scale
    head; DeepLabV3+ with ResNet-50 and 101: res2 tap (256 -> 48), so 192 * 48 weights above the stem tap."""
    with torch.device("meta"):
        vip = AtenNet(presets.load("paper", "vip"))
        davis = FeatureNet(presets.load("paper", "davis").features)
    biases = 5 * 2 + 4 * 2 + (512 + 256 + 128 + 64)
    flow = parameters(vip.flow) - parameters(vip.flow.scale) - biases
    assert flow == pytest.approx(38.676e6, abs=500)
    assert parameters(vip.flow.scale) == 194 * 256 + 256
    assert parameters(vip.gru) == 6 * 256 * 256 * 9 + 3 * 256
    assert parameters(vip.features) / 1e6 == pytest.approx(40.3, abs=0.15)
    assert parameters(davis) / 1e6 == pytest.approx(59.3, abs=0.2)
