"""What there is to train, as data: a method's network, what its training starts from, its samples and losses.

A variant's name is what `vipbench run` looks for among trained weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vipbench.baselines.flow_data import Pairs
from vipbench.baselines.network import FgfaNet, FrameNet, GuidedNet
from vipbench.baselines.network_aten import AtenNet
from vipbench.baselines.nn.flownet import FLOW_UNIT, FlowNetS, flow_loss
from vipbench.baselines.nn.precision import exact
from vipbench.baselines.presets import Preset
from vipbench.baselines.samples import Fits, Rule, Samples
from vipbench.baselines.train_log import Terms
from vipbench.baselines.train_rules import aten_keys, by_itself, dff_key, fgfa_references, keys_fit

Rngs = Sequence[np.random.Generator]
Measured = Callable[[Any, Any, Rngs, str], Terms]
"""(network, samples, the randomness of each sample, device) -> terms, each the mean over the samples."""


@dataclass(frozen=True)
class Recipe:
    """How a method is trained.

    build: its network. stage: the preset's stage. losses: the terms that are summed. starts: the recipes
    whose weights it starts from. held_out: the losses and more figures, measured on held-out samples. fits:
    which frames can be samples; all without it. divisor: of the canvas' sides; a batch has so many more
    images that it has as many pixels. longer: how many times the stage's steps.
    """

    build: Callable[[Preset], nn.Module]
    stage: str
    losses: Measured
    starts: tuple[str, ...] = ()
    held_out: Measured | None = None
    fits: Callable[[Preset], Fits] | None = None
    divisor: int = 1
    longer: float = 1

    def sized(self, sizes: Preset) -> Preset:
        """The preset with this recipe's canvas, batch and steps."""
        n, spec, stage = self.divisor, sizes.input, getattr(sizes, self.stage)
        small = replace(spec, height=spec.height // n, width=spec.width // n, min_side=spec.min_side // n)
        small = replace(small, crop=tuple(side // n for side in spec.crop))
        stage = replace(stage, batch=stage.batch * n * n, steps=round(stage.steps * self.longer))
        return replace(sizes, input=small, **{self.stage: stage})


def own(net: FrameNet, image: Tensor, others: Sequence[Tensor], same: Sequence[Tensor]) -> Tensor:
    """The frame's own features."""
    return net.features(image)  # type: ignore[no-any-return]


def propagated(net: GuidedNet, image: Tensor, others: Sequence[Tensor], same: Sequence[Tensor]) -> Tensor:
    """Deep Feature Flow: N_feat on the key alone; where the frame is its key, its features as they are."""
    features = net.features(others[0])
    return torch.where(same[0], features, net.propagate(features, image, others[0]))


def encoded(net: AtenNet, image: Tensor, others: Sequence[Tensor], same: Sequence[Tensor]) -> Tensor:
    """ATEN: the key encoded from the other keys, then propagated to the frame unless that is the key."""
    key, *further = others
    features = net.features(torch.cat(list(others))).chunk(len(others))
    found = net.encode(key, features[0], list(zip(further, features[1:], strict=True)))
    return torch.where(same[0], found, net.propagate(found, image, key))


def averaged(net: FgfaNet, image: Tensor, others: Sequence[Tensor], same: Sequence[Tensor]) -> Tensor:
    """FGFA: the weighted mean of the references alone; the frame gives its embedding (as released).

    The embedding is taken before the warp and warped along, as the method does it at inference (the released
    code embeds after the warp in training); so is the frame among its references left as it is.
    """
    described = net.described(net.features(torch.cat([image, *others])))
    here, *theirs = described.chunk(1 + len(others))
    pairs = zip(same, theirs, others, strict=True)
    maps = (torch.where(is_here, d, net.warped(image, other, d)) for is_here, d, other in pairs)
    return net.mean(maps, here)


def parsed(
    features: Callable[[Any, Tensor, Sequence[Tensor], Sequence[Tensor]], Tensor],
    rule: Callable[[Preset], Rule],
) -> Measured:
    """The losses of N_parse (Eq. 7) on the current frames' features. rule: which frames they have."""

    def losses(net: FrameNet, samples: Samples, rngs: Rngs, device: str) -> Terms:
        chosen = rule(net.preset)
        clips = [samples.clip(rng, chosen) for rng in rngs]
        image = torch.stack([c.image for c in clips]).to(device)
        others = [torch.stack(images).to(device) for images in zip(*(c.others for c in clips), strict=True)]
        same = [torch.tensor(flags, device=device) for flags in zip(*(c.same for c in clips), strict=True)]
        here = features(net, image, others, [flags[:, None, None, None] for flags in same])
        truths = [c.truth.to(torch.device(device)) for c in clips]
        return net.head.losses(here, truths, [c.draws for c in clips])

    return losses


def _pairs(samples: Pairs, rngs: Rngs, device: str) -> list[Tensor]:
    """Targets, references and flows, stacked."""
    return [torch.stack(t).to(device) for t in zip(*map(samples.pair, rngs), strict=True)]


def flow_terms(net: FlowNetS, samples: Pairs, rngs: Rngs, device: str) -> Terms:
    """FlowNet-S's multi-scale loss on pairs with exact flow; beside the photo, which is black, it is 0."""
    target, reference, truth = _pairs(samples, rngs, device)
    flows = [exact(flow) for flow in net.pyramid(target, reference)[0]]
    return {"flow": flow_loss(flows, truth.nan_to_num())}


def flow_error(net: FlowNetS, samples: Pairs, rngs: Rngs, device: str) -> Terms:
    """The loss; epe: mean distance of the finest flow from the exact one, in pixels; zero_epe: of no flow.

    Both over the photos alone.
    """
    target, reference, truth = _pairs(samples, rngs, device)
    flows = [exact(flow) for flow in net.pyramid(target, reference)[0]]
    full = F.interpolate(flows[-1] * FLOW_UNIT, truth.shape[2:], mode="bilinear", align_corners=False)
    known = truth[:, 0].isfinite()
    distances = {"epe": full - truth, "zero_epe": truth}
    errors = {name: far.norm(dim=1)[known].mean() for name, far in distances.items()}
    return {"flow": flow_loss(flows, truth.nan_to_num())} | errors


def _flow_net(sizes: Preset) -> FlowNetS:
    return FlowNetS(sizes.flow, sizes.features.channels)


QUARTER = ("frame", "flow-quarter")
"""FlowNet-S learns from images as small as it will see."""
_temporal = partial(Recipe, stage="temporal", starts=("frame", "flow"))
_aten = partial(_temporal, losses=parsed(encoded, aten_keys), fits=keys_fit)

RECIPES = {
    "frame": Recipe(FrameNet, "frame", parsed(own, by_itself)),
    "flow": Recipe(_flow_net, "flow_stage", flow_terms, held_out=flow_error),
    "flow-quarter": Recipe(_flow_net, "flow_stage", flow_terms, held_out=flow_error, divisor=4),
    "dff": _temporal(
        partial(GuidedNet, border="zeros", flow_input="half"), losses=parsed(propagated, dff_key)
    ),
    "fgfa": _temporal(FgfaNet, losses=parsed(averaged, fgfa_references)),
    "aten": _aten(AtenNet),
    "aten-lstm": _aten(partial(AtenNet, unit="lstm")),
    "aten-mean": _aten(partial(AtenNet, unit="mean")),
    "aten-unaligned": _aten(partial(AtenNet, align=False)),
    "aten-quarter-flow": _aten(partial(AtenNet, flow_input="quarter"), starts=QUARTER),
    "aten-quarter-flow-refined": _aten(partial(AtenNet, flow_input="quarter", refine=True), starts=QUARTER),
    "aten-carry": _aten(partial(AtenNet, carry=True)),
    "aten-stride8": _aten(partial(AtenNet, stride=8)),
    "aten-narrow": _aten(partial(AtenNet, width="half")),
    "aten-fast": _aten(
        partial(AtenNet, flow_input="quarter", refine=True, carry=True, stride=8, width="half"),
        starts=QUARTER,
        longer=1.5,  # after as many steps as ATEN's it still gets better, and ATEN does not
    ),
}
