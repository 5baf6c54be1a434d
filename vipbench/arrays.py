"""Ids from whatever a program holds them in: NumPy arrays, torch tensors, nested lists."""

from __future__ import annotations

from typing import Any

import numpy as np

from vipbench.errors import UserError
from vipbench.types import Ids


def as_ids(values: Any, where: str = "ids") -> Ids:
    """Ids [H, W] as uint8 or uint16, without a copy where they are so already (bool as 0 and 1).

    values: an array, a torch tensor on the CPU, or rows of numbers; whole numbers in 0..65535. where: named
    in messages. Raises UserError for anything else.
    """
    found = _array(values, where)
    if found.ndim != 2:
        raise UserError(f"{where}: shape {list(found.shape)}, expected [H, W]. Pass one id for each pixel")
    if found.dtype == bool:
        return found.view(np.uint8)
    if found.dtype in (np.uint8, np.uint16):
        return found
    if found.dtype.kind not in "iu":
        mend = "Pass ids, not probabilities: an argmax, or a mask above a threshold"
        raise UserError(f"{where}: {found.dtype}, expected whole numbers. {mend}")
    if found.size and not 0 <= found.min() <= found.max() <= 65535:
        raise UserError(f"{where}: ids {found.min()}..{found.max()}, expected 0..65535, 0 for background")
    return found.astype(np.uint16)


def _array(values: Any, where: str) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged rows; a tensor that is not on the CPU
        raise UserError(f"{where}: not an array in the CPU's memory ({error}). Move it there first") from None
