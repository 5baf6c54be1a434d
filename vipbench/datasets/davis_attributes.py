"""What is hard about the sequences of DAVIS 2016, as its authors marked them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def _table() -> dict[str, Any]:
    text = files("vipbench.datasets").joinpath("davis2016_attributes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def meanings() -> dict[str, str]:
    """What each code stands for: "OCC" -> "occlusion: ..."."""
    return dict(_table()["meaning"])


def sequences() -> dict[str, list[str]]:
    """The codes of each of the 50 sequences, sorted; none of `blackswan`."""
    return dict(_table()["sequences"])


def tags(sequence: str) -> tuple[str, ...]:
    """The groups that a sequence belongs to, "attribute:OCC"; none for one that is not of 2016."""
    return tuple(f"attribute:{code}" for code in sequences().get(sequence, ()))
