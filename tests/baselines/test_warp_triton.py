"""The warp's Triton kernels without a GPU: interpreted, and compiled for an A100 and an H100."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")
pytest.importorskip("triton", reason="Triton is not installed: pip install triton==3.7.1")

HERE = Path(__file__).parent
BY_VALUE = {"C": "i32", "H": "i32", "W": "i32"}
MAPS = ("out", "features", "scale", "of_scale", "grad")


def test_interpreted_it_does_what_every_back_end_does() -> None:
    """The tests of the warp for `triton`; the variable counts only before Triton is imported."""
    files = [str(HERE / name) for name in ("test_nn_warp.py", "test_warp_op.py")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files, "-k", "triton"]
    env = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def compiled(name: str, capability: int, last: bool, kind: str) -> Any:
    import torch
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from vipbench.baselines.nn.warp import kernels
    from vipbench.baselines.nn.warp.cuda import tiles

    layout = torch.channels_last if last else torch.contiguous_format
    constants = {"BORDER": 0, "LAST": last, "SCALED": True, "KEYED": True, **tiles(layout, 256)}
    kernel = getattr(kernels, name)
    types = {each: f"*{kind if each in MAPS else 'fp32'}" for each in kernel.arg_names}
    signature = types | BY_VALUE | {"keys": "*i64"} | dict.fromkeys(constants, "constexpr")
    # As at a launch: whole multiples of 16 bytes, and of 16 numbers.
    even = {(i,): [["tt.divisibility", 16]] for i, each in enumerate(signature) if each not in constants}
    source = ASTSource(kernel, signature, constexprs=constants, attrs=even)
    return triton.compile(source, target=GPUTarget("cuda", capability, 32))


@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter is on")
@pytest.mark.parametrize("name", ["forward", "backward"])
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(("last", "kind"), [(True, "bf16"), (False, "fp32"), (True, "fp16")])
def test_compiles(
    name: str, capability: int, last: bool, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    ptx = compiled(name, capability, last, kind).asm["ptx"]
    assert f".target sm_{capability}" in ptx
    if last and name == "forward":  # features, scale and output move by 16 bytes
        assert ptx.count("ld.global.v4") >= 5
        assert ptx.count("st.global.v4") >= 1
