"""Which frames a training sample has beside the current one, by method (`samples.Rule`) and preset."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np

from vipbench.baselines.presets import Preset
from vipbench.baselines.samples import Fits, Rule
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

    -floor(l/2) <= t - k < l - floor(l/2), in frames of the source video; the side of the other keys is a fair
    coin where both fit. Keys without p others at hand on either side are not drawn (`keys_fit`).
    """

    def rule(video: Video, t: int, rng: np.random.Generator) -> list[int]:
        found = _key_runs(video, t, l, p)
        if not found:
            raise UserError(
                f"video {video.id}, frame {video.frames[t].name}: expected {p + 1} keys {l} frames apart, on "
                "one side of it. Use videos with more frames around the annotated ones"
            )
        sides = found[rng.integers(len(found))]
        return sides[rng.integers(len(sides))]

    return rule


def keys_fit(sizes: Preset) -> Fits:
    """Whether a frame has keys at all: not in short videos, nor where frames are missing."""
    return lambda video, t: bool(_key_runs(video, t, sizes.encoding.l, sizes.encoding.p))


def _key_runs(video: Video, t: int, l: int, p: int) -> list[list[list[int]]]:
    """For each key of frame t that can be drawn, in time order: the runs of keys to its left and right."""
    here = video.frames[t].index
    near = range(here - (l - 1 - l // 2), here + l // 2 + 1)
    runs = ([[_position(video, k + i * step) for i in range(p + 1)] for step in (-l, l)] for k in near)
    whole = ([[i for i in run if i is not None] for run in sides] for sides in runs)
    fit = ([run for run in sides if len(run) == p + 1] for sides in whole)
    return [sides for sides in fit if sides]


def _position(video: Video, index: int) -> int | None:
    """Where a frame of the source video is among those at hand."""
    i = bisect_left(video.frames, index, key=lambda frame: frame.index)
    return i if i < len(video.frames) and video.frames[i].index == index else None
