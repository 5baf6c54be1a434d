"""Everything wrong with a file of instances in COCO's format, with how to mend it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vipbench.datasets.coco_file import CocoFile
from vipbench.errors import Problem
from vipbench.types import is_name

REPAIR = "Repair the file, or download it again"


def check(file: CocoFile, images: Sequence[Path]) -> list[Problem]:
    """images: where the images should lie; without them nothing but `run` is impossible."""
    return [*_ids(file), *_annotations(file), *_images(file, images)]


def _ids(file: CocoFile) -> Iterator[Problem]:
    """Ids that occur twice or cannot name a file, and lists that hold nothing."""
    for name, rows in file.data.items():
        if not rows:
            yield Problem(str(file.path), f'some "{name}"', "none", REPAIR)
        twice = [i for i, count in Counter(str(row.get("id")) for row in rows).items() if count > 1]
        if twice:
            yield Problem(str(file.path), f'"{name}" with ids of their own', f"twice: {_some(twice)}", REPAIR)
    bad = [repr(image) for image in file.images if not is_name(image)]
    if bad:
        yield Problem(str(file.path), "image ids that can name a file", _some(bad), "Number the images")


def _annotations(file: CocoFile) -> Iterator[Problem]:
    """Annotations that cannot be scored against, and those of no image."""
    for image in file.images:
        yield from file.faults(image)
    for image in file.annotations.keys() - file.images.keys():
        where = file.where(*file.annotations[image][0])
        yield Problem(where, "an image that is listed", f"no image {image}", REPAIR)


def _images(file: CocoFile, images: Sequence[Path]) -> Iterator[Problem]:
    absent = [path.name for path in images if not path.is_file()]
    if absent:
        got = f"{len(absent)} without one: {_some(absent)}"
        mend = "`score` does not need them; to `run` a method unpack them there"
        where = str(images[0].parent)
        yield Problem(where, f"an image for each of {len(images)} ids", got, mend, warning=True)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
