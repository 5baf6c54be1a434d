"""Building blocks against independent formulations in float64, and the presets' shapes and counts."""

import re
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.network import AtenNet  # noqa: E402
from vipbench.baselines.nn import boxes as bx  # noqa: E402
from vipbench.baselines.nn.deeplab import FeatureNet  # noqa: E402
from vipbench.baselines.nn.flownet import FlowNetS, flow_loss  # noqa: E402
from vipbench.baselines.nn.heads import upsample  # noqa: E402
from vipbench.baselines.nn.roi import roi_align  # noqa: E402
from vipbench.baselines.nn.targets import Truth, anchor_targets, roi_targets  # noqa: E402


def rng(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


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
