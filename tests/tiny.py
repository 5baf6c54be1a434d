"""Tiny data sets in the layouts of the real ones, and a look at a folder's files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result

from vipbench.pixels import write_ids, write_image

SIZE = (12, 16)
Cli = Callable[..., Result]


def make_davis(root: Path, frames: int = 6) -> Path:
    """A square that moves one pixel a frame, 255 on 0, with gray photos."""
    lists = root / "ImageSets" / "2016"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("bee\nant\n")
    (lists / "train.txt").write_text("cat\n")
    for offset, video in enumerate(("ant", "bee", "cat")):
        for t in range(frames):
            mask = np.zeros(SIZE, np.uint16)
            mask[3 + offset : 9, 2 + t : 8 + t] = 255
            write_ids(root / "Annotations/480p" / video / f"{t:05d}.png", mask, colours=False)
            write_image(root / "JPEGImages/480p" / video / f"{t:05d}.jpg", _photo(mask))
    return root


def make_vip(root: Path) -> Path:
    """Two persons with hair and upper clothes side by side, moving one pixel a frame."""
    lists = root / "lists"
    lists.mkdir(parents=True)
    for split, videos in {"val": ("videos2", "videos1"), "train": ("videos3",)}.items():
        lines = [f"{video}/{t:012d}\n" for video in videos for t in (1, 26, 51)]
        (lists / f"{split}_id.txt").write_text("".join(lines))
    for video in ("videos1", "videos2", "videos3"):
        for shift, t in enumerate((1, 26, 51)):
            _vip_frame(root, video, f"{t:012d}", shift + int(video[-1]) - 1)
    return root


def _vip_frame(root: Path, video: str, name: str, shift: int) -> None:
    category, human, part = (np.zeros(SIZE, np.uint16) for _ in range(3))
    for person, left in ((1, shift), (2, shift + 7)):
        human[1:11, left : left + 4] = person
        for label, rows in ((2, slice(1, 4)), (5, slice(4, 11))):
            category[rows, left : left + 4] = label
            part[rows, left : left + 4] = (person - 1) * 20 + label
    for kind, ids in (("Category_ids", category), ("Human_ids", human), ("Instance_ids", part)):
        write_ids(root / kind / video / f"{name}.png", ids, colours=False)
    (root / "Instance_ids" / video / f"{name}.txt").write_text("2 2 1\n5 5 1\n22 2 2\n25 5 2\n")
    write_image(root / "Images" / video / f"{name}.jpg", _photo(human * 100))


def _photo(ids: np.ndarray) -> np.ndarray:
    return np.repeat(ids.astype(np.uint8)[..., None], 3, axis=2)


def tree(folder: Path) -> dict[str, bytes]:
    """The visible files of a folder with their bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    paths = {path.relative_to(folder): path for path in files}
    return {str(p): file.read_bytes() for p, file in sorted(paths.items()) if not p.parts[0].startswith(".")}


def fails(cli: Cli, *words: object, says: tuple[str, ...]) -> None:
    """The command exits with 1, says all of `says` in one line, and writes nothing."""
    before = sorted(os.walk("."))
    result = cli(*words)
    assert result.exit_code == 1, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for text in says:
        assert text in errors[0]
    assert sorted(os.walk(".")) == before
