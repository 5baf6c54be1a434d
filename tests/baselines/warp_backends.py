"""The back ends of the warp that can run here, and how exact each is."""

import os
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from vipbench.baselines.nn.warp import TRITON, cpu, warp

NAMES = ("reference", "grid_sample", "cpu", "bags", "triton")
"""bags: `cpu` as it is without a compiler."""
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


@dataclass(frozen=True)
class Backend:
    """Call it as `warp`: the arguments are brought to its device and type, the result to the CPU."""

    name: str
    dtype: torch.dtype = torch.float64
    device: str = "cpu"

    def __call__(self, *tensors: Any, keys: Any = None, **options: Any) -> Any:
        moved = [
            each.to(self.device, self.dtype) if isinstance(each, torch.Tensor) else each for each in tensors
        ]
        keys = None if keys is None else keys.to(self.device)
        return warp(*moved, keys=keys, backend=self.name, **options).cpu()

    def close(self, found: Any, expected: Any) -> None:
        tolerance = 1e-12 if self.dtype == torch.float64 else 1e-4
        torch.testing.assert_close(found, expected.to(found.dtype), atol=tolerance, rtol=0)


def ready(name: str, patch: pytest.MonkeyPatch) -> Backend:
    if name == "triton":
        if not TRITON:
            pytest.skip("Triton is not installed")
        if not torch.cuda.is_available() and not INTERPRETED:
            pytest.skip("no CUDA device; test_warp_triton.py runs this with TRITON_INTERPRET=1")
        return Backend("triton", torch.float32, "cpu" if INTERPRETED else "cuda")
    if name == "bags":
        patch.setattr(cpu, "native", None)
    if name == "cpu" and cpu.native is None:
        pytest.skip("the kernels are not compiled here: install with a C compiler, without VIPBENCH_NATIVE=0")
    return Backend("cpu" if name == "bags" else name)
