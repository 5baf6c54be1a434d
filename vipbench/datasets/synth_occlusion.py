"""The level of occlusion of each frame of synth, by the person of whom least is seen in it.

none   more than 0.7 of every person is seen
some   of the most hidden person 0.7 or less is seen, but more than 0.3
heavy  0.3 or less

What is seen is a share of the person's silhouette inside the frame: people hide each other, and the border of
the image hides nothing. 0.7 is where a person counts as occluded in the frozen statistics of the splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vipbench.datasets.synth_manifest import FROZEN, NAME, SEEN, read_manifest, settings
from vipbench.datasets.synth_write import OCCLUDED
from vipbench.errors import Problem
from vipbench.types import Frame, Video

HEAVY = 0.3


def level(least_seen: float) -> str:
    """The level for the share, 0..1, that is seen of the most hidden person."""
    return "heavy" if least_seen <= HEAVY else "some" if least_seen <= OCCLUDED else "none"


def tagged(root: Path, split: str, videos: Sequence[Video]) -> list[Video]:
    """The videos, each frame with its level as a tag; as they are where the root was made without."""
    shares = read_manifest(root)["splits"][split].get(SEEN, {})
    return [
        replace(video, frames=tuple(_tagged(frame, shares.get(video.id, ())) for frame in video.frames))
        for video in videos
    ]


def _tagged(frame: Frame, shares: Sequence[float]) -> Frame:
    known = frame.index < len(shares)
    return replace(frame, tags=(f"occlusion:{level(shares[frame.index])}",)) if known else frame


def problems(root: Path, split: str) -> list[Problem]:
    """A warning where the root was made without levels, by an earlier vipbench."""
    manifest = read_manifest(root)
    if SEEN in manifest["splits"][split]:
        return []
    expected = f"{SEEN!r}, for numbers by level of occlusion"
    mend = f"Add it, no other file changes: vipbench data make synth --out {root} --splits {split}"
    where = f"{root / NAME}, split {split}"
    return [Problem(where, expected, "none", f"{mend}{_options(settings(manifest))}", warning=True)]


def _options(made: dict[str, Any]) -> str:
    """The settings that `data make` needs to be told."""
    size = "x".join(map(str, made["size"]))
    told = f" --seed {made['seed']} --size {size} --every {made['every']}"
    return "" if made == FROZEN else told
