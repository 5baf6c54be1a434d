"""The warp on the CPU, of channels-last maps: four rows of channels summed for each cell, without copies.

The kernel is vipbench/native/warp.c; without a compiler, F.embedding_bag does the same in two more passes.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vipbench.baselines.nn.warp.op import operator
from vipbench.baselines.nn.warp.taps import BORDERS, gradients, taps
from vipbench.native import Kernels, native

TYPES = (torch.float32, torch.float64, torch.bfloat16)
FEWEST = 1 << 16  # elements for which a second thread pays
BANDS = 8  # of rows for each thread, so that none waits long for another


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
    rows = n * height
    threads = min(torch.get_num_threads(), rows) if out.numel() > FEWEST else 1
    bands = pairwise(_cuts(rows, threads))

    def work() -> None:
        for first, last in bands:  # whoever is free takes the next
            kernels.warp(*arrays, *sizes, first, last)

    # This thread works too: another may come late, when those of torch still spin after their last operator.
    others = [_pool(threads - 1, os.getpid()).submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        other.result()
    return out


def _cuts(rows: int, threads: int) -> list[int]:
    """Where to cut the rows into bands: several for each of many threads."""
    bands = min(BANDS * threads, rows) if threads > 1 else 1
    return [rows * i // bands for i in range(bands + 1)]


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    """One a process: the threads of a pool do not live on in a fork."""
    return ThreadPoolExecutor(threads, "warp")


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
