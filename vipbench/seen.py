"""What measures have seen of a video, frame by frame: their states, and a hash of the frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from vipbench.metrics.measure import Measure, Pair, merged
from vipbench.types import SegmentMap


class Seen:
    """The states of measures over frames, over all of them and over those of each tag."""

    def __init__(self, measures: Sequence[Measure]) -> None:
        self.measures = measures
        self._frames: list[tuple[tuple[str, ...], list[Any]]] = []

    def add(self, pair: Pair, tags: tuple[str, ...] = ()) -> None:
        """Let every measure see a frame. Raises UserError for a prediction that cannot be scored."""
        self._frames.append((tags, [measure.observe(pair) for measure in self.measures]))

    def states(self) -> dict[str, Any]:
        """Each measure's state over all frames, as JSON by the measure's text."""
        return self._merged(observed for _, observed in self._frames)

    def groups(self) -> dict[str, dict[str, Any]]:
        """The same over the frames that have a tag, by tag."""
        tags = sorted({tag for own, _ in self._frames for tag in own})
        return {tag: self._merged(seen for own, seen in self._frames if tag in own) for tag in tags}

    def _merged(self, frames: Iterable[list[Any]]) -> dict[str, Any]:
        columns = zip(*frames, strict=True)
        return {
            str(measure): merged(measure, states).to_json()
            for measure, states in zip(self.measures, columns, strict=False)
        }


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
    return f"{name} {layer.size} {rows}".encode() + pixels
