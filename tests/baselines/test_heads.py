"""N_parse: detection and losses with heads whose answers are known."""

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.nn import heads, nms  # noqa: E402
from vipbench.baselines.nn.boxes import anchors as all_anchors  # noqa: E402
from vipbench.baselines.nn.heads import ParsingRCNN  # noqa: E402
from vipbench.baselines.nn.targets import Truth  # noqa: E402

SCALES, RATIOS = (24.0,), (1.0,)
WHOLE = (0.0, 0.0, 64.0, 64.0)


class Fixed(torch.nn.Module):
    """Returns what it was given, whatever the input."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Any) -> Any:
        return self.answer(x) if callable(self.answer) else self.answer


def head(*images: dict[int, float]) -> ParsingRCNN:
    """A head on a 16x16 grid (64x64 canvas) whose RPN and box head believe in the anchors at these cells."""
    preset = presets.load("tiny", "vip")
    sizes = replace(preset.heads, scales=SCALES, ratios=RATIOS, top_k=5, proposals=5, score=0.7)
    made = ParsingRCNN(4, 20, sizes, preset.targets).eval()
    logits = torch.full((len(images), 256, 2), 0.0)
    for image, person_cells in enumerate(images):
        for cell, confidence in person_cells.items():
            logits[image, cell, 1] = confidence
    made.rpn = Fixed((logits, torch.zeros(len(images), 256, 4)))  # type: ignore[assignment]
    made.box = Fixed(  # type: ignore[assignment]
        lambda rois: (
            torch.tensor([[0.0, 3.0 - i % (len(rois) // len(images))] for i in range(len(rois))]),
            torch.zeros(len(rois), 4),
        )
    )
    made.mask = Fixed(lambda rois: torch.full((len(rois), 2, 28, 28), 2.0))  # type: ignore[assignment]
    return made


def test_detections_are_the_anchors_that_both_stages_believe_in() -> None:
    cells = {8 * 16 + 4: 9.0, 8 * 16 + 12: 8.0, 8 * 16 + 5: 7.0}  # the third overlaps the first
    with torch.inference_mode():
        (found,), (probabilities,) = head(cells).detect(torch.rand(1, 4, 16, 16), [WHOLE])
    grid = all_anchors(16, 16, SCALES, RATIOS)
    torch.testing.assert_close(found.boxes[:2], grid[[8 * 16 + 4, 8 * 16 + 12]])
    torch.testing.assert_close(found.scores[:2], torch.tensor([3.0, 2.0]).sigmoid())
    assert (found.scores >= 0.7).all()
    assert torch.allclose(found.masks, torch.tensor(2.0).sigmoid())
    assert found.masks.shape[1:] == (28, 28)
    torch.testing.assert_close(probabilities.sum(0), torch.ones(64, 64))
    overlaps = [tuple(b.tolist()) for b in found.boxes]
    assert tuple(grid[8 * 16 + 5].tolist()) not in overlaps  # IoU .71 > .7: the RPN's own suppression


def test_detections_are_clipped_to_the_window() -> None:
    with torch.inference_mode():
        found, _ = head({0: 9.0}, {0: 9.0}).detect(torch.rand(2, 4, 16, 16), [(6.0, 0.0, 58.0, 64.0), WHOLE])
    assert found[0].boxes[0].tolist() == [6.0, 0.0, 12.0, 12.0]
    assert found[1].boxes[0].tolist() == [0.0, 0.0, 12.0, 12.0]


def drawn_head(norm: str) -> ParsingRCNN:
    """Random weights that find persons."""
    preset = presets.load("tiny", "vip")
    torch.manual_seed(2)
    made = ParsingRCNN(4, 20, replace(preset.heads, mask_norm=norm), preset.targets).eval()
    with torch.no_grad():
        for weights in made.parameters():
            weights.mul_(2)
        made.box.score.weight.mul_(30)
        made.box.score.bias.zero_()
    return made


@pytest.fixture(params=["_by_blocks", "_by_rounds"])
def suppression(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the CPU, and as on a device, with slots for proposals and persons that are not there."""
    monkeypatch.setattr(nms, "_by_blocks", getattr(nms, request.param))


@pytest.mark.parametrize("norm", ["live", "batch"])
@pytest.mark.parametrize("rounds", [1, 24])
@pytest.mark.usefixtures("suppression")
def test_a_batch_is_its_images_one_by_one(norm: str, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one round of suppression does not suffice."""
    made, features = drawn_head(norm), torch.randn(3, 4, 20, 24, generator=torch.Generator().manual_seed(1))
    features[::2] *= 3  # so that somebody is there, and nobody in the second image
    windows = [WHOLE, (0.0, 0.0, 80.0, 96.0), (8.0, 0.0, 70.0, 90.0)]
    with torch.inference_mode():
        alone = [made.detect(f[None], [w]) for f, w in zip(features, windows, strict=True)]
        monkeypatch.setattr(heads, "ROUNDS", rounds)
        found, probabilities = made.detect(features, windows)
    assert [len(each.boxes) for each in found] == [len(each.boxes) for (each,), _ in alone]
    assert len(found[0].boxes) > 1 > len(found[1].boxes)
    for one, ((other,), expected), maps in zip(found, alone, probabilities, strict=True):
        torch.testing.assert_close(vars(one), vars(other), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(maps, expected[0], atol=1e-5, rtol=0)


def test_under_autocast_scores_boxes_masks_and_classes_are_in_single_precision() -> None:
    made, inputs = drawn_head("live"), torch.randn(2, 4, 20, 24, generator=torch.Generator().manual_seed(1))
    seen: dict[str, Any] = {}
    for name in ("rpn", "box", "mask", "parsing"):
        made.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found, probabilities = made.detect(inputs, [WHOLE, WHOLE])
    assert seen["mask"].dtype == torch.bfloat16
    for tensor in (*seen["rpn"], *seen["box"], seen["parsing"], probabilities, *vars(found[0]).values()):
        assert tensor.dtype == torch.float32
    assert (seen["parsing"].bfloat16() != seen["parsing"]).any()  # nor were they rounded
    assert (seen["rpn"][0].bfloat16() != seen["rpn"][0]).any()


def test_losses_of_perfect_and_of_uniform_answers() -> None:
    """RPN: uniform logits cost log 2, boxes smooth L1; parsing: the class's own logit wins."""
    made = head({}).train()
    box = all_anchors(16, 16, SCALES, RATIOS)[8 * 16 + 8]
    masks = torch.zeros(1, 64, 64)
    y1, x1, y2, x2 = (int(c) for c in box)
    masks[0, y1:y2, x1:x2] = 1
    category = torch.full((64, 64), 3)
    category[:8] = 255  # ignored
    truth = Truth(category, masks, box[None])
    logits = torch.zeros(1, 20, 64, 64)
    logits[:, 3] = 20.0
    made.parsing = Fixed(logits)  # type: ignore[assignment]
    terms = made.losses(torch.rand(1, 4, 16, 16), [truth], [torch.Generator().manual_seed(0)])
    assert terms["rpn_class"].item() == pytest.approx(0.6931, abs=1e-4)
    # Positive: the anchor itself and its four neighbours 4 pixels off (IoU .71), dy or dx = 4 / 24 / .1.
    assert terms["rpn_box"].item() == pytest.approx(4 * (4 / 24 / 0.1 - 0.5) / (5 * 4))
    assert terms["parsing"].item() < 1e-6
    assert set(terms) == {"parsing", "rpn_class", "rpn_box", "class", "box", "mask"}


def test_training_looks_at_more_proposals_than_inference() -> None:
    made = head(dict.fromkeys(range(0, 256, 17), 5.0))
    made.sizes = replace(made.sizes, top_k=2, train_top_k=16, proposals=1, train_proposals=9)
    grid = all_anchors(16, 16, SCALES, RATIOS)
    logits, deltas = made.rpn(None)
    assert len(made.eval().proposals(logits[0], deltas[0], grid, (64, 64))) == 1
    assert len(made.train().proposals(logits[0], deltas[0], grid, (64, 64))) == 9
