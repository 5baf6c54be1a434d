"""Sequences of several objects at 854x480, laid together from the single objects of DAVIS 2016 val.

    python tests/benchmarks/make_multi.py DATA OUT        DATA: what VIPBENCH_TEST_DATA names

OUT/multi: 6 sequences of 64 frames with three objects; the predictions are what published methods submitted
for the same sequences, laid together the same way. OUT/proposals: the unsupervised task, 2 sequences of 37
frames; 20 proposals a frame, three as above and 17 halves of other objects. Palette PNG as Pillow writes it,
and the photos that davis2017-evaluation counts. Research data: nothing of it is ever committed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vipbench.pixels import read_ids, write_ids, write_image
from vipbench.types import Ids

LONG = (
    "bmx-trees",
    "breakdance",
    "camel",
    "car-roundabout",
    "cows",
    "dance-twirl",
    "goat",
    "parkour",
    "soapbox",
)
METHODS = ("osvos", "sflu", "cut")
SHIFTS = ((0, 0), (-90, 250), (70, -230))  # of the three objects, in (y, x) pixels
OBJECTS, PROPOSALS = 3, 20


def mask(folder: Path, sequence: str, frame: int, shift: tuple[int, int]) -> NDArray[np.bool_]:
    """An object of a folder of masks, moved; what leaves the image comes back on the other side."""
    return np.roll(read_ids(folder / sequence / f"{frame:05d}.png") != 0, shift, (0, 1))


def sources(number: int) -> Iterator[tuple[int, str, str, tuple[int, int]]]:
    """(id, sequence, method, shift) of the objects of a made sequence."""
    for obj in range(OBJECTS):
        which = LONG[(number + 3 * obj) % len(LONG)]
        yield obj + 1, which, METHODS[(number + obj) % len(METHODS)], SHIFTS[obj]


def frames(data: Path, number: int, frame: int) -> tuple[Ids, Ids]:
    """Ground truth and prediction of a frame: three objects, a later over an earlier one."""
    gt, pred = np.zeros((480, 854), np.uint16), np.zeros((480, 854), np.uint16)
    for obj, sequence, method, shift in sources(number):
        gt[mask(data / "DAVIS/Annotations/480p", sequence, frame, shift)] = obj
        pred[mask(data / "davis2016_predictions" / method, sequence, frame, shift)] = obj
    return gt, pred


def proposals(data: Path, number: int, frame: int, pred: Ids) -> Ids:
    """The prediction and 17 more pieces on what is left of the image: halves of further objects."""
    found = pred.copy()
    for proposal in range(OBJECTS + 1, PROPOSALS + 1):
        folder = data / "davis2016_predictions" / METHODS[proposal % len(METHODS)]
        sequence = LONG[(number + proposal) % len(LONG)]
        piece = mask(folder, sequence, frame, (37 * proposal % 480, 101 * proposal % 854))
        piece[slice(240) if proposal % 2 else slice(240, None)] = False
        found[piece & (found == 0)] = proposal
        found[(proposal - 4) * 28 : (proposal - 4) * 28 + 5, :5] = proposal  # each has pixels
    return found


def write(root: Path, annotations: str, sequence: str, frame: int, gt: Ids, pred: Ids) -> None:
    """One frame of a data set and of its prediction folder."""
    address = f"{sequence}/{frame:05d}"
    write_ids(root / "DAVIS" / annotations / "480p" / f"{address}.png", gt)
    write_ids(root / "preds" / f"{address}.png", pred)
    write_image(root / "DAVIS/JPEGImages/480p" / f"{address}.jpg", np.zeros((480, 854, 3), np.uint8))


def lists(root: Path, sequences: list[str]) -> Path:
    """Name the sequences of the split val."""
    path = root / "DAVIS/ImageSets/2017/val.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in sequences))
    return root


def make_multi(data: Path, root: Path, count: int = 6, length: int = 64) -> Path:
    """The semi-supervised task. Returns the root, with DAVIS/ and preds/."""
    for number in range(count):
        for frame in range(length):
            write(root, "Annotations", f"multi{number}", frame, *frames(data, number, frame))
    return lists(root, [f"multi{number}" for number in range(count)])


def make_proposals(data: Path, root: Path, count: int = 2, length: int = 37) -> Path:
    """The unsupervised task with 20 proposals. Returns the root, with DAVIS/ and preds/."""
    for number in range(count):
        for frame in range(length):
            gt, pred = frames(data, number, frame)
            found = proposals(data, number, frame, pred)
            write(root, "Annotations_unsupervised", f"proposals{number}", frame, gt, found)
    return lists(root, [f"proposals{number}" for number in range(count)])


def repeat(root: Path, out: Path, times: int) -> Path:
    """The same sequences so many times, as links: more work without more files."""
    names = (root / "DAVIS/ImageSets/2017/val.txt").read_text().split()
    copies = [(name, f"{name}-{i:04d}") for i in range(times) for name in names]
    for folder in ("DAVIS/Annotations/480p", "DAVIS/JPEGImages/480p", "preds"):
        (out / folder).mkdir(parents=True)
        for name, copy in copies:
            (out / folder / copy).symlink_to(root / folder / name)
    return lists(out, [copy for _, copy in copies])


if __name__ == "__main__":
    make_multi(Path(sys.argv[1]), Path(sys.argv[2]) / "multi")
    make_proposals(Path(sys.argv[1]), Path(sys.argv[2]) / "proposals")
