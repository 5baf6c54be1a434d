"""The flow-guided warp W of the ATEN paper (Eq. 2): backward bilinear sampling, with three border rules.

    aten    0 outside 0 <= x < W, 0 <= y < H; between W-1 and W (H-1 and H) the last column (row) repeats.
            The released CUDA op, forward and backward.
    zeros   a corner outside the map counts as 0, so that the edge fades over one cell. Deep Feature Flow and
            FGFA (MXNet's BilinearSampler).
    clamp   a position outside the map is moved to its edge (FlowNet 2's resample2d).

Within 0 <= x <= W-1, 0 <= y <= H-1 the three are equal. `taps` defines them; `BACKENDS` computes them.
"""

from importlib.util import find_spec

import torch
from torch import Tensor

from vipbench.baselines.nn.options import known
from vipbench.baselines.nn.warp.cpu import warp_cpu
from vipbench.baselines.nn.warp.cuda import warp_triton
from vipbench.baselines.nn.warp.grid import by_grid_sample
from vipbench.baselines.nn.warp.op import Warp
from vipbench.baselines.nn.warp.taps import BORDERS, reference
from vipbench.errors import UserError

BACKENDS: dict[str, Warp] = {
    "reference": reference,
    "grid_sample": by_grid_sample,
    "cpu": warp_cpu,
    "triton": warp_triton,
}
FUSED = {
    "cpu": (torch.float32, torch.float64, torch.float16, torch.bfloat16),
    "triton": (torch.float32, torch.float16, torch.bfloat16),
}
"""The types of features that a fused back end takes."""
TRITON = find_spec("triton") is not None


def warp(
    features: Tensor,
    flow: Tensor,
    scale: Tensor | None = None,
    border: str = "aten",
    backend: str = "auto",
    keys: Tensor | None = None,
) -> Tensor:
    """out(y, x) = features(y + v, x + u) * scale(y, x), bilinear; [N, C, H, W].

    features: float [N, C, H, W] of the reference frame. flow: float [N, 2, H, W], (u, v) in cells of this
    grid, from the target into the reference; positions are float32 at least. scale: [N, C, H, W], or None
    for 1. A flow that is not a number gives 0.
    keys: int64 [N], the n-th flow leads into features[keys[n]], of which there may be another number; they
    are not copied by the fused back ends. None: into features[n].
    backend: reference, the definition; grid_sample; cpu and triton (CUDA), fused with the scale. auto: with
    gradients grid_sample, which the weights are trained with; without, triton on CUDA, cpu for channels-last
    features on the CPU, else grid_sample.
    Raises UserError for an unknown border rule, and for a back end that cannot do it.
    """
    known("border rule of the warp", border, BORDERS)
    if known("back end of the warp", backend, ("auto", *BACKENDS)) == "auto":
        backend = _choice(features, flow, scale)
    if backend not in FUSED:
        return BACKENDS[backend](features, flow, scale, keys, border)
    if backend == "triton" and not TRITON:
        raise UserError("the warp's back end triton needs Triton, which is not installed; use backend='auto'")
    if features.dtype not in FUSED[backend]:
        there = ", ".join(str(kind).removeprefix("torch.") for kind in FUSED[backend])
        raise UserError(f"the warp's back end {backend} takes features of {there}, not {features.dtype}")
    return _fused(BACKENDS[backend], features, flow, scale, keys, border)


def _choice(features: Tensor, flow: Tensor, scale: Tensor | None) -> str:
    tensors = (features, flow) if scale is None else (features, flow, scale)
    if torch.is_grad_enabled() and any(each.requires_grad for each in tensors):
        return "grid_sample"
    if features.is_cuda and TRITON and features.dtype in FUSED["triton"]:
        return "triton"
    last = features.is_contiguous(memory_format=torch.channels_last) and not features.is_contiguous()
    return "cpu" if features.is_cpu and last else "grid_sample"


def _fused(
    op: Warp, features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
) -> Tensor:
    flow = flow.to(torch.promote_types(features.dtype, torch.float32))
    if scale is None or scale.dtype == features.dtype:
        return op(features, flow, scale, keys, border)
    return op(features, flow, None, keys, border) * scale
