"""The temporal encoder of the ATEN paper (Eq. 5): ConvGRU, and what its Tables 1 and 3 put in its place.

    ConvGRU   z = g(Wz * x + Uz * h + bz)          ConvLSTM   i, f, o = g(W * x + U * h + b), each its own
              r = g(Wr * x + Ur * h + br)                     c' = f . c + i . tanh(Wc * x + Uc * h + bc)
              c = tanh(Wc * x + Uc * (r . h) + bc)            h' = o . tanh(c')
              h' = (1 - z) . h + z . c

with 3x3 kernels; g is the sigmoid in the paper, Keras's hard sigmoid in the released graph. The paper
leaves the first state open. As released, the ConvGRU's is the mean of the inputs, which puts it on the scale
of the features, and the ConvLSTM's is zero. The plain mean of the inputs is Table 3's "w/o convGRU".

All units have one signature, so that a method picks one by name: `UNITS[name](channels, gate=...)`.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from vipbench.baselines.nn.options import known
from vipbench.baselines.nn.precision import exact

State = tuple[Tensor, ...]  # the hidden map [N, C, H, W] first, then what else a unit remembers


def hard_sigmoid(x: Tensor) -> Tensor:
    """Keras's clip(0.2 x + 0.5, 0, 1); torch's has the slope 1/6."""
    return (0.2 * x + 0.5).clamp(0, 1)


GATES: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "hard_sigmoid": hard_sigmoid}


def mean_of(maps: Sequence[Tensor]) -> Tensor:
    """The mean of maps of one shape, in their type and memory format; summed in single precision at least.

    torch.stack(maps).mean(0) takes several times as long.
    """
    return (reduce(torch.add, map(exact, maps)) / len(maps)).to(maps[0].dtype)


class Unit(nn.Module):
    """A sequence of maps [N, C, H, W], farthest key first, current key last -> encoded map [N, C, H, W]."""

    def __init__(self, channels: int, gate: str = "sigmoid") -> None:
        super().__init__()
        self.gate = GATES[known("gate of a temporal unit", gate, GATES)]

    def start(self, maps: Sequence[Tensor]) -> State:
        """The state before the first of the maps."""
        raise NotImplementedError

    def step(self, x: Tensor, state: State) -> State:
        """One update of the state by the input x; state[0] is the encoded map."""
        raise NotImplementedError

    def run(self, maps: Sequence[Tensor], state: State | None = None) -> State:
        """The state after the maps, from a given state or from `start(maps)`."""
        state = self.start(maps) if state is None else state
        for x in maps:
            state = self.step(x, state)
        return state

    def forward(self, maps: Sequence[Tensor], state: State | None = None) -> Tensor:
        return self.run(maps, state)[0]


def _convolution(inputs: int, outputs: int, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


def _initialise(inputs: nn.Conv2d, *states: nn.Conv2d) -> None:
    """As Keras: Glorot uniform and zero bias for what sees the input, orthogonal for what sees the state."""
    nn.init.xavier_uniform_(inputs.weight)
    for conv in states:
        nn.init.orthogonal_(conv.weight)
    nn.init.zeros_(inputs.bias)  # type: ignore[arg-type]


class ConvGRU(Unit):
    """Eq. 5. State: (h,), first the mean of the maps. z = 1 takes the candidate, unlike torch's GRU."""

    def __init__(self, channels: int, gate: str = "sigmoid") -> None:
        super().__init__(channels, gate)
        self.input = _convolution(channels, 3 * channels, bias=True)
        self.gates = _convolution(channels, 2 * channels, bias=False)
        self.candidate = _convolution(channels, channels, bias=False)
        _initialise(self.input, self.gates, self.candidate)

    def start(self, maps: Sequence[Tensor]) -> State:
        return (mean_of(maps),)

    def step(self, x: Tensor, state: State) -> State:
        (h,) = state
        xz, xr, xc = self.input(x).chunk(3, 1)
        hz, hr = self.gates(h).chunk(2, 1)
        z, r = self.gate(xz + hz), self.gate(xr + hr)
        c = torch.tanh(xc + self.candidate(r * h))
        return ((1 - z) * h + z * c,)


class ConvLSTM(Unit):
    """Keras's ConvLSTM2D, no peepholes; packed i, f, c, o. State: (h, c), first zero; |h| < 1."""

    def __init__(self, channels: int, gate: str = "sigmoid") -> None:
        super().__init__(channels, gate)
        self.input = _convolution(channels, 4 * channels, bias=True)
        self.hidden = _convolution(channels, 4 * channels, bias=False)
        _initialise(self.input, self.hidden)
        with torch.no_grad():  # so that it remembers at first
            self.input.bias[channels : 2 * channels] = 1  # type: ignore[index]

    def start(self, maps: Sequence[Tensor]) -> State:
        return (torch.zeros_like(maps[0]), torch.zeros_like(maps[0]))

    def step(self, x: Tensor, state: State) -> State:
        h, c = state
        i, f, new, o = (self.input(x) + self.hidden(h)).chunk(4, 1)
        c = self.gate(f) * c + self.gate(i) * torch.tanh(new)
        return (self.gate(o) * torch.tanh(c), c)


class MeanUnit(Unit):
    """The mean of the maps, no weights. State: (mean, count []); updated so that equal maps stay exact."""

    def start(self, maps: Sequence[Tensor]) -> State:
        return (torch.zeros_like(maps[0]), maps[0].new_zeros(()))

    def step(self, x: Tensor, state: State) -> State:
        mean, count = state
        return (mean + (x - mean) / (count + 1), count + 1)


UNITS: dict[str, type[Unit]] = {"gru": ConvGRU, "lstm": ConvLSTM, "mean": MeanUnit}
