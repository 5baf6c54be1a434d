"""Pairs of tiny frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from vipbench.metrics.measure import Measure, Pair
from vipbench.types import Parsing, Segment, SegmentMap

Array = np.ndarray[Any, Any]
PAPER = {"matching": "argmax", "compare": ">", "absent": "zero"}
STRICT = {"matching": "once", "compare": ">=", "absent": "skip"}


def layer(ids: Any, segments: Sequence[Segment] | None = None) -> SegmentMap:
    """A map of ids (rows of numbers, or one row), a plain row for each id if none are given."""
    made = np.atleast_2d(np.asarray(ids)).astype(np.uint16)
    return SegmentMap.of(made) if segments is None else SegmentMap(made, tuple(segments))


def pair(name: str, gt: SegmentMap, pred: SegmentMap, **more: Any) -> Pair:
    """A frame of one layer; by default the only frame of a video, or the middle one of three objects'."""
    place = {"position": 1, "last": False} if name == "object" else {"position": 0, "last": True}
    named = {"video": "v", "frame": "f"} | place | more
    return Pair(gt=Parsing(**{name: gt}), pred=Parsing(**{name: pred}), **named)


def observed(measure: Measure, pairs: Iterable[Pair]) -> Any:
    """The state of all the frames."""
    state = measure.empty()
    for one in pairs:
        state = state.merge(measure.observe(one))
    return state


def numbers(measure: Measure, pairs: Iterable[Pair], scope: str = "all") -> dict[str, float]:
    """The numbers of a scope by key."""
    pairs = list(pairs)
    videos = list(dict.fromkeys(one.video for one in pairs))
    values = measure.finish(observed(measure, pairs), videos)
    return {v.key: v.value for v in values if v.scope == scope}


def number(measure: Measure, pairs: Iterable[Pair], key: str = "", scope: str = "all") -> float:
    """One number."""
    return numbers(measure, pairs, scope)[key]
