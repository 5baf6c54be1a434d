"""Training samples: frames, their neighbours and their targets, drawn by seed, step and place in the batch.

A sample, and what its anchors and RoIs are drawn with, depend on nothing but (seed, step, position in the
batch): a resumed training sees what an undisturbed one sees, and so do several processes together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vipbench.baselines.canvas import Placement, placed
from vipbench.baselines.nn.targets import Truth
from vipbench.baselines.presets import Input
from vipbench.datasets.vip import flip
from vipbench.errors import UserError
from vipbench.flow import read_flow
from vipbench.types import Dataset, Frame, Parsing, Video

VOID = 255


Rule = Callable[[Video, int, np.random.Generator], list[int]]
"""Which other frames a sample has: positions in the video, given that of the current frame."""
Fits = Callable[[Video, int], bool]
"""Whether a frame, by its position in the video, has the other frames that a rule asks for."""


@dataclass(frozen=True)
class Clip:
    """One sample: the current frame's image [3, canvas] and truth, and the images of other frames.

    others: in the order of the rule that chose them. same: which of them are the current frame itself.
    draws: what the anchors and RoIs of this sample are drawn with.
    """

    image: Tensor
    truth: Truth
    others: tuple[Tensor, ...]
    same: tuple[bool, ...]
    draws: torch.Generator


Window = tuple[slice, slice]
WHOLE: Window = (slice(None), slice(None))


def truth_of(parsing: Parsing, placement: Placement, window: Window = WHOLE) -> Truth:
    """Targets on the canvas, or on a window of it, from a frame's ground truth."""
    if parsing.object is not None:
        category = placement.labels((parsing.object.ids > 0).astype(np.uint16), VOID)[window]
        return Truth(
            torch.from_numpy(category.astype(np.int64)), torch.zeros(0, *category.shape), torch.zeros(0, 4)
        )
    category = placement.labels(parsing.layer("category").ids, VOID)[window]
    human = placement.labels(parsing.layer("human").ids, 0)[window]
    masks = [human == s.id for s in parsing.layer("human").segments if (human == s.id).any()]
    boxes = [_box(mask) for mask in masks]
    return Truth(
        category=torch.from_numpy(np.where(category < 20, category, VOID).astype(np.int64)),
        masks=torch.from_numpy(np.stack(masks).astype(np.float32))
        if masks
        else torch.zeros(0, *category.shape),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
    )


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


class Samples:
    """Draws training samples from a split of a data set, or from a part of its videos, for one canvas.

    crop: (height, width) of a window of the canvas, at random, the same for a clip's images and truth; empty
    for the whole canvas. fits: frames for which it says no are left out; left_out: how many.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        spec: Input,
        seed: int,
        part: slice = slice(None),
        crop: tuple[int, ...] = (),
        fits: Fits | None = None,
    ) -> None:
        self.dataset, self.spec, self.seed, self.crop = dataset, spec, seed, crop
        self.videos = list(dataset.videos(split))[part]
        there = [(video, i) for video in self.videos for i, f in enumerate(video.frames) if f.annotated]
        if not there:
            raise UserError(f"data set {dataset.name}: split {split} has no annotated frame to train on")
        self.frames = [at for at in there if fits(*at)] if fits else there
        self.left_out = len(there) - len(self.frames)
        if not self.frames:
            raise UserError(
                f"data set {dataset.name}: none of the {len(there)} annotated frames of split {split} has "
                "the frames around it that this method learns from. Use a data set with more frames a video"
            )

    @property
    def name(self) -> str:
        """What is drawn from."""
        return f"{self.dataset.name}, {len(self.videos)} videos"

    def rng(self, step: int, position: int) -> np.random.Generator:
        """The randomness of one sample."""
        return np.random.default_rng([self.seed, step, position])

    def clip(self, rng: np.random.Generator, rule: Rule) -> Clip:
        """An annotated frame, mirrored or not by a fair coin, and the frames beside it that `rule` draws."""
        video, t = self.frames[rng.integers(len(self.frames))]
        mirrored = bool(rng.integers(2))
        others = rule(video, t, rng)
        target = video.frames[t]
        image, placement = self._image(target, mirrored)
        parsing = self.dataset.read(target)
        draws = torch.Generator().manual_seed(int(rng.integers(2**62)))
        window = self._window(rng)
        truth = truth_of(flip(parsing) if mirrored else parsing, placement, window)
        images = (image, *(self._image(video.frames[k], mirrored)[0] for k in others))
        seen, *beside = (i[:, window[0], window[1]] for i in images)
        return Clip(seen, truth, tuple(beside), tuple(k == t for k in others), draws)

    def _window(self, rng: np.random.Generator) -> Window:
        """Rows and columns of the canvas that a sample sees."""
        if not self.crop:
            return WHOLE
        sizes = zip((self.spec.height, self.spec.width), self.crop, strict=True)
        starts = [int(rng.integers(whole - part + 1)) for whole, part in sizes]
        rows, columns = (slice(start, start + part) for start, part in zip(starts, self.crop, strict=True))
        return rows, columns

    def pair(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(target image, reference image, backward flow [2, canvas] in pixels), exact, NaN beside photos."""
        if not hasattr(self.dataset, "flows"):
            raise UserError(
                f"data set {self.dataset.name} has no exact flow to train FlowNet-S on. Use synth"
            )
        flows = self.dataset.flows(self.videos[rng.integers(len(self.videos))])
        target, reference, path = flows[rng.integers(len(flows))]
        mirrored = bool(rng.integers(2))
        flow = torch.from_numpy(read_flow(path).transpose(2, 0, 1).copy())
        if mirrored:
            flow = flow.flip(2) * torch.tensor([-1.0, 1.0])[:, None, None]
        image, placement = self._image(target, mirrored)
        return image, self._image(reference, mirrored)[0], placement.flow(flow)

    def _image(self, frame: Frame, mirrored: bool) -> tuple[Tensor, Placement]:
        placement, pixels = placed(frame.image, self.spec, tight=False)
        return placement.on_canvas(pixels[:, ::-1] if mirrored else pixels).contiguous(), placement
