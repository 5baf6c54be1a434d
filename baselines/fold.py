"""A trained network rewritten for inference: the same up to rounding, with less work.

Batch norms with fixed statistics become part of the convolutions before them, and layers of few outputs on
large maps, the class logits and the correction of a flow, matrix products.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vipbench.baselines.nn.heads import Atrous, AtrousByTaps, AtrousClassifier
from vipbench.baselines.nn.mask import MaskHead
from vipbench.baselines.nn.norm import BatchNorm
from vipbench.baselines.nn.refine import Refinement

NAMES = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("conv1", "norm1"), ("conv2", "norm2"))
"""How the modules of `nn` call a convolution and its norm."""


def fold(net: nn.Module) -> None:
    """Rewrite a network in place. Norms that take the statistics of their batch stay."""
    for module in list(net.modules()):
        if isinstance(module, AtrousClassifier) and isinstance(module.atrous, Atrous):
            module.atrous = AtrousByTaps([conv for conv in module.atrous if isinstance(conv, nn.Conv2d)])
        if isinstance(module, Refinement) and isinstance(module.correct, nn.Conv2d):
            module.correct = AtrousByTaps([module.correct])
        for name, norm in _pairs(module):
            conv, after = module.get_submodule(name), module.get_submodule(norm)
            if isinstance(conv, nn.Conv2d) and isinstance(after, BatchNorm) and after.statistics != "batch":
                module.set_submodule(name, fuse_conv_bn_eval(conv, after))
                module.set_submodule(norm, nn.Identity())


def _pairs(module: nn.Module) -> Iterator[tuple[str, str]]:
    """The names of a module's convolutions and of the norms behind them."""
    there = dict(module.named_children())
    yield from (pair for pair in NAMES if there.keys() >= set(pair))
    if isinstance(module, nn.Sequential):
        yield from pairwise(there)
    if isinstance(module, MaskHead):
        yield from ((f"convs.{i}", f"norms.{i}") for i in range(len(module.convs)))
