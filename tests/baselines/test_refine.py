"""What sharpens a coarse flow: by its definition, harmless untrained, and able to learn."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

import torch.nn.functional as F  # noqa: E402

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.network import GuidedNet, pooled  # noqa: E402
from vipbench.baselines.nn.refine import Refinement  # noqa: E402
from vipbench.baselines.nn.warp import warp  # noqa: E402

SIZES = presets.load("tiny", "davis")


def noise(*shape: int, seed: int = 0) -> Any:
    """Images [N, 3, H, W], mean subtracted."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 255 - 120


def nets(flow_input: str) -> tuple[GuidedNet, GuidedNet]:
    """One that refines its flow, and the same without."""
    torch.manual_seed(0)
    refined, plain = (GuidedNet(SIZES, flow_input=flow_input, refine=refine) for refine in (True, False))
    plain.load_state_dict({n: t for n, t in refined.state_dict().items() if not n.startswith("refine.")})
    return refined.eval(), plain.eval()


@torch.no_grad()
@pytest.mark.parametrize("flow_input", ["full", "half", "quarter"])
def test_it_corrects_flow_and_scale_by_images_of_half_the_size(flow_input: str) -> None:
    refined, plain = nets(flow_input)
    target, reference = noise(2, 3, 64, 96)[:, None]
    for net in (refined, plain):
        torch.nn.init.normal_(net.flow.scale.weight, 0, 0.1, generator=torch.Generator().manual_seed(0))
    (flow, scale), (coarse, plainly) = (net.field(target, reference) for net in (refined, plain))
    torch.testing.assert_close((flow, scale), (coarse, plainly))  # untrained
    layers = refined.get_submodule("refine")
    for layer in (layers.correct, layers.scale):
        torch.nn.init.normal_(layer.weight)  # type: ignore[arg-type]
    halves = [F.avg_pool2d(x, 2) for x in (target, reference)]
    along = 2 * F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    halves[1] = warp(halves[1], along, border="clamp", backend="reference")
    seen = [F.pixel_unshuffle(torch.cat(halves, 1), 2) / 255, coarse]
    found = layers.layers(torch.cat(seen, 1))  # type: ignore[operator]
    expected = (coarse + layers.correct(found), plainly + layers.scale(found))  # type: ignore[operator]
    assert min((new - old).abs().max() for new, old in zip(expected, (coarse, plainly), strict=True)) > 0.1
    torch.testing.assert_close(refined.field(target, reference), expected)


@torch.no_grad()
@pytest.mark.parametrize("flow_input", ["full", "quarter"])
def test_to_follow_fields_leaves_them_as_they_are(flow_input: str) -> None:
    net, _ = nets(flow_input)
    torch.nn.init.normal_(net.get_submodule("refine").scale.weight)  # type: ignore[arg-type, union-attr]
    along = net.between(*(net.shrunk(x) for x in noise(2, 3, 64, 96)[:, None]))
    features = noise(1, SIZES.features.channels, 16, 24)
    first, again = (net.follow(features, along) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_images_are_pooled_as_torch_does(n: int) -> None:
    for layout in (torch.contiguous_format, torch.channels_last):
        image = noise(2, 3, 16, 24).double().contiguous(memory_format=layout)
        torch.testing.assert_close(pooled(image, n), F.avg_pool2d(image, n))


def half_moving(seed: int) -> tuple[Any, Any, Any]:
    """Target and reference, of which the left or the right half has moved by a cell, and the exact flow."""
    reference = F.avg_pool2d(noise(4, 3, 32, 48, seed=seed), 3, 1, 1)
    exact = torch.zeros(4, 2, 16, 24)
    exact[:, 0, :, slice(12) if seed % 2 else slice(12, None)] = 1
    fine = 2 * F.interpolate(exact, scale_factor=2)
    return warp(reference, fine, border="clamp"), reference, exact


def test_it_learns_to_see_what_moves() -> None:
    """From a flow of half a cell everywhere, by the images: judged on others than it learns from."""
    torch.manual_seed(0)
    net = Refinement(1)
    coarse = torch.zeros(4, 2, 16, 24) + torch.tensor([0.5, 0])[:, None, None]

    def error(seed: int) -> Any:
        target, reference, exact = half_moving(seed)
        flow, _ = net(coarse, target, reference)
        return (flow - exact)[..., 2:-2, 2:-2].norm(dim=1).mean()

    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for step in range(160):
        optimizer.zero_grad()
        error(step).backward()
        optimizer.step()
    assert max(error(1000).item(), error(1001).item()) < 0.25  # 0.5 untrained
