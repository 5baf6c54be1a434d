"""What measures have seen of a video, frame by frame: their states, and a hash of the frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from vipbench.errors import UserError
from vipbench.metrics.measure import Measure, Pair, merged
from vipbench.types import SegmentMap


class Seen:
    """The states of measures over frames, over all of them and over those of each tag."""

    def __init__(self, measures: Sequence[Measure]) -> None:
        self.measures = measures
        self._frames: list[tuple[tuple[str, ...], list[Any]]] = []

    def observe(self, pair: Pair) -> list[Any]:
        """Each measure's state of a frame. Raises UserError where one cannot score it, or fails."""
        return [_observed(measure, pair) for measure in self.measures]

    def keep(self, observed: list[Any], tags: tuple[str, ...] = ()) -> None:
        """Take in what was observed of a frame that has these tags."""
        self._frames.append((tags, observed))

    def states(self) -> dict[str, Any]:
        """Each measure's state over all frames, as JSON by the measure's text."""
        return self._merged(observed for _, observed in self._frames)

    def groups(self) -> dict[str, dict[str, Any]]:
        """The same over the frames that have a tag, by tag."""
        tags = sorted({tag for own, _ in self._frames for tag in own})
        return {tag: self._merged(seen for own, seen in self._frames if tag in own) for tag in tags}

    def _merged(self, frames: Iterable[list[Any]]) -> dict[str, Any]:
        seen = list(frames)
        return {
            str(measure): merged(measure, [observed[k] for observed in seen]).to_json()
            for k, measure in enumerate(self.measures)
        }


def _observed(measure: Measure, pair: Pair) -> Any:
    try:
        return measure.observe(pair)
    except UserError:
        raise
    except Exception as error:
        if type(measure).__module__.startswith("vipbench."):
            raise
        where = f"{pair.video}, frame {pair.frame}"
        said = f"{type(error).__name__}: {error}"
        raise UserError(f"{where}: the measure {measure} fails ({said}). Mend it") from error


class Content:
    """sha256 of ground truth and prediction over frames, whatever the files were encoded as."""

    def __init__(self) -> None:
        self._sides = hashlib.sha256(), hashlib.sha256()

    def add(self, pair: Pair) -> None:
        """Take in a frame."""
        for digest, parsing in zip(self._sides, (pair.gt, None if pair.missing else pair.pred), strict=True):
            digest.update(pair.frame.encode())
            for name, layer in vars(parsing).items() if parsing else ():
                if layer is not None:
                    digest.update(_layer(name, layer))

    @property
    def hashes(self) -> tuple[str, str]:
        """Of ground truth and of prediction."""
        truth, prediction = (digest.hexdigest() for digest in self._sides)
        return truth, prediction


def _layer(name: str, layer: Any) -> bytes:
    rows = layer.segments if isinstance(layer, SegmentMap) else layer.rows
    pixels = layer.runs.digest if isinstance(layer, SegmentMap) else b""
    return _head(name, layer.size, rows) + pixels


@lru_cache(256)
def _head(name: str, size: tuple[int, int], rows: tuple[Any, ...]) -> bytes:
    return f"{name} {size} {rows}".encode()
