"""Layers with their weights packed compute the same, of any batch and size, and are counted the same."""

from copy import deepcopy
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from torch import nn  # noqa: E402

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.costs import modules  # noqa: E402
from vipbench.baselines.network import GuidedNet  # noqa: E402
from vipbench.baselines.nn.precision import lower  # noqa: E402
from vipbench.baselines.pack import Packed, pack, packable  # noqa: E402

if not torch.backends.mkldnn.is_available():
    pytest.skip("this build of torch has no oneDNN", allow_module_level=True)

LAYERS = {
    "3x3": lambda: nn.Conv2d(6, 16, 3, padding=1),
    "strided 7x7": lambda: nn.Conv2d(6, 16, 7, 2, padding=3),
    "dilated": lambda: nn.Conv2d(6, 16, 3, padding=2, dilation=2),
    "transposed": lambda: nn.ConvTranspose2d(6, 16, 4, 2, padding=1),
    "transposed, no bias": lambda: nn.ConvTranspose2d(6, 16, 4, 2, padding=1, bias=False),
}


def net() -> GuidedNet:
    torch.manual_seed(0)
    made = GuidedNet(presets.load("tiny", "davis"), flow_input="quarter", refine=True).eval()
    assert made.refine
    for layer in (made.flow.scale, made.flow.predict[-1], made.refine.correct, made.refine.scale):
        nn.init.normal_(layer.weight, 0, 0.5)  # type: ignore[arg-type]
    return made


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_packed_layer_is_the_layer_and_its_relu(layer: str, dtype: Any) -> None:
    torch.manual_seed(0)
    both = nn.Sequential(LAYERS[layer](), nn.LeakyReLU(0.1, inplace=True)).to(dtype)
    if not packable(both[0].weight):
        pytest.skip("oneDNN does not compute in bfloat16 on this processor")
    packed = Packed(*deepcopy(both))
    for size in ((1, 6, 9, 13), (5, 6, 8, 8), (2, 6, 1, 3)):
        x = torch.randn(size).to(dtype)
        found = packed(x)
        assert found.is_contiguous(memory_format=torch.channels_last)
        close = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
        torch.testing.assert_close(found, both(x), **close)


@torch.no_grad()
@pytest.mark.parametrize("low", [False, True])
def test_a_packed_network_gives_the_same_fields(low: bool) -> None:
    plain, packed = net(), net()
    if low:
        lower(plain)
        lower(packed)
    pack(packed)
    packed_layers = sum(isinstance(module, Packed) for module in packed.modules())
    there = 10 + 4 + 4  # convolutions of FlowNet-S, transposed ones, the refinement's
    assert packed_layers == (there if packable(next(plain.parameters())) else 0)
    images = torch.rand(2, 3, 3, 128, 192, generator=torch.Generator().manual_seed(0)) * 255 - 120
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        found, expected = packed.field(*images), plain.field(*images)
    close = {"rtol": 5e-2, "atol": 5e-2} if low else {"rtol": 1e-4, "atol": 1e-4}
    for one, other in zip(found, expected, strict=True):
        assert other.std() > 0.1
        torch.testing.assert_close(one, other, **close)


def test_it_is_counted_as_before() -> None:
    packed = net()
    pack(packed)
    assert modules(packed) == modules(net())


def test_elsewhere_nothing_is_packed() -> None:
    there = net().to("meta")
    pack(there)
    assert not any(isinstance(module, Packed) for module in there.modules())
