"""Which frames a training sample has beside the current one, by method (`samples.Rule`) and preset."""

from __future__ import annotations

import numpy as np

from vipbench.baselines.presets import Preset
from vipbench.baselines.samples import Rule
from vipbench.errors import UserError
from vipbench.types import Video


def by_itself(sizes: Preset) -> Rule:
    """The frame model's."""
    return alone


def dff_key(sizes: Preset) -> Rule:
    """The key that a frame is propagated from: any place in an interval (Deep Feature Flow)."""
    return offset(1 - sizes.windows.interval, 0, 1)


def fgfa_references(sizes: Preset) -> Rule:
    """The frames that are averaged (FGFA)."""
    return offset(-sizes.windows.before, sizes.windows.after, sizes.windows.references)


def aten_keys(sizes: Preset) -> Rule:
    """The keys, with the l and p of the preset, whatever those are that the method is run with."""
    return keys(sizes.encoding.l, sizes.encoding.p)


def alone(video: Video, t: int, rng: np.random.Generator) -> list[int]:
    """No other frame."""
    return []


def offset(low: int, high: int, count: int) -> Rule:
    """`count` different offsets drawn uniformly from low ... high, 0 among them, each clamped to the video.

    As in the code of Deep Feature Flow (one of -9 ... 0) and of FGFA (two of -9 ... 9). Offsets count the
    frames of the source video; of a frame that is not at hand the nearest one is taken.
    """

    def rule(video: Video, t: int, rng: np.random.Generator) -> list[int]:
        drawn = rng.choice(np.arange(low, high + 1), count, replace=False)
        return [_nearest(video, video.frames[t].index + int(d)) for d in drawn]

    return rule


def _nearest(video: Video, index: int) -> int:
    return min(range(len(video.frames)), key=lambda i: abs(video.frames[i].index - index))


def keys(l: int, p: int) -> Rule:
    """The frame's key k and p others on one side of it, l frames apart, nearest first (ATEN, released code).

    -floor(l/2) <= t - k < l - floor(l/2); the side of the other keys is a fair coin where both fit.
    """

    def rule(video: Video, t: int, rng: np.random.Generator) -> list[int]:
        length = len(video.frames)
        low, high = max(0, t - (l - 1 - l // 2)), min(length - 1, t + l // 2)
        k = int(rng.integers(low, high + 1))
        sides = [step for step in (-l, l) if 0 <= k + p * step < length]
        if not sides:
            raise UserError(
                f"a video of {length} frames is too short for keys {l} frames apart, {p + 1} of them"
            )
        step = sides[rng.integers(len(sides))]
        return [k + i * step for i in range(p + 1)]

    return rule
