"""Eq. 7 of the ATEN paper: the six terms over a batch against their definitions in float64."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.nn.heads import ParsingRCNN  # noqa: E402
from vipbench.baselines.nn.roi import roi_align  # noqa: E402
from vipbench.baselines.nn.targets import Truth, anchor_targets, roi_targets  # noqa: E402

CANVAS = 64


def cross_entropy(logits: Any, labels: Any) -> float:
    """Mean of -log softmax at the label; logits [N, classes]."""
    shifted = logits - logits.max(1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(-np.mean([row[label] for row, label in zip(log_softmax, labels, strict=True)]))


def smooth_l1(found: Any, wanted: Any) -> float:
    """Mean over the four coordinates of all positives, beta 1."""
    off = np.abs(found - wanted)
    return float(np.where(off < 1, off**2 / 2, off - 0.5).mean())


def truth(box: tuple[int, int, int, int], category: int) -> Truth:
    y1, x1, y2, x2 = box
    masks = torch.zeros(1, CANVAS, CANVAS, dtype=torch.float64)
    masks[0, y1:y2, x1:x2] = 1
    layer = (masks[0] * category).long()
    layer[:4] = 255  # ignored
    return Truth(layer, masks, torch.tensor([box], dtype=torch.float64))


@pytest.fixture(name="head")
def made() -> Any:
    torch.manual_seed(0)
    preset = presets.load("tiny", "vip")
    sizes = replace(preset.heads, train_top_k=2000, train_proposals=300)
    head = ParsingRCNN(4, 20, sizes, replace(preset.targets, rois=64)).double().train()
    head.mask.norms.eval()  # or an image's masks depend on the other's
    for module in (head.rpn.score, head.rpn.delta, head.box.score, head.box.delta):
        torch.nn.init.normal_(module.weight, std=0.02)
    return head


def test_each_term_is_its_definition(head: Any) -> None:
    features = torch.rand(2, 4, CANVAS // 4, CANVAS // 4, dtype=torch.float64)
    truths = [truth((8, 12, 40, 36), 5), truth((20, 4, 60, 30), 13)]
    terms = head.losses(features, truths, draws(3, 4))
    with torch.no_grad():
        images = [
            by_definition(head, features[i : i + 1], [one], draw)
            for i, (one, draw) in enumerate(zip(truths, draws(3, 4), strict=True))
        ]
    expected = {name: (images[0][name] + images[1][name]) / 2 for name in images[0]}
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected, rel=1e-9)


def draws(*seeds: int) -> list[Any]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def by_definition(head: Any, features: Any, truths: Any, generator: Any) -> dict[str, float]:
    """The same samples, drawn in the same order, in NumPy; the heads themselves are taken as given."""
    anchors, parsing = head.anchors(features), head.parsing(features).permute(0, 2, 3, 1).numpy()
    scores, moves = head.rpn(head.rpn_trunk(features))
    trunk = head.roi_trunk(features)
    rpn_logits, rpn_labels, rpn_found, rpn_wanted, rois = [], [], [], [], []
    rule, std = head.targets, head.sizes.box_std
    for i, one in enumerate(truths):
        chosen, labels, wanted = anchor_targets(anchors, one.boxes, rule, std, generator)
        rpn_logits += scores[i, chosen].tolist()
        rpn_labels += labels.tolist()
        rpn_found += moves[i, chosen][labels == 1].tolist()
        rpn_wanted += wanted.tolist()
        boxes = head.proposals(scores[i], moves[i], anchors, (CANVAS, CANVAS))
        rois.append(roi_targets(boxes, one, rule, std, generator))
    categories = np.stack([one.category.numpy() for one in truths])
    counted = categories != 255
    logits, deltas = head.box(
        torch.cat([roi_align(t, r.boxes, 7, 0.25) for t, r in zip(trunk, rois, strict=True)])
    )
    labels = np.concatenate([r.labels.numpy() for r in rois])
    assert labels.sum() >= 1  # some positive RoIs, or the terms are trivial
    positives = [roi_align(t, r.boxes[r.labels == 1], 14, 0.25) for t, r in zip(trunk, rois, strict=True)]
    mask = 1 / (1 + np.exp(-head.mask(torch.cat(positives)).numpy()[:, 1]))
    target = np.concatenate([r.masks.numpy() for r in rois])
    return {
        "parsing": cross_entropy(parsing[counted], categories[counted]),
        "rpn_class": cross_entropy(np.array(rpn_logits), rpn_labels),
        "rpn_box": smooth_l1(np.array(rpn_found), np.array(rpn_wanted)),
        "class": cross_entropy(logits.numpy(), labels),
        "box": smooth_l1(deltas.numpy()[labels == 1], np.concatenate([r.deltas.numpy() for r in rois])),
        "mask": float(-(target * np.log(mask) + (1 - target) * np.log(1 - mask)).mean()),
    }


def test_every_trained_part_learns_from_the_sum(head: Any) -> None:
    """The sum with weight one of each: all parameters but unused ones get a gradient."""
    features = torch.rand(2, 4, CANVAS // 4, CANVAS // 4, dtype=torch.float64)
    truths = [truth((8, 12, 40, 36), 5), truth((20, 4, 60, 30), 13)]
    terms = head.losses(features, truths, draws(3, 4))
    torch.stack(list(terms.values())).sum().backward()
    assert [name for name, p in head.named_parameters() if p.grad is None] == []
