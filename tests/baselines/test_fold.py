"""Networks rewritten for inference compute the same, with fewer modules."""

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.fold import fold  # noqa: E402
from vipbench.baselines.network import FrameNet  # noqa: E402
from vipbench.baselines.nn.heads import Atrous, AtrousByTaps  # noqa: E402
from vipbench.baselines.nn.norm import BatchNorm  # noqa: E402
from vipbench.baselines.nn.precision import lower  # noqa: E402
from vipbench.baselines.nn.refine import Refinement  # noqa: E402


def drawn(module: nn.Module) -> nn.Module:
    """Its norms with statistics, scales and shifts that show."""
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values, low, high in (
                (norm.running_mean, -1, 1),
                (norm.running_var, 0.5, 2),
                (norm.weight.data, 0.5, 2),
                (norm.bias.data, -1, 1),
            ):
                values.uniform_(low, high)  # type: ignore[union-attr]
    return module.eval()


@torch.no_grad()
@pytest.mark.parametrize("preset", ["tiny", "tiny-released"])
def test_a_folded_network_computes_the_same(preset: str) -> None:
    net = drawn(FrameNet(presets.load(preset, "vip"))).double()
    image, rois = torch.randn(1, 3, 64, 64).double() * 40, torch.randn(3, 32, 14, 14).double()
    rois = torch.randn(3, net.preset.features.channels, 14, 14).double()
    before = net.features(image), net.head.mask(rois), net.head.parsing(net.features(image))
    fold(net)
    after = net.features(image), net.head.mask(rois), net.head.parsing(net.features(image))
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    left = [norm for norm in net.modules() if isinstance(norm, BatchNorm)]
    assert {norm.statistics for norm in left} == ({"batch"} if "released" in preset else set())
    assert sum(isinstance(m, AtrousByTaps) for m in net.modules()) == 1


@torch.no_grad()
def test_a_folded_refinement_corrects_the_same() -> None:
    torch.manual_seed(0)
    net = Refinement(8).double()
    nn.init.normal_(net.correct.weight)  # type: ignore[arg-type]
    flow, *images = torch.randn(2, 2, 16, 24), torch.randn(2, 3, 32, 48), torch.randn(2, 3, 32, 48)
    images = [image.double() * 40 for image in images]
    before = net(flow.double(), *images)
    fold(net)
    assert isinstance(net.correct, AtrousByTaps)
    torch.testing.assert_close(net(flow.double(), *images), before)


@torch.no_grad()
@pytest.mark.parametrize("rates", [(1,), (1, 3, 6), (6, 12, 18)])
def test_taps_are_the_sum_of_the_convolutions(rates: tuple[int, ...]) -> None:
    """Also where a rate reaches beyond the map."""
    torch.manual_seed(0)
    convs = Atrous(nn.Conv2d(5, 3, 3, padding=r, dilation=r) for r in rates).double()
    x = torch.randn(2, 5, 7, 11).double()
    torch.testing.assert_close(AtrousByTaps(list(convs)).double()(x), convs(x))  # type: ignore[arg-type]


@torch.no_grad()
@pytest.mark.parametrize("bias", [True, False])
def test_taps_of_one_convolution_are_the_convolution(bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 2, 3, padding=1, bias=bias).double()
    x = torch.randn(3, 5, 7, 11).double()
    torch.testing.assert_close(AtrousByTaps([conv]).double()(x), conv(x))


@torch.no_grad()
def test_taps_in_bfloat16_are_summed_in_single_precision() -> None:
    torch.manual_seed(0)
    taps = AtrousByTaps([nn.Conv2d(5, 3, 3, padding=r, dilation=r) for r in (1, 3)])
    lower(taps)
    x = torch.randn(2, 5, 7, 11).to(torch.bfloat16, memory_format=torch.channels_last)
    found, maps = taps(x), taps.taps(x.permute(0, 2, 3, 1)).double().view(2, 77, 2, 9, 3)
    sums = [
        F.fold(m.permute(0, 3, 2, 1).flatten(1, 2), (7, 11), 3, r, r)
        for m, r in zip(maps.unbind(2), (1, 3), strict=True)
    ]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), sum(sums) + taps.bias, rtol=1e-6, atol=1e-6)
