"""ConvGRU, the temporal encoder of the ATEN paper (Eq. 5), with 3x3 kernels and plain sigmoid gates.

    z = sigma(Wz * x + Uz * h + bz)
    r = sigma(Wr * x + Ur * h + br)
    c = tanh(Wc * x + Uc * (r . h) + bc)
    h' = (1 - z) . h + z . c

The paper leaves the first state open; as in the released graph it is the mean of the inputs, which puts
it on the scale of the features.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ConvGRU(nn.Module):
    """A sequence of maps [N, C, H, W], farthest key first, current key last -> encoded map [N, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Conv2d(channels, 3 * channels, 3, padding=1)
        self.gates = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)
        self.candidate = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        nn.init.xavier_uniform_(self.input.weight)
        nn.init.orthogonal_(self.gates.weight)
        nn.init.orthogonal_(self.candidate.weight)
        nn.init.zeros_(self.input.bias)  # type: ignore[arg-type]

    def step(self, x: Tensor, h: Tensor) -> Tensor:
        """One update of the state h by the input x, Eq. 5."""
        xz, xr, xc = self.input(x).chunk(3, 1)
        hz, hr = self.gates(h).chunk(2, 1)
        z, r = torch.sigmoid(xz + hz), torch.sigmoid(xr + hr)
        c = torch.tanh(xc + self.candidate(r * h))
        return (1 - z) * h + z * c

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        state = torch.stack(list(maps)).mean(0)
        for x in maps:
            state = self.step(x, state)
        return state
