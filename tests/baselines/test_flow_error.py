"""The end-point error of pairs that do not fill the canvas: over the photo, in training and at the gate."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_flow import rng  # noqa: E402

from vipbench.baselines.flow_data import Sample, placed  # noqa: E402
from vipbench.baselines.flow_gate import flow_gate  # noqa: E402
from vipbench.baselines.presets import Input  # noqa: E402
from vipbench.baselines.procedural import make_pair  # noqa: E402
from vipbench.baselines.recipes import flow_error, flow_terms  # noqa: E402

SPEC = Input(height=64, width=96, min_side=40, crop=(), mean=(123.7, 116.8, 103.9))


class Still(torch.nn.Module):
    """A network that sees 2 and -1 pixels of motion everywhere, at the five levels of FlowNet-S."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = torch.nn.Parameter(torch.tensor([2.0, -1.0]) / 20)

    def pyramid(self, target: Any, reference: Any) -> Any:
        n, _, h, w = target.shape
        levels = [self.flow[None, :, None, None].expand(n, 2, h // s, w // s) for s in (64, 32, 16, 8, 4)]
        return levels, target


class Three:
    """Pairs of 48x64: in the middle of the canvas, four fifths of whose pixels they are at most."""

    name = "three"
    made = tuple(make_pair(rng(i), 48, 64) for i in range(3))

    def rng(self, step: int, position: int) -> np.random.Generator:
        return rng(position)

    def pair(self, drawn: np.random.Generator) -> Sample:
        return placed(self.made[int(drawn.integers(3))], SPEC)


def by_hand() -> tuple[list[float], list[float]]:
    flows = [pair.flow.astype(float) for pair in Three.made]
    ours = [float(np.sqrt(((flow - [2, -1]) ** 2).sum(2)).mean()) for flow in flows]
    return ours, [float(np.sqrt((flow**2).sum(2)).mean()) for flow in flows]


def test_errors_of_a_training_are_over_the_photo() -> None:
    pairs = Three()
    rngs = [rng(i) for i in range(8)]
    drawn = [int(rng(i).integers(3)) for i in range(8)]
    terms = flow_error(Still(), pairs, rngs, "cpu")  # type: ignore[arg-type]
    ours, zero = (np.mean([errors[i] for i in drawn]) for errors in by_hand())
    assert terms["epe"].item() == pytest.approx(ours, rel=1e-5)
    assert terms["zero_epe"].item() == pytest.approx(zero, rel=1e-5)


def test_the_loss_takes_no_motion_beside_the_photo() -> None:
    net, pairs = Still(), Three()
    (term,) = flow_terms(net, pairs, [rng(0)], "cpu").values()  # type: ignore[arg-type]
    truth = pairs.pair(rng(0))[2].nan_to_num().double()
    total = 0.0
    for weight, size in zip((0.32, 0.16, 0.08, 0.04, 0.02), (4, 8, 16, 32, 64), strict=True):
        rows, columns = 64 // size, 96 // size
        if size == 64:  # 96 columns are one and a half cells, which overlap
            continue
        coarse = truth.reshape(2, rows, size, columns, size).mean((2, 4)) / 20
        far = coarse - torch.tensor([0.1, -0.05]).double()[:, None, None]
        total += weight * far.square().sum(0).sqrt().mean().item()
    last = torch.nn.functional.adaptive_avg_pool2d(truth, (1, 1))[:, 0, 0] / 20
    total += 0.02 * (last - torch.tensor([0.1, -0.05]).double()).norm().item()
    assert term.item() == pytest.approx(total, rel=1e-5)
    term.backward()
    assert net.flow.grad is not None
    assert net.flow.grad.isfinite().all()


def test_errors_at_the_gate_are_over_the_photo() -> None:
    found = flow_gate(Still(), [placed(pair, SPEC) for pair in Three.made], [])  # type: ignore[arg-type]
    ours, zero = by_hand()
    assert found.epe == pytest.approx(np.mean(ours), rel=1e-5)
    assert found.zero_epe == pytest.approx(np.mean(zero), rel=1e-5)
