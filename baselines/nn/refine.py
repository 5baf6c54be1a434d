"""What sharpens a coarse flow and its scale by two images of twice the features' resolution."""

from itertools import chain, product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.nn.precision import full
from vipbench.baselines.nn.warp import warp

DETAIL = 2
"""Pixels of the images to a cell of the flow, each way."""
WIDTH = 32
DILATIONS = (1, 2, 4, 1)
"""With the last layer's they see 19 x 19 cells; a quarter's flow has one for 4 x 4."""


class Refinement(nn.Module):
    """Flow [N, 2, H, W] in cells -> the same, sharpened, and detail [N, WIDTH, H, W] to sharpen the scale by.

    Small convolutions compare the target with the reference as the flow warps it, as FlowNet 2.0 does between
    its networks (Ilg et al. 2017). Untrained, they leave flow and scale as they are.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inputs = (2 * 3 * DETAIL**2 + 2, *[WIDTH] * (len(DILATIONS) - 1))
        self.layers = nn.Sequential(*map(_conv, inputs, DILATIONS))
        self.correct: nn.Module = nn.Conv2d(WIDTH, 2, 3, padding=1, bias=False)
        self.scale = nn.Conv2d(WIDTH, channels, 1, bias=False)
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.scale.weight)

    def forward(self, flow: Tensor, target: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 3, 2 H, 2 W] of 0 to 255, mean subtracted. The flow is float32 under autocast too."""
        fine = F.interpolate(flow, target.shape[2:], mode="bilinear", align_corners=False) * DETAIL
        images = (target, warp(reference, fine, border="clamp"))
        detail = self.layers(torch.cat([*chain.from_iterable(_pixels(x / 255) for x in images), flow], 1))
        return flow + full(self.correct, detail), detail

    def scaled(self, scale: Tensor, detail: Tensor) -> Tensor:
        """A scale [N, C, H, W], sharpened in place where it is channels-last; the result always is.

        At full size a map of 256 channels takes longer to make than to fill. Not seen by FlopCounterMode.
        """
        rows, details = (maps.permute(0, 2, 3, 1).flatten(0, 2) for maps in (scale, detail))
        rows.addmm_(details, self.scale.weight.flatten(1).T.to(details.dtype))
        return rows.view(len(scale), *scale.shape[2:], -1).permute(0, 3, 1, 2)


def _pixels(image: Tensor) -> list[Tensor]:
    """F.pixel_unshuffle of an image [N, C, DETAIL H, DETAIL W], map by map, which takes half as long."""
    places = product(range(image.shape[1]), range(DETAIL), range(DETAIL))
    return [image[:, c : c + 1, i::DETAIL, j::DETAIL] for c, i, j in places]


def _conv(inputs: int, dilation: int) -> nn.Module:
    conv = nn.Conv2d(inputs, WIDTH, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(conv, nn.LeakyReLU(0.1, inplace=True))
