"""Fused warps as operators of torch, which torch.compile and torch.export take as they are."""

# No "from __future__ import annotations": torch reads the annotations.
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Warp = Callable[[Tensor, Tensor, Tensor | None, Tensor | None, str], Tensor]
"""(features, flow, scale, keys, border) -> warped."""
Triple = tuple[Tensor, Tensor, Tensor]
Gradients = Callable[[Tensor, Tensor, Tensor, Tensor | None, Tensor | None, str], Triple]
"""(gradient of the output, and the same) -> those of features, flow and scale; the last empty without it."""
Layout = Callable[[Tensor], torch.memory_format]
"""Features -> the memory format of the output and of the gradients."""


def operator(name: str, warp: Warp, gradients: Gradients, layout: Layout) -> Warp:
    """The operator vipbench::NAME, as a function. Features, scale and output are of one type."""

    def forward(
        features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
    ) -> Tensor:
        return warp(features, flow, scale, keys, border)

    def backward(
        grad: Tensor, features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        return gradients(grad, features, flow, scale, keys, border)

    op = torch.library.custom_op(f"vipbench::{name}", forward, mutates_args=())
    back = torch.library.custom_op(f"vipbench::{name}_backward", backward, mutates_args=())

    def empty(like: Tensor, features: Tensor, n: int) -> Tensor:
        shape = (n, *like.shape[1:])
        return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout(features))

    @op.register_fake
    def shape(
        features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
    ) -> Tensor:
        return empty(features, features, flow.shape[0])

    @back.register_fake
    def shapes(
        grad: Tensor, features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
    ) -> Triple:
        of_features, of_flow = (empty(like, features, like.shape[0]) for like in (features, flow))
        of_scale = grad.new_empty(0) if scale is None else empty(scale, features, scale.shape[0])
        return of_features, of_flow, of_scale

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.border = inputs
        ctx.save_for_backward(*tensors)

    def differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        *found, of_scale = back(grad, *ctx.saved_tensors, ctx.border)
        return *found, None if ctx.saved_tensors[2] is None else of_scale, None, None

    op.register_autograd(differentiate, setup_context=keep)

    def call(
        features: Tensor, flow: Tensor, scale: Tensor | None, keys: Tensor | None, border: str
    ) -> Tensor:
        # An operator's first call imports torch's compiler, which takes a second or two.
        plain = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
        return (warp if plain else op)(features, flow, scale, keys, border)

    return call
