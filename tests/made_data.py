"""Tiny data sets on disk: two persons with three parts in 12x16 pixels, and squares for DAVIS."""

from pathlib import Path

import numpy as np

from vipbench.pixels import write_ids, write_image
from vipbench.types import Ids

SIZE = (12, 16)
ROWS = "2 2 1\n5 5 1\n34 14 2\n"


def parts() -> Ids:
    """Part ids as VIP numbers them, class + 20 * (person - 1): hair, upper-clothes; a left arm."""
    ids = np.zeros(SIZE, np.uint16)
    ids[1:4, 2:6], ids[4:10, 2:6], ids[3:9, 9:13] = 2, 5, 34
    return ids


def persons() -> Ids:
    return np.select([np.isin(parts(), (2, 5)), parts() == 34], [1, 2]).astype(np.uint16)


def classes() -> Ids:
    return np.where(parts() == 34, 14, parts()).astype(np.uint16)


def photo(path: Path, size: tuple[int, int] = SIZE) -> None:
    write_image(path, np.full((*size, 3), 128, np.uint8))


def make_vip(
    root: Path,
    frames: list[str],
    split: str = "val",
    images: str = "",
    labels: str = "",
    colours: bool = False,
) -> Path:
    """VIP frames such as "videos1/000000000026"; images, labels: the folders that hold each of them."""
    for frame in frames:
        photo(root / images / "Images" / f"{frame}.jpg")
        for kind, ids in (("Category_ids", classes()), ("Human_ids", persons()), ("Instance_ids", parts())):
            write_ids(root / labels / kind / f"{frame}.png", ids, colours)
        (root / labels / "Instance_ids" / f"{frame}.txt").write_text(ROWS)
    lists = root / images / "lists"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / f"{split}_id.txt").write_text("".join(f"{frame}\n" for frame in frames))
    return root


def square(value: int = 1, at: int = 2, size: tuple[int, int] = SIZE) -> Ids:
    ids = np.zeros(size, np.uint16)
    ids[at : at + 4, at : at + 4] = value
    return ids


def make_davis(
    root: Path, sequences: dict[str, list[Ids]], year: int = 2016, annotations: str = "Annotations"
) -> Path:
    """DAVIS 480p with the given annotations from frame 00000 on, all in split val."""
    for sequence, maps in sequences.items():
        for number, ids in enumerate(maps):
            write_ids(root / annotations / "480p" / sequence / f"{number:05d}.png", ids)
            photo(root / "JPEGImages" / "480p" / sequence / f"{number:05d}.jpg", ids.shape)
    lists = root / "ImageSets" / str(year)
    lists.mkdir(parents=True, exist_ok=True)
    (lists / "val.txt").write_text("".join(f"{name}\n" for name in sequences))
    return root
