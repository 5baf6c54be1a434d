"""The splits of the data set `synth`, and making them.

A split's list and its line in `synth.json` are written last, so that one half made is one that is not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vipbench.atomic import write_text
from vipbench.datasets import synth_layout
from vipbench.datasets.synth_layout import Moment
from vipbench.datasets.synth_manifest import NAME, SEEN, hash_files, read_manifest, settings
from vipbench.datasets.synth_scene import Scene, scene
from vipbench.errors import UserError

LENGTH = 24
SMALLEST, LARGEST = 32, 4096  # sides of a frame in pixels
FLOW_STEP, FLOW_OFFSETS = 3, (-3, -1, 1, 3)  # of every third frame of the train split
OCCLUDED = 0.7  # a person of whom no more than this share is seen counts as occluded
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Split:
    """first, count: the numbers of its videos. crowd, spread, blurred: see synth_scene.scene."""

    first: int
    count: int
    crowd: tuple[int, int] = (2, 5)
    spread: float = 0.6
    blurred: float = 0.27
    flow: bool = False


SPLITS = {
    "train": Split(1, 64, flow=True),
    "val": Split(65, 8),
    "test": Split(73, 12),
    "hard": Split(85, 8, crowd=(3, 5), spread=0.42, blurred=0.46),
}


def videos_of(split: str) -> list[str]:
    """The names of a split's videos."""
    first = SPLITS[split].first
    return [f"videos{first + i}" for i in range(SPLITS[split].count)]


def scenes(split: str, seed: int, size: tuple[int, int]) -> Iterator[tuple[str, Scene]]:
    """Every video of a split and its content, in order."""
    s = SPLITS[split]
    for i, video in enumerate(videos_of(split)):
        rng = np.random.default_rng([seed, s.first + i])
        yield video, scene(rng, size, LENGTH, s.crowd, s.spread, s.blurred)


def moments(split: str, seed: int, size: tuple[int, int]) -> Iterator[Moment]:
    """Every frame of a split, rendered, in order."""
    for video, content in scenes(split, seed, size):
        for frame in range(LENGTH):
            here = content.render(frame)
            targets = _references(frame) if SPLITS[split].flow else []
            flows = tuple((t, content.flow(here, t)) for t in targets)
            yield Moment(video, frame, here, content.photo(frame), flows, content.blur[frame])


def _references(frame: int) -> list[int]:
    """The frames to which the exact flow of `frame` is written."""
    wanted = (frame + offset for offset in FLOW_OFFSETS) if frame % FLOW_STEP == 0 else ()
    return [t for t in wanted if 0 <= t < LENGTH]


def least_seen(split: str, seed: int, size: tuple[int, int]) -> dict[str, list[float]]:
    """By video, of each of its frames, how much is seen of the person of whom least is: a share, 0..1.

    Of a person's silhouette inside the frame, what no nearer person hides; 1 for a frame without a person.
    """
    return {
        video: [_least(content.render(frame).visible) for frame in range(LENGTH)]
        for video, content in scenes(split, seed, size)
    }


def _least(visible: Sequence[tuple[int, int]]) -> float:
    return min((seen / whole for seen, whole in visible if whole), default=1.0)


def make(
    root: Path,
    splits: Sequence[str],
    seed: int = 0,
    size: tuple[int, int] = (96, 160),
    every: int = 1,
    progress: Progress | None = None,
) -> None:
    """Write splits below `root`; those that are there already stay, but get the `least_seen` that they lack.

    size: (height, width) in pixels. every: annotate every n-th frame; if more than 1, the others are
    written as VIP ships them, as neighbours of the annotated ones and as whole videos. Raises UserError
    for no or an unknown split, a seed below 0, sides outside 32..4096, `every` below 1, and for a root
    that was made with another seed, size or `every`.
    """
    _bounds(splits, seed, size, every)
    manifest = _manifest(root, {"seed": seed, "size": list(size), "every": every})
    made = manifest["splits"]
    for split in splits:
        if SEEN not in made.get(split, {}):
            facts = made.get(split) or _make_split(root, split, seed, size, every, progress)
            made[split] = facts | {SEEN: least_seen(split, seed, size)}
            write_text(root / NAME, json.dumps(manifest, indent=1) + "\n")


def _bounds(splits: Sequence[str], seed: int, size: tuple[int, int], every: int) -> None:
    """UserError for what cannot be made."""
    unknown = [s for s in splits if s not in SPLITS]
    if unknown or not splits:
        what = f"synth has no split {unknown[0]!r}" if unknown else "no split of synth is named"
        raise UserError(f"{what}; there are: {', '.join(SPLITS)}")
    if not all(SMALLEST <= side <= LARGEST for side in size):
        sides = f"{SMALLEST} to {LARGEST} pixels"
        raise UserError(f"size {'x'.join(map(str, size))}: expected {sides} a side, for instance 96x160")
    if seed < 0 or every < 1:
        raise UserError(f"seed {seed}, every {every}: expected a seed from 0 and an `every` from 1")


def _manifest(root: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    if not (root / NAME).exists():
        return wanted | {"splits": {}}
    manifest = read_manifest(root)
    found = settings(manifest)
    if found != wanted:
        raise UserError(f"{root} holds synth with {found}, asked for {wanted}. Choose another --out")
    return manifest


def _make_split(
    root: Path, split: str, seed: int, size: tuple[int, int], every: int, progress: Progress | None
) -> dict[str, Any]:
    facts = Facts()
    for number, moment in enumerate(moments(split, seed, size)):
        if progress:
            progress(f"{split} {moment.video}", number, SPLITS[split].count * LENGTH)
        facts.add(moment)
        synth_layout.write_frame(root, moment, every)
    synth_layout.write_lists(root, split, videos_of(split), LENGTH, every)
    return facts.summary() | {"files": hash_files(root, split, videos_of(split))}


def write_clip(root: Path, size: tuple[int, int], frames: int) -> None:
    """One video of the given length below `root`, as split val of VIP (root/VIP) and DAVIS (root/DAVIS).

    size: (height, width) in pixels. Raises UserError for sides outside 32..4096 and for no frame.
    """
    _bounds(["val"], 0, size, frames)
    s, video = SPLITS["val"], videos_of("val")[0]
    shown = scene(np.random.default_rng([0, s.first]), size, frames, s.crowd, s.spread, s.blurred)
    for i in range(frames):
        moment = Moment(video, i, shown.render(i), shown.photo(i), (), shown.blur[i])
        synth_layout.write_frame(root, moment, every=1)
    synth_layout.write_lists(root, "val", [video], frames, every=1)


def content(split: str, seed: int = 0, size: tuple[int, int] = (96, 160)) -> dict[str, Any]:
    """The hash of a split's pixels, ids and flows, and its statistics, without writing anything."""
    facts = Facts()
    for moment in moments(split, seed, size):
        facts.add(moment)
    return facts.summary()


class Facts:
    """The content hash and the statistics of a split, gathered frame by frame."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.frames = self.blurred = self.persons = self.occluded = 0
        self.crowd: set[int] = set()

    def add(self, moment: Moment) -> None:
        """Count one frame."""
        here = moment.render
        for array in (moment.photo, here.category, here.human, *(flow for _, flow in moment.flows)):
            self.digest.update(np.ascontiguousarray(array).tobytes())
        self.frames += 1
        self.blurred += moment.blur != "sharp"
        whole = [(seen, full) for seen, full in here.visible if full]
        self.persons += len(whole)
        self.occluded += sum(seen <= OCCLUDED * full for seen, full in whole)
        self.crowd.add(len(here.visible))

    def summary(self) -> dict[str, Any]:
        """What is frozen of a split."""
        return {
            "sha256": self.digest.hexdigest(),
            "frames": self.frames,
            "persons": [min(self.crowd), max(self.crowd)],
            "occluded": round(self.occluded / self.persons, 4),
            "blurred": round(self.blurred / self.frames, 4),
        }
