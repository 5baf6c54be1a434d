"""The warp on the CPU, of channels-last maps: four rows of channels summed for each cell, without copies.

The kernel is vipbench/native/warp.c; without a compiler, F.embedding_bag does the same in two more passes.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vipbench.baselines.nn.warp.op import operator
from vipbench.baselines.nn.warp.taps import BORDERS, gradients, taps
from vipbench.native import Kernels, native

TYPES = (torch.float32, torch.float64, torch.bfloat16)
FEWEST = 1 << 16  # elements for which a second thread pays


def fused(features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str) -> Tensor:
    """Maps in any memory format; those not channels-last are copied. The output is channels-last."""
    features, scale = _last(features), None if scale is None else _last(scale)
    if native and features.dtype in TYPES and features.numel():
        return _by_kernel(native, features, flow, scale, keys, border)
    return by_bags(features, flow, scale, keys, border)


def by_bags(features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str) -> Tensor:
    """Each output row a bag of four rows of the features, with their weights."""
    found = taps(flow, border)
    (n, _, height, width), c = flow.shape, features.shape[1]
    first = torch.arange(n) if keys is None else keys
    cells = found.cells(width) + (first * height * width)[:, None, None]
    weights = found.weights()
    # The weights would be rounded to the features' type.
    rows = features.permute(0, 2, 3, 1).reshape(-1, c).to(weights.dtype)
    bags, parts = (each.flatten(1).T.contiguous() for each in (cells, weights))
    warped = F.embedding_bag(bags, rows, mode="sum", per_sample_weights=parts).to(features.dtype)
    maps = warped.view(n, height, width, c).permute(0, 3, 1, 2)
    return maps if scale is None else maps.mul_(scale)


def _by_kernel(
    kernels: Kernels, features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
) -> Tensor:
    (n, _, height, width), c = flow.shape, features.shape[1]
    shape = (n, c, height, width)
    out = torch.empty(shape, dtype=features.dtype, memory_format=torch.channels_last)
    flow = flow.to(torch.promote_types(features.dtype, torch.float32)).contiguous()
    arrays = _array(features), _buffer(flow), _array(scale), _buffer(keys), _array(out)
    sizes = features.itemsize, c, height, width, BORDERS.index(border)
    threads = torch.get_num_threads() if out.numel() > FEWEST else 1
    kernels.warp(*arrays, *sizes, threads)
    return out


def _array(maps: Tensor | None) -> Any:
    """The memory of channels-last maps; NumPy has no bfloat16."""
    if maps is None:
        return None
    rows = maps.detach().permute(0, 2, 3, 1)
    return (rows.view(torch.int16) if rows.dtype == torch.bfloat16 else rows).numpy()


def _buffer(values: Tensor | None) -> Any:
    return None if values is None else values.detach().contiguous().numpy()


def _last(maps: Tensor) -> Tensor:
    return maps.contiguous(memory_format=torch.channels_last)


warp_cpu = operator("warp_cpu", fused, gradients, lambda features: torch.channels_last)
