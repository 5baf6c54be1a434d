"""Layers with their weights packed compute the same, of any batch and size, and are counted the same."""

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from torch import nn  # noqa: E402

from vipbench.baselines import presets  # noqa: E402
from vipbench.baselines.costs import modules  # noqa: E402
from vipbench.baselines.engine import GuidedEngine  # noqa: E402
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


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of `tiny` count as large."""
    monkeypatch.setattr("vipbench.baselines.pack.LARGE", 0)


def net() -> GuidedNet:
    torch.manual_seed(0)
    made = GuidedNet(presets.load("tiny", "davis"), flow_input="quarter", refine=True).eval()
    assert made.refine
    for layer in (made.flow.scale, made.flow.predict[-1], made.refine.correct, made.refine.scale):
        nn.init.normal_(layer.weight, 0, 0.5)  # type: ignore[arg-type]
    return made


def packed_layers(of: nn.Module) -> list[Packed]:
    return [module for module in of.modules() if isinstance(module, Packed)]


@torch.no_grad()
@pytest.mark.parametrize("large", [0, 1 << 17], ids=["arranged", "as they are"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_packed_layer_is_the_layer_and_its_relu(
    layer: str, dtype: Any, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vipbench.baselines.pack.LARGE", large)
    torch.manual_seed(0)
    both = nn.Sequential(LAYERS[layer](), nn.LeakyReLU(0.1, inplace=True)).to(dtype)
    if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN does not compute in bfloat16 on this processor")
    packed = Packed(*deepcopy(both))
    assert packed.weight.dtype == dtype
    for size in ((1, 6, 9, 13), (5, 6, 8, 8), (2, 6, 1, 3)):
        x = torch.randn(size).to(dtype)
        found = packed(x)
        assert found.is_contiguous(memory_format=torch.channels_last)
        close = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2e-2}
        torch.testing.assert_close(found, both(x), **close)


@torch.no_grad()
@pytest.mark.parametrize("low", [False, True])
def test_a_packed_network_gives_the_same_fields(low: bool, all_large: None) -> None:
    plain, packed = net(), net()
    if low:
        lower(plain)
        lower(packed)
    pack(packed)
    known = not low or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    layers = 10 + 4 + 4  # convolutions of FlowNet-S, transposed ones, the refinement's
    assert len(packed_layers(packed)) == (layers if known else 0)
    images = torch.rand(2, 3, 3, 128, 192, generator=torch.Generator().manual_seed(0)) * 255 - 120
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        found, expected = packed.field(*images), plain.field(*images)
    close = {"rtol": 5e-2, "atol": 5e-2} if low else {"rtol": 1e-4, "atol": 1e-4}
    for one, other in zip(found, expected, strict=True):
        assert other.std() > 0.1
        torch.testing.assert_close(one, other, **close)


def test_it_is_counted_as_before(all_large: None) -> None:
    packed = net()
    pack(packed)
    assert packed_layers(packed)
    assert modules(packed) == modules(net())


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_engine_packs_weights_in_its_precision(precision: Any, dtype: Any, all_large: None) -> None:
    if precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN does not compute in bfloat16 on this processor")
    there = packed_layers(GuidedEngine(net(), "cpu", precision).net)
    assert {layer.weight.dtype for layer in there} == {dtype}
    assert not packed_layers(GuidedEngine(net(), "cpu", "exact").net)


def test_other_types_and_other_devices_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.zeros(5, 6, 1, 1)
    assert packable(weight)
    assert not any(map(packable, (weight.double(), weight.half(), weight.to("meta"))))
    monkeypatch.setattr("vipbench.baselines.pack.ONEDNN.is_available", lambda: False)
    assert not packable(weight)
    tiny = net()
    pack(tiny)
    assert not packed_layers(tiny)


def test_few_weights_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = nn.Conv2d(8, 16, 3, padding=1)
    monkeypatch.setattr("vipbench.baselines.pack.LARGE", conv.weight.numel())
    assert Packed(deepcopy(conv), nn.LeakyReLU(0.1)).weight.is_mkldnn
    monkeypatch.setattr("vipbench.baselines.pack.LARGE", conv.weight.numel() + 1)
    assert torch.equal(Packed(deepcopy(conv), nn.LeakyReLU(0.1)).weight, conv.weight)


def test_bfloat16_is_packed_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_it in (False, True):
        fake = SimpleNamespace(
            _is_mkldnn_bf16_supported=lambda has_it=has_it: has_it, _convolution_transpose_pointwise=None
        )
        monkeypatch.setattr("vipbench.baselines.pack.OPERATORS", fake)
        assert packable(torch.zeros(512, 256, 1, 1).bfloat16()) == has_it
    monkeypatch.setattr("vipbench.baselines.pack.OPERATORS", SimpleNamespace())
    assert not packable(torch.zeros(512, 256, 1, 1))
