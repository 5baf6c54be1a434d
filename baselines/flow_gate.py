"""Whether a FlowNet-S is of use: better than no flow at all, on pairs it never saw and on real clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vipbench.baselines.canvas import Placement
from vipbench.baselines.flow_data import Pairs, Sample
from vipbench.baselines.nn.flownet import FLOW_UNIT, FlowNetS
from vipbench.baselines.nn.warp import warp
from vipbench.baselines.presets import Input
from vipbench.errors import UserError
from vipbench.pixels import read_image
from vipbench.types import Dataset, Frame, Video

HELD_OUT = CLIPS = 64
PASSED, MISSED, OPEN = "passed", "missed", "not measured"
MEND = (
    "Train it longer (more steps in the preset), or on FlyingChairs (VIPBENCH_CHAIRS), before a method "
    "starts from it: its features would follow motion that is not there"
)
Clip = tuple[Tensor, Tensor, Placement]
"""Two consecutive frames as target and reference [3, canvas], and where on the canvas they lie."""


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
    """What a weights file says of its gate, as one text; empty where it says nothing. Ends in what to do."""
    if "gate" not in about:
        return ""
    figures = f"end-point error {about['gate_epe']}; photometric error {about['gate_photometric']}"
    end = "" if about["gate"] == PASSED else f". {MEND}"
    return f"FlowNet-S: gate {about['gate']}: {figures}{end}"


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


def samples(pairs: Pairs, count: int = HELD_OUT) -> Iterator[Sample]:
    """The first held-out samples."""
    return (pairs.pair(pairs.rng(0, i)) for i in range(count))


def real_clips(dataset: Dataset, spec: Input, count: int = CLIPS) -> list[Clip]:
    """Consecutive frames from all over a split, `count` pairs at most; none where no two frames are next.

    Of val, which no training sees, else of train. Raises UserError for damaged photos.
    """
    following = [
        (a, b)
        for video in _videos(dataset)
        for a, b in zip(video.frames, video.frames[1:], strict=False)
        if b.index == a.index + 1 and a.image.is_file() and b.image.is_file()
    ]
    chosen = np.linspace(0, len(following) - 1, min(count, len(following))).round().astype(int)
    pairs = ([_placed(frame, spec) for frame in following[at]] for at in chosen)
    return [(target, reference, p) for (target, p), (reference, q) in pairs if p == q]  # of one size


def _videos(dataset: Dataset) -> Sequence[Video]:
    for split in ("val", "train"):
        with suppress(UserError):  # not every root has every split
            return dataset.videos(split)
    return ()


def _placed(frame: Frame, spec: Input) -> tuple[Tensor, Placement]:
    rgb = read_image(frame.image)
    placement = Placement.of((rgb.shape[0], rgb.shape[1]), spec)
    return placement.image(rgb), placement


@torch.no_grad()
def full_flow(net: FlowNetS, target: Tensor, reference: Tensor) -> Tensor:
    """The network's flow at the images' size: [3, H, W] twice -> [2, H, W] in pixels, on the net's device."""
    device = next(net.parameters()).device
    flows, _ = net.pyramid(target[None].to(device), reference[None].to(device))
    size = target.shape[1:]
    return F.interpolate(flows[-1] * FLOW_UNIT, size, mode="bilinear", align_corners=False)[0]


def _end_point(net: FlowNetS, sample: Sample) -> tuple[float, float]:
    """Mean end-point error of a pair, and that of a flow of zero."""
    target, reference, truth = sample
    found = full_flow(net, target, reference).cpu()
    return (found - truth).norm(dim=0).mean().item(), truth.norm(dim=0).mean().item()


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
