"""A trained network rewritten for inference: the same up to rounding, with less work.

Batch norms with fixed statistics become part of the convolutions before them, and the class logits, few maps
of many channels, one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vipbench.baselines.nn.heads import Atrous, AtrousByTaps, AtrousClassifier
from vipbench.baselines.nn.norm import BatchNorm

NAMES = (("conv{}", "bn{}"), ("conv{}", "norm{}"))
"""How the modules of `nn` call a convolution and its norm."""


def fold(net: nn.Module) -> None:
    """Rewrite a network in place. Norms that take the statistics of their batch stay."""
    for module in list(net.modules()):
        if isinstance(module, AtrousClassifier) and isinstance(module.atrous, Atrous):
            module.atrous = AtrousByTaps(module.atrous)
        for owner, conv, of, norm in _pairs(module):
            before, after = owner.get_submodule(conv), of.get_submodule(norm)
            if isinstance(after, BatchNorm) and after.statistics != "batch":
                owner.add_module(conv, fuse_conv_bn_eval(before, after))
                of.add_module(norm, nn.Identity())


def _pairs(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module, str]]:
    """Convolutions and the norms behind them, each as its owner and its name there."""
    there = dict(module.named_children())
    if isinstance(module, nn.Sequential):
        for conv, norm in zip(there, list(there)[1:], strict=False):
            yield module, conv, module, norm
    for conv, norm in ((c.format(i), n.format(i)) for c, n in NAMES for i in (1, 2, 3)):
        if conv in there and norm in there:
            yield module, conv, module, norm
    if "convs" in there and "norms" in there:
        for name in dict(there["convs"].named_children()):
            yield there["convs"], name, there["norms"], name
