"""How the networks are run on videos: prepared for speed, their modules on batches, frames decoded ahead.

Precisions, an option of every method:

    exact     the modules as they were trained, an image or a pair at a time: the bits of the plain loop
    float32   batch norms folded, layers of flow packed, maps channels-last, batches: the same up to rounding
    bf16      float32 with convolutions in bfloat16; flows, positions, probabilities and boxes are exact
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Generic, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vipbench.baselines import memory
from vipbench.baselines.canvas import Placement, placed
from vipbench.baselines.fold import fold
from vipbench.baselines.loading import stage
from vipbench.baselines.network import Fields, FrameNet, GuidedNet
from vipbench.baselines.nn.precision import lower
from vipbench.baselines.pack import pack
from vipbench.errors import UserError
from vipbench.pipeline import Call
from vipbench.types import Frame, Parsing

Precision = Literal["exact", "float32", "bf16"]
PIXELS = {"cpu": 1 << 16, "cuda": 1 << 23, "mps": 1 << 21}
"""How many the images of a batch may have; on a CPU larger ones leave its cache."""
PAIRS = 10
"""How many FlowNet-S gets at once in any case: most of its layers are deep and small."""
Net = TypeVar("Net", bound=FrameNet)
Guided = TypeVar("Guided", bound=GuidedNet)


@dataclass(frozen=True)
class Photo:
    """A frame's image [1, 3, canvas] on the device, mean subtracted, and its place on the canvas.

    shrunk: the image as FlowNet-S sees it, once a flow has asked for it.
    """

    frame: Frame
    image: Tensor
    placement: Placement
    shrunk: list[Tensor] = field(default_factory=list, init=False)


@dataclass(frozen=True)
class Seen:
    """A photo and its features [1, C, canvas / 4]."""

    photo: Photo
    features: Tensor


class Engine(Generic[Net]):
    """A network on a device, in one of the precisions. tight: see `Placement.of`."""

    def __init__(self, net: Net, device: str, precision: Precision = "float32", tight: bool = False) -> None:
        self.net, self.device, self.precision, self.tight = net, device, precision, tight
        memory.keep()
        self.layout = torch.contiguous_format if precision == "exact" else torch.channels_last
        if precision != "exact":
            fold(net)
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision == "bf16":
            lower(net)

    @property
    def batch(self) -> int:
        """How many images go through a module at once."""
        spec, kind = self.net.preset.input, torch.device(self.device).type
        return 1 if self.precision == "exact" else max(1, PIXELS[kind] // (spec.height * spec.width))

    def reading(self, frame: Frame) -> Call:
        """What reads a frame's photo, for `photo`."""
        return placed, frame.image, self.net.preset.input, self.tight

    def photo(self, frame: Frame, placement: Placement, resized: NDArray[np.uint8]) -> Photo:
        """A frame, read, on the canvas."""
        image = placement.on_canvas(resized)[None].contiguous(memory_format=self.layout).to(self.device)
        return Photo(frame, image, placement)

    def features(self, photos: Sequence[Photo]) -> list[Seen]:
        """N_feat of each photo."""
        with self.stage("features"):
            parts = _parts([photo.image for photo in photos], self.batch)
            maps = [one for part in parts for one in self.net.features(part).split(1)]
        return [Seen(photo, features) for photo, features in zip(photos, maps, strict=True)]

    def parse(self, seen: Sequence[Seen]) -> Iterator[Parsing]:
        """N_parse of each, a batch when it is asked for, so that others can be written meanwhile."""
        placements = iter([s.photo.placement for s in seen])
        for part in _parts([s.features for s in seen], self.batch):
            with self.stage("heads"):
                found = self.net.parse(part, [next(placements) for _ in part])
            yield from found

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """A part of the network's work: timed, in the precision of this engine."""
        bf16 = self.precision == "bf16"
        kind = torch.device(self.device).type
        with stage(name, self.device), torch.autocast(kind, torch.bfloat16, enabled=bf16):
            yield


class GuidedEngine(Engine[Guided]):
    """With flow from frame to frame."""

    def __init__(
        self, net: Guided, device: str, precision: Precision = "float32", tight: bool = False
    ) -> None:
        super().__init__(net, device, precision, tight)
        if precision != "exact":
            pack(net)

    def fields(self, pairs: Sequence[tuple[Photo, Photo]]) -> Fields:
        """FlowNet-S on pairs (target, reference). Raises UserError for photos whose canvases differ."""
        for target, reference in pairs:
            _demand_one_canvas(target, reference)
        many = 1 if self.precision == "exact" else max(self.batch, PAIRS)
        with self.stage("flow"):
            sides = [_parts(list(map(self._shrunk, side)), many) for side in zip(*pairs, strict=True)]
            return Fields.joined([self.net.between(*both) for both in zip(*sides, strict=True)])

    def _shrunk(self, photo: Photo) -> Tensor:
        if not photo.shrunk:
            photo.shrunk.append(self.net.shrunk(photo.image))
        return photo.shrunk[0]

    def follow(self, features: Tensor, along: Fields) -> list[Tensor]:
        """Eq. 2: one map [1, C, H, W], warped along each of the fields and scaled; not copied for it."""
        maps: list[Tensor] = []
        if not len(along):
            return maps
        with self.stage("warp"):
            for start in range(0, len(along), self.batch):
                some = along[start : start + self.batch]
                keys = torch.zeros(len(some), dtype=torch.long, device=features.device)
                maps += torch.split(self.net.follow(features, some, keys), 1)
        return maps


def _demand_one_canvas(target: Photo, reference: Photo) -> None:
    """Canvases differ where each is as tight as its photo allows."""
    if target.image.shape != reference.image.shape:
        one, other = (f"{p.frame.name} of {p.placement.size}" for p in (target, reference))
        raise UserError(
            f"video {target.frame.video}: frames of different sizes ({one}, {other} pixels), between which "
            "there is no flow on tight canvases. Use -o tight=false"
        )


def _parts(maps: Sequence[Tensor], many: int) -> list[Tensor]:
    """Maps of one image each in batches of at most `many`, in order, those of a batch of one size."""
    parts: list[Tensor] = []
    for _, same in groupby(maps, key=lambda one: one.shape):
        alike = list(same)
        parts += [torch.cat(alike[i : i + many]) for i in range(0, len(alike), many)]
    return parts
