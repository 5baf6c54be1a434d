"""Multiply-adds of a method's modules on its own canvas, counted without running them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vipbench.baselines.network import FgfaNet, FrameNet, GuidedNet
from vipbench.baselines.network_aten import AtenNet
from vipbench.baselines.nn.counts import multiplies
from vipbench.baselines.nn.heads import ParsingRCNN
from vipbench.baselines.nn.refine import DETAIL, WIDTH
from vipbench.costs import Cost

PERSONS = 3  # VIP has 2.93 a frame (ATEN paper, section 3.1); each is a mask
TAPS = 5  # of the warp, by cell and channel: four neighbours and the scale


def cost(net: FrameNet, frames: int, p: int | None = None, **calls: int) -> Cost:
    """What `frames` frames in a row cost that call each module so often."""
    return Cost(modules(net), calls, frames, p)


def modules(net: FrameNet) -> dict[str, int]:
    """Multiply-adds of one call of each module that the network has, for one image or pair.

    heads: dense layers, the box head on every proposal, the mask head on PERSONS (on all slots where these
    are filled up, as released); exact but for that assumption. A temporal unit costs 0 if there is none.
    flow: with its refinement, but for the warp of three channels in it. warp: with what sharpens the scale.
    """
    size = (net.preset.input.height, net.preset.input.width)
    image, grid = _empty(3, size), _grid(net)
    found = {"features": _count(net.features, image), "heads": _heads(net.head, grid)}
    if isinstance(net, GuidedNet):
        small = _empty(3, tuple(n // net.divisor for n in size))
        found |= {"flow": _count(net.flow, small, small, net.scaled), "warp": TAPS * grid.numel()}
        if net.refine:
            fine = _empty(3, [n * DETAIL for n in grid.shape[2:]])
            found["flow"] += _count(net.refine, grid[:, :2], fine, fine)
            found["warp"] += _count(net.refine.scale, _empty(WIDTH, grid.shape[2:]))
        found["temporal"] = _step(net, grid)
    if isinstance(net, FgfaNet):
        found["embedding"] = _count(net.embedding, grid)
        moved = net.channels + net.embedding.conv3.out_channels  # features and embedding, without a scale
        found["warp"] = (TAPS - 1) * moved * grid[0, 0].numel()
    return found


def _grid(net: FrameNet) -> Tensor:
    size = (net.preset.input.height // 4, net.preset.input.width // 4)
    return _empty(net.preset.features.channels, size)


def _step(net: GuidedNet, grid: Tensor) -> int:
    """A step of the temporal unit, with the way to its maps and back."""
    if not isinstance(net, AtenNet) or not net.unit:
        return 0
    small = _empty(grid.shape[1], [n // net.pool for n in grid.shape[2:]])
    inside = _empty(net.inner, small.shape[2:])
    projections = _count(net.reduce, small) + _count(net.expand, inside)
    return projections + _count(net.get_submodule(net.unit), [inside])


def _heads(head: nn.Module, grid: Tensor) -> int:
    if not isinstance(head, ParsingRCNN):
        return _count(head, grid)
    dense = sum(_count(part, grid) for part in (head.parsing, head.rpn_trunk, head.roi_trunk, head.rpn))
    box = _count(head.box, _empty(grid.shape[1], (7, 7)))
    mask = _count(head.mask, _empty(grid.shape[1], (14, 14)))
    return dense + head.sizes.proposals * box + (head.slots or PERSONS) * mask


def _empty(channels: int, size: Sequence[int]) -> Tensor:
    return torch.empty(1, channels, *size, device="meta")


def _count(module: nn.Module, *inputs: Any) -> int:
    """multiplies of a module whose weights may lie anywhere: only their shapes are looked at."""
    named = chain(module.named_parameters(), module.named_buffers())
    shapes = {name: tensor.detach().to("meta", torch.float32) for name, tensor in named}
    return multiplies(functional_call, module, shapes, inputs)
