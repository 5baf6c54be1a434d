"""The warp on CUDA, fused with the scale in Triton; NCHW and channels-last, each in its own format."""

from typing import Any

import torch
from torch import Tensor

from vipbench.baselines.nn.warp import taps
from vipbench.baselines.nn.warp.op import operator
from vipbench.baselines.nn.warp.taps import BORDERS


def fused(features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str) -> Tensor:
    """The output is in the features' memory format."""
    from vipbench.baselines.nn.warp.kernels import forward

    kind, (n, _, height, width), c = layout(features), flow.shape, features.shape[1]
    features, scale = _dense(features, kind), None if scale is None else _dense(scale, kind)
    out = torch.empty((n, c, height, width), dtype=features.dtype, device=features.device, memory_format=kind)
    tile = tiles(kind, c)
    blocks = (_parts(height * width, tile["PIXELS"]), _parts(c, tile["CHANNELS"]), n)
    if out.numel():
        inputs = _inputs(features, flow, scale, keys)
        with torch.cuda.device_of(features):  # type: ignore[no-untyped-call]
            forward[blocks](out, *inputs, c, height, width, **_options(kind, border, scale, keys), **tile)
    return out


def gradients(
    grad: Tensor, features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Of features, flow and scale (empty without one); that of features summed in no fixed order.

    With deterministic algorithms by the definition, whose index_add then sorts by destination.
    """
    if torch.are_deterministic_algorithms_enabled():
        *maps, of_scale = taps.gradients(grad, features, flow, scale, keys, border)
        first, second = (_dense(each, layout(features)) for each in maps)
        return first, second, of_scale if scale is None else _dense(of_scale, layout(features))
    from vipbench.baselines.nn.warp.kernels import backward

    kind, (n, _, height, width), c = layout(features), flow.shape, features.shape[1]
    maps = [_dense(each, kind) for each in (features, grad)]
    scale = None if scale is None else _dense(scale, kind)
    of_features = torch.zeros_like(maps[0], dtype=torch.float32)
    of_flow = torch.empty((n, 2, height, width), dtype=torch.float32, device=flow.device)
    of_scale = grad.new_empty(0) if scale is None else torch.empty_like(scale)
    tile = tiles(kind, c)
    if grad.numel():
        inputs = _inputs(maps[0], flow, scale, keys)
        sizes = (c, height, width)
        options = _options(kind, border, scale, keys)
        blocks = (_parts(height * width, tile["PIXELS"]), n)
        with torch.cuda.device_of(features):  # type: ignore[no-untyped-call]
            backward[blocks](of_features, of_flow, of_scale, maps[1], *inputs, *sizes, **options, **tile)
    return of_features.to(features.dtype), of_flow.contiguous(memory_format=kind), of_scale


def layout(features: Tensor) -> torch.memory_format:
    """Channels-last features stay so; all others are NCHW."""
    if features.is_contiguous() or not features.is_contiguous(memory_format=torch.channels_last):
        return torch.contiguous_format
    return torch.channels_last


def tiles(kind: torch.memory_format, channels: int) -> dict[str, int]:
    """Pixels and channels of a program: 1,024 values, so that 4 warps load 16 bytes a thread of bfloat16."""
    if kind == torch.contiguous_format:
        return {"PIXELS": 128, "CHANNELS": 8}
    block = min(256, 1 << (channels - 1).bit_length())
    return {"PIXELS": 1024 // block, "CHANNELS": block}


def _options(
    kind: torch.memory_format, border: str, scale: Tensor | None, keys: Tensor | None
) -> dict[str, Any]:
    return {
        "BORDER": BORDERS.index(border),
        "LAST": kind == torch.channels_last,
        "SCALED": scale is not None,
        "KEYED": keys is not None,
    }


def _inputs(
    features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What is None is not read: any tensor will do for it."""
    return features, flow.contiguous(), features if scale is None else scale, flow if keys is None else keys


def _dense(maps: Tensor, kind: torch.memory_format) -> Tensor:
    return maps.contiguous(memory_format=kind)


def _parts(size: int, block: int) -> int:
    return -(-size // block)


warp_triton = operator("warp_triton", fused, gradients, layout)
