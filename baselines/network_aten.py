"""ATEN's network: features that follow the flow, and temporal encoding of the key frames (Eq. 3 to 5).

As in the paper, or with its costs moved:

    carry       the state of the unit at the last key is warped to this key, one step a key, where the paper
                warps the features of p keys and runs p + 1 steps
    stride      of the unit's maps: at 8 a step costs a quarter
    width       of them: at half the channels a step costs a quarter

A unit on smaller maps R(x) than the features x corrects them: x + E(h - R(x)), h being its hidden map and E
the way back; with R(x) = x that is h, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.network import GuidedNet, resized
from vipbench.baselines.nn.convrnn import UNITS, State, Unit
from vipbench.baselines.nn.flownet import STRIDE
from vipbench.baselines.nn.options import known
from vipbench.baselines.nn.warp import warp
from vipbench.baselines.presets import Preset

WIDTHS = {"full": 1, "half": 2}


class AtenNet(GuidedNet):
    """GuidedNet with temporal encoding of the key frames.

    unit: gru, lstm or mean (nn.convrnn.UNITS), None for no encoding. align: the other keys' features are
    warped to the key first; without it is Table 3's "w/o flow-warping align". carry, stride (4 or 8), width
    (full or half): see above.
    """

    def __init__(
        self,
        preset: Preset,
        unit: str | None = "gru",
        align: bool = True,
        border: str = "aten",
        flow_input: str = "full",
        carry: bool = False,
        stride: int = STRIDE,
        width: str = "full",
        refine: bool = False,
    ) -> None:
        super().__init__(preset, border, flow_input, refine)
        self.align, self.unit, self.carry, self.pool = align, unit, carry, stride // STRIDE
        if not unit:
            return
        channels = preset.features.channels
        self.inner = inner = channels // WIDTHS[known("width of the temporal unit", width, WIDTHS)]
        # its weights carry its name, so that one unit's never pass for another's
        self.add_module(unit, UNITS[unit](inner, preset.encoding.gate))
        self.reduce, self.expand = _projections(channels, inner)

    def encode(self, image: Tensor, features: Tensor, others: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The key's features encoded from those of other keys, (image, features) each, nearest first."""
        if not self.unit:
            return features
        if self.carry:
            return self._encode_in_a_row(image, features, others)
        aligned = [
            self.propagate(theirs, image, other) if self.align else theirs
            for other, theirs in reversed(others)
        ]
        return self.encode_aligned(features, aligned)

    def encode_aligned(self, features: Tensor, aligned: Sequence[Tensor]) -> Tensor:
        """Eq. 5 on aligned maps [N, C, H, W], the farthest key's first, and this key's, which is last."""
        maps = [self._reduced(x) for x in (*aligned, features)]
        return self._corrected(features, maps[-1], self._unit(maps))

    def advance(self, features: Tensor, state: State | None) -> tuple[Tensor, State]:
        """This key's features encoded from a state that was carried to it, and the state after it.

        Without a state, the unit starts at this key.
        """
        x = self._reduced(features)
        state = self._unit.step(x, self._unit.start([x]) if state is None else state)
        return self._corrected(features, x, state[0]), state

    def carried(self, state: State, flow: Tensor) -> State:
        """A state, moved along the flow [N, 2, H/4, W/4] from this key into that of the state."""
        flow = F.avg_pool2d(flow, self.pool) / self.pool if self.pool > 1 else flow
        return tuple(warp(s, flow, border=self.border) if s.ndim == 4 else s for s in state)

    def _encode_in_a_row(
        self, image: Tensor, features: Tensor, others: Sequence[tuple[Tensor, Tensor]]
    ) -> Tensor:
        (last, theirs), *row = [*reversed(others), (image, features)]
        found, state = self.advance(theirs, None)
        for here, theirs in row:
            moved = self.carried(state, self.field(here, last)[0]) if self.align else state
            found, state = self.advance(theirs, moved)
            last = here
        return found

    @property
    def _unit(self) -> Unit:
        unit = self.get_submodule(self.unit or "")
        assert isinstance(unit, Unit)
        return unit

    def _reduced(self, features: Tensor) -> Tensor:
        """R: features [N, C, H, W] -> maps of the unit."""
        small = F.avg_pool2d(features, self.pool) if self.pool > 1 else features
        reduced: Tensor = self.reduce(small)
        return reduced

    def _corrected(self, features: Tensor, reduced: Tensor, hidden: Tensor) -> Tensor:
        """x + E(h - R(x)), where R is the identity h itself."""
        if reduced is features:
            return hidden
        correction: Tensor = self.expand(hidden - reduced)
        if self.pool > 1:
            correction = resized(correction, (features.shape[2], features.shape[3]))
        correction += features  # in place: at full size a new map takes longer
        return correction


def _projections(channels: int, inner: int) -> tuple[nn.Module, nn.Module]:
    """1x1 convolutions to fewer channels and back, the one the transpose of the other at first."""
    if inner == channels:
        return nn.Identity(), nn.Identity()
    there, back = nn.Conv2d(channels, inner, 1, bias=False), nn.Conv2d(inner, channels, 1, bias=False)
    nn.init.orthogonal_(there.weight)
    back.weight.data = there.weight.data.transpose(0, 1).clone()
    return there, back
