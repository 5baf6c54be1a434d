"""Mixed precision of FlowNet-S: its flows stay in single precision."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.network import GuidedNet  # noqa: E402
from vipbench.baselines.nn.flownet import FlowNetS  # noqa: E402
from vipbench.baselines.nn.precision import full, lower  # noqa: E402

SIZES = presets.load("tiny", "davis")


def images() -> Any:
    return torch.rand(2, 1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 255 - 120


@pytest.mark.parametrize("flow_input", ["full", "half", "quarter"])
@pytest.mark.parametrize("lowered", [False, True])
def test_flows_are_in_single_precision_under_autocast(flow_input: str, lowered: bool) -> None:
    net = GuidedNet(SIZES, flow_input=flow_input, refine=True).eval()
    exact: list[Any] = []
    for layer in (*net.flow.upsample, *net.flow.predict, net.refine.correct):  # type: ignore[union-attr, misc]
        layer.register_forward_hook(lambda module, inputs, output: exact.append(output.dtype))
    if lowered:
        lower(net)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert net.features(images()[0]).dtype == torch.bfloat16
        flows, _ = net.flow.pyramid(*images())
        flow, scale = net.field(*images())
        moved = net.propagate(net.features(images()[0]), *images())
    assert {f.dtype for f in [*flows, flow]} == {torch.float32}
    assert scale.dtype == moved.dtype == torch.bfloat16
    assert set(exact) == {torch.float32}
    assert moved.isfinite().all()


def test_without_autocast_nothing_changes() -> None:
    """A layer by itself, in single and double precision, and on the meta device."""
    for kind in (torch.float32, torch.float64):
        layer = torch.nn.Conv2d(3, 2, 3).to(kind)
        x = images()[0].to(kind)
        assert torch.equal(full(layer, x), layer(x))
    shape = FlowNetS(SIZES.flow, 8).to("meta")(*images().to("meta"))[0].shape
    assert shape == (1, 2, 16, 24)
