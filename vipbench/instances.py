"""Rows of COCO's JSON files as instances, or what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from vipbench import rle
from vipbench.errors import Problem, ProblemError
from vipbench.types import Instance, Parsing

Row = Mapping[str, Any]
Size = tuple[int, int]
LARGEST = 2**31


def truth(where: str, row: Row, size: Size) -> Instance:
    """An annotation of an image of that size. Raises UserError for one that cannot be scored against."""
    area = row.get("area")
    if area is not None and not _is_number(area):
        raise ProblemError(where, "an area in pixels", f"{area!r}", "Write a number")
    box, mask = _box(where, row), row.get("segmentation")
    made = _mask(where, mask, size) if mask else None
    if box is None and made is None:
        raise ProblemError(where, 'a "segmentation" or a "bbox"', "neither", "Write one, or both")
    crowd = bool(row.get("iscrowd", 0))
    number = row.get("id", 0)
    if not isinstance(number, int):
        raise ProblemError(where, 'a whole number as "id"', f"{number!r}", "Number the annotations")
    return Instance(number, row["category_id"], 1.0, area, crowd, box, made)


def detection(where: str, number: int, row: Row) -> tuple[Instance, Size | None]:
    """A result, and the size of its mask. number: becomes its id. Raises UserError for a faulty one."""
    score, category = row.get("score"), row.get("category_id")
    if not _is_number(score):
        got = "none" if score is None else repr(score)
        raise ProblemError(where, "a finite score", got, 'Write "score" as a number')
    if not isinstance(category, int) or isinstance(category, bool):
        raise ProblemError(where, "a category_id", f"{category!r}", "Write the id that the data set gives it")
    box, mask = _box(where, row), row.get("segmentation")
    if not mask:
        if box is None:
            raise ProblemError(where, 'a "segmentation" or a "bbox"', "neither", "Write one, or both")
        return Instance(number, category, float(score), box=box), None
    size = _size(where, mask)
    return Instance(number, category, float(score), box=box, rle=_mask(where, mask, size)), size


def strangers(where: str, gt: Parsing, pred: Parsing | None) -> list[Problem]:
    """Detections of categories that the data set does not have."""
    if gt.instances is None or pred is None or pred.instances is None:
        return []
    unknown = sorted({one.category for one in pred.instances.rows} - set(gt.instances.names))
    mend = "Write the category_id of the data set, not the place of a category in a list"
    return [
        Problem(
            f"{where}: category {i}", f"one of {len(gt.instances.names)} categories", "none of them", mend
        )
        for i in unknown
    ]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _box(where: str, row: Row) -> rle.Box | None:
    box = row.get("bbox")
    if not box:
        return None
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)) or min(box[2:]) < 0:
        raise ProblemError(
            where, 'a "bbox" [x, y, width, height]', f"{box!r}", "Write four numbers, in pixels"
        )
    x, y, width, height = map(float, box)
    return x, y, width, height


def _size(where: str, mask: Any) -> Size:
    size = mask.get("size") if isinstance(mask, dict) else None
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        expected = 'run lengths {"size": [height, width], "counts": ...}'
        raise ProblemError(where, expected, _short(mask), "Encode masks by pycocotools.mask.encode")
    return size[0], size[1]


def _mask(where: str, mask: Any, size: Size) -> str:
    """The mask as text, of an image of that size."""
    mend = "Encode it from the mask at the image's own size"
    if isinstance(mask, dict) and _size(where, mask) != size:
        raise ProblemError(where, f"a mask of size {list(size)} (height, width)", f"{mask['size']}", mend)
    try:
        _refuse(mask)
        made = rle.encode(mask, size)
    except (ValueError, TypeError, KeyError) as error:
        raise ProblemError(where, "a mask", f"{_short(mask)} ({error})", mend) from None
    fault = rle.fault(made, size)
    if fault:
        raise ProblemError(where, f"run lengths of {size[0]} x {size[1]} pixels", fault, mend)
    return made


def _refuse(mask: Any) -> None:
    """Raise ValueError for numbers that pycocotools, which does not look at them, would break on."""
    runs = mask.get("counts") if isinstance(mask, dict) else None
    numbers = (
        runs if isinstance(runs, list) else [n for p in mask for n in p] if isinstance(mask, list) else []
    )
    if not all(_is_number(number) and abs(number) < LARGEST for number in numbers):
        raise ValueError("numbers expected")
    if isinstance(runs, list) and not all(isinstance(run, int) and run >= 0 for run in runs):
        raise ValueError("run lengths expected")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."
