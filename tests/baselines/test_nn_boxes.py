"""Anchors, box coding, RoIAlign and targets against plain Python in float64."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.nn import boxes as bx  # noqa: E402
from vipbench.baselines.nn.nms import nms  # noqa: E402
from vipbench.baselines.nn.roi import roi_align  # noqa: E402
from vipbench.baselines.nn.targets import Truth, anchor_targets, roi_targets  # noqa: E402

STD, TARGETS = (0.1, 0.1, 0.2, 0.2), presets.load("tiny", "vip").targets


def rng(seed: int = 0) -> Any:
    return torch.Generator().manual_seed(seed)


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


def random_boxes(count: int, seed: int = 0) -> Any:
    corners = torch.rand(count, 2, generator=rng(seed), dtype=torch.float64) * 60
    sides = 10 + torch.rand(count, 2, generator=rng(seed + 1), dtype=torch.float64) * 30
    return torch.cat([corners, corners + sides], 1)


def test_anchors_are_the_15_of_each_cell_written_out() -> None:
    """Ratio w / h before scale; the centre is the cell's first pixel."""
    scales, ratios = (32, 64, 128, 256, 384), (0.5, 0.75, 1.0)
    expected = []
    for row, column in np.ndindex(3, 4):
        for r in ratios:
            for s in scales:
                h, w = s / math.sqrt(r), s * math.sqrt(r)
                y, x = 4 * row, 4 * column
                expected.append([y - h / 2, x - w / 2, y + h / 2, x + w / 2])
    found = bx.anchors(3, 4, scales, ratios)
    assert found.shape == (3 * 4 * 15, 4)
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=0)
    with torch.device("meta"):
        assert len(bx.anchors(128, 128, scales, ratios)) == 245_760


def test_box_coding_written_out_and_inverted() -> None:
    boxes, references = random_boxes(50), random_boxes(50, 7)
    expected = []
    for (y1, x1, y2, x2), (a1, b1, a2, b2) in zip(boxes.tolist(), references.tolist(), strict=True):
        dy = ((y1 + y2) / 2 - (a1 + a2) / 2) / (a2 - a1) / 0.1
        dx = ((x1 + x2) / 2 - (b1 + b2) / 2) / (b2 - b1) / 0.1
        dh, dw = math.log((y2 - y1) / (a2 - a1)) / 0.2, math.log((x2 - x1) / (b2 - b1)) / 0.2
        expected.append([dy, dx, dh, dw])
    deltas = bx.encode(boxes, references, STD)
    torch.testing.assert_close(deltas, torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0)
    torch.testing.assert_close(bx.decode(deltas, references, STD), boxes, atol=1e-11, rtol=0)


def torchvision_ops() -> Any:
    """torchvision's operators, if they are built for this torch: importing them may fail in any way."""
    try:
        from torchvision import ops

        ops.nms(torch.zeros(2, 4), torch.zeros(2), 0.5)
    except Exception as error:  # a build for another torch raises RuntimeError
        pytest.skip(f"no torchvision operators: {error}")
    return ops


def test_nms_and_roi_align_equal_torchvisions() -> None:
    ops = torchvision_ops()
    boxes, scores = random_boxes(200).float(), torch.rand(200, generator=rng(2))
    turned = boxes[:, [1, 0, 3, 2]]  # x first there
    assert nms(boxes, scores, 0.5, 200).tolist() == ops.nms(turned, scores, 0.5).tolist()
    features = torch.randn(1, 3, 30, 30, generator=rng())
    expected = ops.roi_align(features, [turned[:20]], 7, 0.25, 2, aligned=True)
    inside = (boxes[:20] >= 2).all(1)  # beyond the map its samples are clamped
    found = roi_align(features[0], boxes[:20], 7, 0.25)
    torch.testing.assert_close(found[inside], expected[inside], atol=1e-4, rtol=0)


def test_boxes_are_cut_to_their_own_image_s_window() -> None:
    boxes = torch.tensor([[-3.0, 5, 20, 90], [30, -1, 70, 50]]).expand(2, 2, 4)
    windows = [(0.0, 0.0, 64.0, 64.0), (8.0, 2.0, 40.0, 60.0)]
    found = bx.clip(boxes, windows)
    assert found[0].tolist() == [[0, 5, 20, 64], [30, 0, 64, 50]]
    assert found[1].tolist() == [[8, 5, 20, 60], [30, 2, 40, 50]]
    assert torch.equal(bx.clip(boxes[0], windows[1]), found[1])


def test_anchor_targets_force_the_best_anchor_of_each_person() -> None:
    anchors = bx.anchors(8, 8, (16,), (1.0,))
    person = torch.tensor([[3.0, 3, 13, 13]])  # no anchor reaches IoU .7 with it
    assert bx.iou(anchors, person).max() < 0.7
    chosen, labels, deltas = anchor_targets(anchors, person, replace(TARGETS, anchors=20), STD, rng())
    assert labels.sum() == 1
    assert len(chosen) == 20
    torch.testing.assert_close(bx.decode(deltas, anchors[chosen[:1]], STD), person)
    assert (bx.iou(anchors[chosen[1:]], person) < 0.3).all()


def test_roi_targets_of_a_full_box_are_a_full_mask() -> None:
    masks = torch.zeros(1, 40, 40)
    masks[0, 8:32, 4:36] = 1
    truth = Truth(torch.zeros(40, 40, dtype=torch.long), masks, torch.tensor([[8.0, 4, 32, 36]]))
    proposals = torch.tensor([[8.0, 4, 32, 36], [0, 0, 6, 6], [30, 30, 39, 39], [8, 4, 20, 36]])
    rule = replace(TARGETS, rois=12)
    found = roi_targets(proposals, truth, rule, STD, rng())
    assert found.labels.tolist().count(1) == 2  # the box itself and its upper half (IoU .5)
    positive = [tuple(b.tolist()) for b in found.boxes[:2]]
    assert found.masks[positive.index((8.0, 4.0, 32.0, 36.0))].all()
    none = roi_targets(proposals, Truth(truth.category, masks[:0], truth.boxes[:0]), rule, STD, rng())
    assert none.labels.sum() == 0
    assert none.masks.shape == (0, 28, 28)
