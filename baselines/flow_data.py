"""What FlowNet-S is trained on: FlyingChairs where it is there, else procedural pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vipbench.baselines import chairs, procedural
from vipbench.baselines.canvas import Placement
from vipbench.baselines.chairs import Chairs
from vipbench.baselines.pairs import Pair
from vipbench.baselines.presets import Input

Sample = tuple[Tensor, Tensor, Tensor]
"""Target and reference [3, canvas], mean subtracted, and the flow [2, canvas] in pixels of the canvas.

NaN where it is unknown, beside the photo."""
CROP = (320 / 384, 448 / 512)  # of FlyingChairs' height and width: FlowNetPytorch's random crop


class Pairs(Protocol):
    """What draws samples for FlowNet-S."""

    @property
    def name(self) -> str:
        """What they are, for the weights' metadata."""

    def rng(self, step: int, position: int) -> np.random.Generator:
        """The randomness of one sample of a step."""

    def pair(self, rng: np.random.Generator) -> Sample:
        """One sample; equal for equal states of rng."""


@dataclass(frozen=True)
class Procedural:
    """Procedural pairs at the canvas' size, unchanged: motion and colours are random already.

    Held-out ones have seeds of their own, the same for every training.
    """

    spec: Input
    seed: int
    held_out: bool = False
    name: ClassVar[str] = procedural.VERSION

    def rng(self, step: int, position: int) -> np.random.Generator:
        """By (seed, step, position); held-out ones have a fourth number that is not 0."""
        words = [0, step, position, 1] if self.held_out else [self.seed, step, position]
        return np.random.default_rng(words)

    def pair(self, rng: np.random.Generator) -> Sample:
        """A random pair."""
        return placed(procedural.make_pair(rng, self.spec.height, self.spec.width), self.spec)


@dataclass(frozen=True)
class FlyingChairs:
    """FlyingChairs: in training changed as FlowNetPytorch does (crop and flips), and recoloured.

    Held out is the val split, as it is.
    """

    spec: Input
    seed: int
    source: Chairs
    held_out: bool = False

    @property
    def name(self) -> str:
        """With the number of pairs to learn from."""
        return f"FlyingChairs, {len(self.source.train)} pairs"

    def rng(self, step: int, position: int) -> np.random.Generator:
        """By (seed, step, position)."""
        return np.random.default_rng([self.seed, step, position])

    def pair(self, rng: np.random.Generator) -> Sample:
        """A random pair of the split. Raises UserError for damaged files."""
        names = self.source.val if self.held_out else self.source.train
        target, reference, flow = self.source.read(names[rng.integers(len(names))])
        pair = Pair(target, reference, flow, np.ones(flow.shape[:2], np.bool_))
        if not self.held_out:
            mirror, upset = (bool(side) for side in rng.integers(0, 2, 2))
            pair = recoloured(flipped(cropped(pair, rng), mirror, upset), rng)
        return placed(pair, self.spec)


def flow_pairs(spec: Input, seed: int) -> tuple[Pairs, Pairs]:
    """What to train on and what to judge by: FlyingChairs if VIPBENCH_CHAIRS names it, else procedural pairs.

    Raises UserError if that folder is not FlyingChairs.
    """
    if spec.crop:  # what training sees of the canvas
        spec = replace(spec, height=spec.crop[0], width=spec.crop[1], min_side=min(spec.crop), crop=())
    if source := chairs.from_environment():
        return FlyingChairs(spec, seed, source), FlyingChairs(spec, 0, source, held_out=True)
    return Procedural(spec, seed), Procedural(spec, 0, held_out=True)


def placed(pair: Pair, spec: Input) -> Sample:
    """A pair on the network's canvas, scaled and padded as photos are."""
    height, width = pair.flow.shape[:2]
    placement = Placement.of((height, width), spec)
    flow = placement.flow(torch.from_numpy(pair.flow.transpose(2, 0, 1).copy()))
    return placement.image(pair.target), placement.image(pair.reference), flow


def cropped(pair: Pair, rng: np.random.Generator) -> Pair:
    """A window at random, 5/6 of the height and 7/8 of the width."""
    sides = pair.flow.shape[:2]
    kept = [max(1, round(share * side)) for share, side in zip(CROP, sides, strict=True)]
    top, left = (int(rng.integers(side - keep + 1)) for side, keep in zip(sides, kept, strict=True))
    window = np.s_[top : top + kept[0], left : left + kept[1]]
    return Pair(pair.target[window], pair.reference[window], pair.flow[window], pair.visible[window])


def flipped(pair: Pair, mirror: bool, upset: bool) -> Pair:
    """Left and right exchanged, top and bottom exchanged; flow components along with them."""
    view = np.s_[:: -1 if upset else 1, :: -1 if mirror else 1]
    sign = np.array([-1 if mirror else 1, -1 if upset else 1], np.float32)
    return Pair(pair.target[view], pair.reference[view], pair.flow[view] * sign, pair.visible[view])


def recoloured(pair: Pair, rng: np.random.Generator) -> Pair:
    """Contrast, colour, gamma and brightness of both images alike, and noise in each (FlowNet, section 4).

    Contrast -0.8..0.4, a factor 0.5..2 for each channel, gamma 0.7..1.5, brightness and noise of standard
    deviation 0.2 and 0..0.04, of a range of 1.
    """
    value = np.linspace(0, 1, 256)
    value = (value - 0.5) * (1 + rng.uniform(-0.8, 0.4)) + 0.5
    value = value * np.exp2(rng.uniform(-1, 1, (3, 1)))
    value = value.clip(0, 1) ** rng.uniform(0.7, 1.5) + rng.normal(0, 0.2)
    table, sigma = (255 * value).astype(np.float32), 255 * rng.uniform(0, 0.04)
    target, reference = (_seen(image, table, sigma, rng) for image in (pair.target, pair.reference))
    return replace(pair, target=target, reference=reference)


def _seen(
    image: NDArray[np.uint8], table: NDArray[np.float32], sigma: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """An image through a table for each channel, with noise."""
    values = np.stack([table[channel][image[..., channel]] for channel in range(3)], -1)
    values += np.float32(sigma) * rng.standard_normal(values.shape, np.float32)
    return values.clip(0, 255).astype(np.uint8)
