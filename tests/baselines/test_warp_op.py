"""The fused back ends of the warp as operators of torch, what `auto` takes, and half precision."""

import os
import subprocess
import sys
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from warp_backends import INTERPRETED  # noqa: E402

import vipbench.baselines.nn.warp as module  # noqa: E402
from vipbench.baselines.nn.warp import TRITON, cpu, warp  # noqa: E402
from vipbench.errors import UserError  # noqa: E402

LAST = torch.channels_last


def drawn(*shape: int, seed: int = 0, dtype: Any = None) -> Any:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def samples() -> list[tuple[Any, ...]]:
    features, flow, scale = drawn(2, 3, 5, 6), drawn(3, 2, 5, 6, seed=1), drawn(3, 3, 5, 6, seed=2)
    keys = torch.tensor([1, 0, 1])
    needing = (each.clone().requires_grad_() for each in (features, flow, scale))
    return [
        (features.contiguous(memory_format=LAST), flow[:2], None, None, "zeros"),
        (*needing, keys, "clamp"),
    ]


@pytest.mark.parametrize("sample", samples())
def test_an_operator_of_torch_as_torch_wants_them(sample: tuple[Any, ...]) -> None:
    torch.library.opcheck(torch.ops.vipbench.warp_cpu.default, sample)


@pytest.mark.skipif(not TRITON, reason="Triton is not installed")
@pytest.mark.skipif(not torch.cuda.is_available() and not INTERPRETED, reason="no CUDA device")
def test_triton_s_too() -> None:
    device = "cpu" if INTERPRETED else "cuda"
    moved = (each.detach().to(device) if isinstance(each, torch.Tensor) else each for each in samples()[1])
    torch.library.opcheck(torch.ops.vipbench.warp_triton.default, tuple(moved))


class Propagation(torch.nn.Module):
    def forward(self, features: Any, flow: Any, scale: Any) -> Any:
        return warp(features * 2, flow, scale, backend="cpu") + 1


def test_compiled_and_exported_without_a_break() -> None:
    args = drawn(1, 4, 5, 6), drawn(1, 2, 5, 6, seed=1), drawn(1, 4, 5, 6, seed=2)
    net = Propagation()
    expected = net(*args)
    # The backend aot_eager traces forward and backward as inductor does and needs no compiler.
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    leaves = [each.clone().requires_grad_() for each in args]
    assert torch.equal(compiled(*leaves), expected)
    found = torch.autograd.grad(compiled(*leaves).square().sum(), leaves)
    for one, other in zip(found, torch.autograd.grad(net(*leaves).square().sum(), leaves), strict=True):
        torch.testing.assert_close(one, other)
    program = torch.export.export(net, args)
    assert "vipbench.warp_cpu" in str(program.graph)
    assert torch.equal(program.module()(*args), expected)


def test_auto_is_grid_sample_in_training_and_for_nchw(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, and cpu for channels-last maps where nobody wants a gradient."""
    used = []
    for name, run in module.BACKENDS.items():
        monkeypatch.setitem(module.BACKENDS, name, lambda *a, n=name, r=run: (used.append(n), r(*a))[1])
    features, flow = drawn(1, 4, 5, 6), drawn(1, 2, 5, 6, seed=1)
    last = features.contiguous(memory_format=LAST)
    assert torch.equal(warp(features, flow), warp(features, flow, backend="grid_sample"))
    warp(last, flow)
    warp(last, flow.clone().requires_grad_())
    with torch.no_grad():
        warp(last, flow.clone().requires_grad_())
    assert used == ["grid_sample", "grid_sample", "cpu", "grid_sample", "cpu"]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype: Any, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions and weights are float32: the result is that of single precision, rounded."""
    if not native:
        monkeypatch.setattr(cpu, "native", None)
    features, scale = drawn(1, 9, 5, 300).to(dtype), drawn(1, 9, 5, 300, seed=2).to(dtype)
    flow = drawn(1, 2, 5, 300, seed=1)
    exact = warp(features.double(), flow.double(), backend="reference")
    found = warp(features, flow, backend="cpu")
    assert found.dtype == dtype
    bound = exact.abs() * torch.finfo(dtype).eps / 2 + 1e-4
    assert ((found.double() - exact).abs() <= bound).all()
    assert warp(features, flow, scale.float(), backend="cpu").dtype == torch.float32
    torch.testing.assert_close(
        warp(features, flow, scale, backend="cpu"), found * scale, rtol=0.02, atol=1e-3
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_bit(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, flow, scale = (
        drawn(2, 8, 33, 129),
        drawn(2, 2, 33, 129, seed=1) * 5,
        drawn(2, 8, 33, 129, seed=2),
    )
    expected = warp(features, flow, scale, backend="cpu")
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert torch.equal(warp(features, flow, scale, backend="cpu"), expected)
    assert expected.is_contiguous(memory_format=LAST)


@pytest.mark.skipif(cpu.native is None, reason="the kernels are not compiled here")
def test_the_kernel_needs_no_threads_of_torch() -> None:
    """Where nobody has loaded OpenMP, one thread does it all."""
    code = (
        "import ctypes, numpy as np\n"
        "assert not hasattr(ctypes.CDLL(None), 'GOMP_parallel')\n"
        "from vipbench.native import native\n"
        "features = np.arange(96, dtype=np.float32).reshape(1, 4, 8, 3)\n"
        "flow, out = np.zeros((1, 2, 4, 8), np.float32), np.empty_like(features)\n"
        "native.warp(features, flow, None, None, out, 4, 3, 4, 8, 0, 2)\n"
        "assert (out == features).all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(cpu.native is None, reason="the kernels are not compiled here")
@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads of a process of Linux")
def test_threads_share_the_rows() -> None:
    """They are made where the warp is the first that needs them."""
    code = (
        "import os, torch\n"
        "from vipbench.baselines.nn.warp import warp\n"
        "maps = torch.zeros(1, 64, 64, 64).to(memory_format=torch.channels_last)\n"
        "torch.set_num_threads(9)\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "warp(maps, torch.zeros(1, 2, 64, 64), backend='cpu')\n"
        "made = len(os.listdir('/proc/self/task')) - before\n"
        "assert made == 8, made\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.mark.skipif(cpu.native is None, reason="the kernels are not compiled here")
def test_the_kernel_takes_no_other_types() -> None:
    for itemsize in (0, 3, 16):
        with pytest.raises(ValueError, match="warp"):
            cpu.native.warp(b"", b"", None, None, bytearray(), itemsize, 3, 4, 8, 0, 1)  # type: ignore[union-attr]


@pytest.mark.skipif(cpu.native is None, reason="the kernels are not compiled here")
def test_the_kernel_reads_no_key_that_is_not_there() -> None:
    for keys in ([0, 2], [-1, 0], [0]):
        with pytest.raises(ValueError, match="warp"):
            warp(drawn(2, 3, 4, 5), drawn(2, 2, 4, 5), backend="cpu", keys=torch.tensor(keys))


def test_what_a_back_end_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    features, flow = torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2)
    with pytest.raises(UserError, match=r"'cuda'.*auto, reference, grid_sample, cpu, triton"):
        warp(features, flow, backend="cuda")
    monkeypatch.setattr(module, "TRITON", True)
    with pytest.raises(UserError, match=r"triton takes features of float32, float16, bfloat16.*float64"):
        warp(features.double(), flow, backend="triton")
    monkeypatch.setattr(module, "TRITON", False)
    with pytest.raises(UserError, match="not installed"):
        warp(features, flow, backend="triton")
