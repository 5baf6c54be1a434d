"""A small DAVIS 2017 on which evaluations disagree: thirteen made sequences, predictions for both tasks.

`python tests/metrics/davis2017_cases.py ROOT` writes it, with the same ids each time. In it are gaps in the
ids, void, objects that come late or vanish, predictions that lack objects or are empty, 20 proposals,
exchanged ids, objects at the border and all over it, 3, 5 and 8 frames, boundary radii of 1 to 8 pixels.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vipbench.pixels import write_ids, write_image

Clip = NDArray[np.uint16]  # ids [T, H, W]
Random = np.random.Generator
VOID = 255


@dataclass(frozen=True)
class Case:
    """A sequence: its annotation and a prediction for each task."""

    name: str
    gt: Clip
    semi: Clip
    unsup: Clip


def scene(rng: Random, size: tuple[int, int], ids: tuple[int, ...], frames: int) -> Clip:
    """Ellipses that move, a later id over an earlier one; some leave the image."""
    yy, xx = np.mgrid[: size[0], : size[1]]
    clip = np.zeros((frames, *size), np.uint16)
    for obj in ids:
        y, x = (int(rng.integers(n // 5, n - n // 5)) for n in size)
        ry, rx = (int(rng.integers(n // 8 + 2, n // 4 + 3)) for n in size)
        dy, dx = (int(step) for step in rng.integers(-3, 4, 2))
        for t in range(frames):
            inside = ((yy - y - dy * t) * rx) ** 2 + ((xx - x - dx * t) * ry) ** 2 <= (rx * ry) ** 2
            clip[t][inside] = obj
    return clip


def guess(rng: Random, clip: Clip, far: int = 2, holes: int = 6) -> Clip:
    """What a method might predict: shifted (round the border), with holes and with patches of wrong ids."""
    top = int(clip.max())
    found = np.stack([np.roll(ids, rng.integers(-far, far + 1, 2), (0, 1)) for ids in clip])
    for ids in found:
        for _ in range(holes):
            y, x = (int(rng.integers(0, n)) for n in ids.shape)
            h, w = (int(rng.integers(1, n // 6 + 2)) for n in ids.shape)
            ids[y : y + h, x : x + w] = rng.integers(0, top + 1)
    return found


def renamed(clip: Clip, names: dict[int, int]) -> Clip:
    """The clip with other ids; those not named stay."""
    table = np.arange(256, dtype=np.uint16)
    table[list(names)] = list(names.values())
    return table[clip]


def plain(
    rng: Random, name: str, size: tuple[int, int], ids: tuple[int, ...], frames: int, far: int = 2
) -> Case:
    """A sequence without anything special: the same prediction for both tasks."""
    gt = scene(rng, size, ids, frames)
    pred = guess(rng, gt, far)
    return Case(name, gt, pred, pred)


def gap(rng: Random) -> Case:
    """Ids 1, 3 and 6; the prediction lacks 2 and 5 too, and has a patch of id 4."""
    case = plain(rng, "gap", (61, 83), (1, 3, 6), 5)
    pred = renamed(case.semi, {2: 0, 4: 0, 5: 0})
    pred[2, :9, :9] = 4
    return replace(case, semi=pred, unsup=pred)


def void(rng: Random) -> Case:
    """Two objects, a band of 255 through both and a frame of it around the image."""
    case = plain(rng, "void", (90, 120), (1, 2), 5)
    gt = case.gt.copy()
    gt[:, 40:47] = gt[:, :3] = gt[:, :, -4:] = VOID
    return replace(case, gt=gt)


def late(rng: Random) -> Case:
    """Ids 1 and 3 from the start, 2 from the third frame, 9 from the fourth: above the first frame's ids."""
    gt = scene(rng, (70, 100), (1, 3, 2, 9), 8)
    gt[:2][gt[:2] == 2] = 0
    gt[:3][gt[:3] == 9] = 0
    pred = guess(rng, gt, 3)
    return Case("late", gt, renamed(pred, dict.fromkeys(range(4, 10), 0)), pred)


def lacks(rng: Random) -> Case:
    """The prediction knows the first of three objects alone."""
    case = plain(rng, "lacks", (150, 61), (1, 2, 3), 5)
    pred = renamed(case.semi, {2: 0, 3: 0})
    return replace(case, semi=pred, unsup=pred)


def many(rng: Random) -> Case:
    """Four objects; unsupervised, 20 proposals that cut them and the background up."""
    case = plain(rng, "many", (120, 160), (1, 2, 3, 4), 8)
    h, w = case.gt.shape[1:]
    tiles = 5 + (np.arange(h)[:, None] // 30) * 4 + np.arange(w) // 40  # 5 .. 20
    pred = np.where(case.semi > 0, case.semi, tiles).astype(np.uint16)
    return replace(case, unsup=renamed(pred, {1: 17, 17: 1, 3: 8, 8: 3}))


def permuted(rng: Random) -> Case:
    """Good masks under other ids; semi-supervised this is a failure, unsupervised it is none."""
    case = plain(rng, "permuted", (90, 121), (1, 2, 3), 8, far=1)
    pred = renamed(case.semi, {1: 3, 2: 1, 3: 2})
    return replace(case, semi=pred, unsup=pred)


def vanishing(rng: Random) -> Case:
    """Two objects, one gone from the third frame on; empty predictions of the second and fourth frame."""
    case = plain(rng, "vanishing", (80, 60), (1, 2), 8)
    gt, pred = case.gt.copy(), case.semi.copy()
    gt[2:][gt[2:] == 1] = 0
    pred[[1, 3]] = 0
    return Case(case.name, gt, pred, pred)


def nothing(rng: Random) -> Case:
    """A prediction without any object."""
    case = plain(rng, "nothing", (60, 80), (1, 2), 3)
    return replace(case, semi=np.zeros_like(case.gt), unsup=np.zeros_like(case.gt))


def full(rng: Random) -> Case:
    """Objects that fill the image, in turn, so that their boundaries are empty; and corners."""
    gt = np.ones((5, 40, 51), np.uint16)
    pred = gt.copy()
    gt[0, :, 25:] = gt[2, :, 25:] = gt[3, -1, -1] = 2
    gt[4], pred[2], pred[4, 0, 0] = 2, 2, 0
    pred[3, -1, -1] = 0
    return Case("full", gt, pred, pred)


def cases() -> list[Case]:
    """The sequences, in the order of the split's list."""
    rng = np.random.default_rng(2017)
    return [
        plain(rng, "one", (60, 80), (1,), 5),
        plain(rng, "three", (90, 120), (1, 2, 3), 8),
        gap(rng),
        void(rng),
        late(rng),
        lacks(rng),
        many(rng),
        permuted(rng),
        plain(rng, "short", (61, 80), (1, 2), 3, far=5),
        vanishing(rng),
        nothing(rng),
        full(rng),
        plain(rng, "large", (480, 854), (1, 2, 3), 3, far=12),
    ]


def digest(made: list[Case]) -> str:
    """sha256 over the ids: the figures beside it are of these pixels and of no others."""
    clips = (clip for case in made for clip in (case.gt, case.semi, case.unsup))
    return hashlib.sha256(b"".join(clip.astype("<u2").tobytes() for clip in clips)).hexdigest()


def write(root: Path) -> Path:
    """ROOT/DAVIS with tiny photos (the reference counts them), ROOT/semi-supervised, ROOT/unsupervised,
    ROOT/digest.txt."""
    made, davis = cases(), root / "DAVIS"
    for case in made:
        for folder, clip in {
            davis / "Annotations/480p": case.gt,
            davis / "Annotations_unsupervised/480p": case.gt,
            root / "semi-supervised": case.semi,
            root / "unsupervised": case.unsup,
        }.items():
            for t, ids in enumerate(clip):
                write_ids(folder / case.name / f"{t:05d}.png", ids)
        for t in range(len(case.gt)):
            photo = davis / "JPEGImages/480p" / case.name / f"{t:05d}.jpg"
            write_image(photo, np.zeros((8, 8, 3), np.uint8))
    (davis / "ImageSets/2017").mkdir(parents=True, exist_ok=True)
    (davis / "ImageSets/2017/val.txt").write_text("".join(f"{case.name}\n" for case in made))
    (root / "digest.txt").write_text(digest(made))
    return root


if __name__ == "__main__":
    write(Path(sys.argv[1]))
