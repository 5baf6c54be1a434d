"""Masks as COCO writes them: run lengths down the columns, first of zeros, as a text of six bits a character.

A character c is worth c - 48: 5 bits of a number, lowest first, and 32 if more follow; the highest bit of
the last group is its sign. From the third on, a number is how much longer the run is than the one before
the last. A mask is its text and, kept apart, its (height, width).

Source: pycocotools, common/maskApi.c; it makes masks of polygons and intersects them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
Box = tuple[float, float, float, float]
CODE = np.arange(48, 112)


def runs(rle: str) -> NDArray[np.int64]:
    """The lengths of the runs [N], zeros first. Raises ValueError for a text that is no mask."""
    digits = np.frombuffer(rle.encode(), np.uint8).astype(np.int64) - CODE[0]
    if digits.size and (digits.min() < 0 or digits.max() >= len(CODE) or digits[-1] & 32):
        raise ValueError("not run lengths")
    starts = np.flatnonzero(np.append(True, ~(digits[:-1] & 32).astype(bool))) if digits.size else digits
    lengths = np.diff(starts, append=digits.size)
    if lengths.max(initial=0) > 10:  # 50 bits: no image has more pixels
        raise ValueError("not run lengths")
    place = np.arange(digits.size) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((digits & 31) << 5 * place, starts) if digits.size else digits
    last = digits[starts + lengths - 1]
    numbers -= np.where(last & 16, 1 << 5 * lengths, 0)
    for parity in (1, 2):
        numbers[parity::2] = np.cumsum(numbers[parity::2])
    return numbers


def fault(rle: str, size: Size) -> str | None:
    """What is wrong with a mask of an image of that size; None if nothing is.

    pycocotools does not look, and reads beyond its arrays.
    """
    try:
        found = runs(rle)
    except ValueError as error:
        return str(error)
    if found.min(initial=0) < 0:
        return "a run of negative length"
    pixels = int(found.sum())
    return None if pixels == size[0] * size[1] else f"runs of {pixels} pixels in all"


def area(rle: str, size: Size) -> int:
    """How many pixels are in the mask."""
    from pycocotools import mask

    return int(mask.area([_coco(rle, size)])[0])


def encode(segmentation: Any, size: Size) -> str:
    """The mask of a COCO "segmentation": polygons [[x1, y1, x2, y2, ...], ...], or run lengths, as numbers or
    as text, in a dict with their size. Raises ValueError or TypeError for anything else."""
    from pycocotools import mask

    if isinstance(segmentation, dict) and isinstance(segmentation["counts"], str):
        return str(segmentation["counts"])
    if isinstance(segmentation, list) and not segmentation:
        raise ValueError("no polygon")
    if isinstance(segmentation, list) and any(len(polygon) < 6 for polygon in segmentation):
        raise ValueError("a polygon of fewer than three points")
    made = mask.frPyObjects(segmentation, *size)
    return _text(mask.merge(made) if isinstance(made, list) else made)


def of_box(box: Box, size: Size) -> str:
    """A box filled."""
    x, y, width, height = box
    right, bottom = x + width, y + height
    return encode([[x, y, x, bottom, right, bottom, right, y]], size)


def box(rle: str, size: Size) -> Box:
    """The tightest (x, y, width, height) around a mask; zeros around an empty one."""
    from pycocotools import mask

    x, y, width, height = mask.toBbox([_coco(rle, size)])[0].tolist()
    return x, y, width, height


def ious(
    found: Sequence[str], truths: Sequence[str], crowd: NDArray[np.bool_], size: Size
) -> NDArray[np.float64]:
    """Intersection over union, float64 [D, G] in 0..1; for a crowd over the area of what was found."""
    from pycocotools import mask

    if not found or not truths:
        return np.zeros((len(found), len(truths)))
    columns = [_coco(rle, size) for rle in truths]
    ratios: NDArray[np.float64] = mask.iou([_coco(rle, size) for rle in found], columns, crowd.tolist())
    return ratios


def _coco(rle: str, size: Size) -> dict[str, Any]:
    return {"size": list(size), "counts": rle}


def _text(made: dict[str, Any]) -> str:
    return str(made["counts"].decode("ascii"))
