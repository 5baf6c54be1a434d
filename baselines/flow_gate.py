"""Whether a FlowNet-S is of use: better than no flow at all, on pairs it never saw and on real clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vipbench.baselines.clips import Clip, real_clips
from vipbench.baselines.flow_data import Pairs, Sample
from vipbench.baselines.nn.flownet import FLOW_UNIT, FlowNetS
from vipbench.baselines.nn.warp import warp
from vipbench.baselines.presets import Input
from vipbench.types import Dataset

HELD_OUT = CLIPS = 64
PASSED, MISSED, OPEN = "passed", "missed", "not measured"
MEND = {
    PASSED: "",
    MISSED: ". Methods that start from it follow motion that is not there: train it longer (more steps in "
    "the preset) or on FlyingChairs (VIPBENCH_CHAIRS)",
    OPEN: ". Without photos of consecutive frames in val or train nobody knows whether it is of use",
}


@dataclass(frozen=True)
class Gate:
    """What came out.

    epe: mean end-point error in pixels of the canvas on held-out pairs, zero_epe that of a flow of zero.
    photometric: mean absolute difference (0..255) of a real frame and the next one warped to it,
    zero_photometric without the warp; NaN without clips. better: share of the clips where the warp helps.
    pairs, clips: how many. data: what the pairs are called.
    """

    epe: float
    zero_epe: float
    photometric: float
    zero_photometric: float
    better: float
    pairs: int
    clips: int
    data: str

    @property
    def verdict(self) -> str:
        """passed where both errors are below those of zero flow, else missed; not measured without clips."""
        if self.epe < self.zero_epe and not self.clips:
            return OPEN
        better = self.epe < self.zero_epe and self.photometric < self.zero_photometric
        return PASSED if better else MISSED

    def about(self) -> dict[str, str]:
        """The figures in words, for the metadata of the weights."""
        epe = f"{self.epe:.3f} px, zero flow {self.zero_epe:.3f}, {self.pairs} held-out pairs of {self.data}"
        real = f"{self.photometric:.3f}, zero flow {self.zero_photometric:.3f}, {self.clips} pairs of frames"
        real += f", better in {self.better:.0%}"
        return {"gate": self.verdict, "gate_epe": epe, "gate_photometric": real if self.clips else OPEN}


def told(about: dict[str, str]) -> str:
    """What the metadata of weights say of their gate, and what to do; empty where they say nothing."""
    if "gate" not in about:
        return ""
    figures = f"end-point error {about['gate_epe']}; photometric error {about['gate_photometric']}"
    return f"FlowNet-S: gate {about['gate']}: {figures}{MEND[about['gate']]}"


def flow_gate(net: FlowNetS, held_out: Iterable[Sample], clips: Iterable[Clip], data: str = "") -> Gate:
    """Measure a network, on the device that it is on, against a flow of zero.

    held_out: pairs with their flow, at least one. clips: pairs of real frames. data: a name for the pairs.
    """
    epe = np.array([_end_point(net, sample) for sample in held_out])
    real = np.array([_photometric(net, clip) for clip in clips]).reshape(-1, 2)
    ours, zero = (float(v) for v in (real.mean(0) if len(real) else (np.nan, np.nan)))
    return Gate(
        epe=float(epe[:, 0].mean()),
        zero_epe=float(epe[:, 1].mean()),
        photometric=ours,
        zero_photometric=zero,
        better=float((real[:, 0] < real[:, 1]).mean()) if len(real) else float("nan"),
        pairs=len(epe),
        clips=len(real),
        data=data,
    )


def judged(net: FlowNetS, held_out: Pairs, dataset: Dataset, spec: Input) -> Gate:
    """The gate of a network on HELD_OUT pairs and on CLIPS clips of a data set."""
    pairs = (held_out.pair(held_out.rng(0, i)) for i in range(HELD_OUT))
    return flow_gate(net, pairs, real_clips(dataset, spec, CLIPS), held_out.name)


@torch.no_grad()
def full_flow(net: FlowNetS, target: Tensor, reference: Tensor) -> Tensor:
    """The network's flow at the images' size: [3, H, W] twice -> [2, H, W] in pixels, on the net's device."""
    device = next(net.parameters()).device
    flows, _ = net.pyramid(target[None].to(device), reference[None].to(device))
    size = target.shape[1:]
    return F.interpolate(flows[-1] * FLOW_UNIT, size, mode="bilinear", align_corners=False)[0]


def _end_point(net: FlowNetS, sample: Sample) -> tuple[float, float]:
    """Mean end-point error of a pair over the photo, and that of a flow of zero."""
    target, reference, truth = sample
    found, known = full_flow(net, target, reference).cpu(), truth[0].isfinite()
    ours, zero = (
        (flow - truth).norm(dim=0)[known].mean().item() for flow in (found, torch.zeros_like(found))
    )
    return ours, zero


def _photometric(net: FlowNetS, clip: Clip) -> tuple[float, float]:
    """Mean absolute difference over the photo of target and warped reference, and of target and reference.

    The warp's border rule is clamp, so that both are over the same pixels.
    """
    target, reference, placement = clip
    top, left, bottom, right = placement.window
    flow = full_flow(net, target, reference).cpu()
    images: Sequence[Tensor] = (warp(reference[None], flow[None], border="clamp")[0], reference)
    differences = [(image - target)[:, top:bottom, left:right].abs().mean().item() for image in images]
    return differences[0], differences[1]
