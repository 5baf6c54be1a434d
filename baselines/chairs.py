"""FlyingChairs (Dosovitskiy et al. 2015): 22,872 image pairs of 512x384 with the flow between them.

    ROOT/data/00001_img1.ppm  00001_img2.ppm  00001_flow.flo
    ROOT/FlyingChairs_train_val.txt     a line for each pair: 1 for training, 2 for validation (640 of them)

https://lmb.informatik.uni-freiburg.de/resources/datasets/FlyingChairs.en.html, for research use.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import ProblemError, UserError
from vipbench.flow import read_flow
from vipbench.pixels import read_image

ENV = "VIPBENCH_CHAIRS"
LIST = "FlyingChairs_train_val.txt"
MEND = f"Unpack FlyingChairs_release, and let {ENV} name the folder that holds `data`"
TRAIN, VAL = "1", "2"
VAL_SHARE = 640 / 22872
Example = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]


@dataclass(frozen=True)
class Chairs:
    """FlyingChairs at `root`: the names of the pairs of each split, "00001" on."""

    root: Path
    train: tuple[str, ...]
    val: tuple[str, ...]

    @classmethod
    def at(cls, root: Path) -> Chairs:
        """Find the pairs and their splits; without the list the last 640 of 22,872 are held out, as a share.

        That split is not the published one. Raises UserError for a folder without pairs and for a list that
        does not fit them.
        """
        names = sorted(path.name.removesuffix("_flow.flo") for path in (root / "data").glob("*_flow.flo"))
        if not names:
            raise ProblemError(
                root / "data", "FlyingChairs: *_img1.ppm, *_img2.ppm, *_flow.flo", "none", MEND
            )
        marks = _marks(root, len(names))
        splits = (tuple(n for n, m in zip(names, marks, strict=True) if m == kind) for kind in (TRAIN, VAL))
        train, val = splits
        if not train or not val:
            mend = "Unpack all of FlyingChairs, with its own list"
            raise ProblemError(root, "pairs of both splits", f"{len(train)} and {len(val)}", mend)
        return cls(root, train, val)

    def read(self, name: str) -> Example:
        """(first image, second image, flow): uint8 RGB [H, W, 3] twice, float32 [H, W, 2] in pixels.

        What the first shows at (x, y) the second shows at (x + u, y + v): the first is the target and the
        second the reference. Raises UserError for files that are missing, damaged or of different sizes.
        """
        start = self.root / "data" / name
        first, second = (read_image(start.with_name(f"{name}_img{i}.ppm")) for i in (1, 2))
        flow = read_flow(start.with_name(f"{name}_flow.flo"))
        sizes = [a.shape[:2] for a in (first, second, flow)]
        if len(set(sizes)) > 1:
            raise ProblemError(start, "two images and a flow of one size", f"{sizes}", "Unpack it again")
        return first, second, flow


def from_environment() -> Chairs | None:
    """The copy that VIPBENCH_CHAIRS names, None where it names none. Raises UserError for an unfit folder."""
    root = os.environ.get(ENV)
    return Chairs.at(Path(root)) if root else None


def _marks(root: Path, count: int) -> list[str]:
    """ "1" (train) or "2" (val) for each pair in the order of its number."""
    path = next((p for p in (root / LIST, root / "data" / LIST) if p.is_file()), None)
    if path is None:
        held_out = max(1, round(VAL_SHARE * count))
        return [TRAIN] * (count - held_out) + [VAL] * held_out
    try:
        marks = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}). Copy it again") from None
    if len(marks) != count or not set(marks) <= {TRAIN, VAL}:
        got = f"{len(marks)} lines of {sorted(set(marks))[:5]}"
        raise ProblemError(path, f"{count} lines, one for each pair, of 1 or 2", got, MEND)
    return marks
