"""Consecutive frames of a data set: real motion, of which nobody knows the flow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from torch import Tensor

from vipbench.baselines.canvas import Placement, placed
from vipbench.baselines.presets import Input
from vipbench.errors import UserError
from vipbench.types import Dataset, Frame, Video

Clip = tuple[Tensor, Tensor, Placement]
"""Two consecutive frames as target and reference [3, canvas], and where on the canvas they lie."""


def real_clips(dataset: Dataset, spec: Input, count: int) -> list[Clip]:
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
    placement, pixels = placed(frame.image, spec, tight=False)
    return placement.on_canvas(pixels).contiguous(), placement
