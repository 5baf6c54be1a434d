"""Persons and their parts at 854x480, with a prediction: `python tests/benchmarks/make_persons.py OUT`.

OUT/persons: 48 frames of the procedural data set, 2 videos, in the layout of VIP. The prediction is the
ground truth some pixels off, with parts missing; no two scores are equal, since how the released scripts
order equal ones depends on the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from vipbench.datasets.synth_layout import vip_name
from vipbench.datasets.synth_scene import Render
from vipbench.datasets.synth_write import LENGTH, scenes
from vipbench.folders import VipFolder
from vipbench.pixels import write_ids, write_image
from vipbench.types import Parsing, Segment, SegmentMap

SIZE = (480, 854)


def layers(category: np.ndarray, human: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes, persons and part instances, `class + 20 * (person - 1)`, of a frame."""
    part = np.where(human > 0, (human.astype(np.uint16) - 1) * 20 + category, 0).astype(np.uint16)
    part[category == 0] = 0
    return category.astype(np.uint16), human.astype(np.uint16), part


def write_truth(root: Path, video: str, name: str, category: np.ndarray, human: np.ndarray) -> None:
    """The label files of a frame."""
    kinds = ("Category_ids", "Human_ids", "Instance_ids")
    for kind, ids in zip(kinds, layers(category, human), strict=True):
        write_ids(root / kind / video / f"{name}.png", ids, colours=False)
    parts = np.unique(layers(category, human)[2])[1:].tolist()
    rows = (f"{part} {part % 20} {part // 20 + 1}\n" for part in parts)
    (root / "Instance_ids" / video / f"{name}.txt").write_text("".join(rows))


def prediction(rng: np.random.Generator, here: Render, scores: Iterator[float]) -> Parsing:
    """The truth up to 8 pixels off, some parts lost."""
    shift = tuple(rng.integers(-8, 9, 2).tolist())
    category, human, part = (np.roll(ids, shift, (0, 1)) for ids in layers(here.category, here.human))
    for lost in rng.choice(np.unique(part)[1:], 3).tolist():
        part[part == lost] = 0
    persons = (Segment(i, score=next(scores)) for i in np.unique(human)[1:].tolist())
    parts = (Segment(i, i % 20, score=next(scores)) for i in np.unique(part)[1:].tolist())
    return Parsing(SegmentMap(category), SegmentMap(human, tuple(persons)), SegmentMap(part, tuple(parts)))


def make_persons(root: Path, videos: int = 2) -> Path:
    """Write VIP/ and preds/ below the root, and return it."""
    rng = np.random.default_rng(48)
    scores = iter((rng.permutation(900_000) + 50_000) / 1e6)  # six decimals, as the files have them
    folder, lines = VipFolder(root / "preds"), []
    for video, content in islice(scenes("test", 0, SIZE), videos):
        for frame in range(LENGTH):
            here, name = content.render(frame), vip_name(frame)
            write_truth(root / "VIP", video, name, here.category, here.human)
            folder.write(video, name, prediction(rng, here, scores))
            lines.append(f"{video}/{name}\n")
            write_image(root / "VIP/Images" / video / f"{name}.jpg", np.zeros((*SIZE, 3), np.uint8))
    (root / "VIP/lists").mkdir(parents=True, exist_ok=True)
    (root / "VIP/lists/val_id.txt").write_text("".join(lines))
    return root


if __name__ == "__main__":
    make_persons(Path(sys.argv[1]) / "persons")
