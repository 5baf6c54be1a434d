"""Scoring from Python, frame by frame as they come: no files, and no more than a frame kept in memory.

scorer = Scorer("davis2016")
for frame, gt, pred in frames:
    scorer.add(frame, gt, pred)
for score in scorer.scores():
    print(score.measure, score.scope, score.value)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vipbench.arrays import as_ids
from vipbench.errors import UserError
from vipbench.finish import finish
from vipbench.metrics.measure import Pair, objects_of, without_void
from vipbench.records import Score
from vipbench.seen import Seen
from vipbench.types import Frame, Parsing, SegmentMap, Video
from vipbench.wanted import measures

Pixels = Any
"""A Parsing, or the ids of its layers by name, or the ids of the one layer that is scored; see arrays.py."""


@dataclass(frozen=True)
class _Result:
    """The states of a finished video."""

    video: str
    states: dict[str, Any]
    groups: dict[str, dict[str, Any]]


@dataclass
class _Open:
    """The video whose frames come in, and its latest frame, which may or may not be the last."""

    video: str
    seen: Seen
    objects: tuple[int, ...]
    count: int = 0
    latest: tuple[str, Parsing, Parsing | None, tuple[str, ...]] | None = None


class Scorer:
    """The scores of frames that are added one by one, a video after the other, in time order.

    asked: names of protocols and texts of measures ("F(tolerance=0.004)"), one or several. void: the id of
    unlabelled pixels in the ground truth's objects. Raises UserError for unknown ones.
    """

    def __init__(self, asked: str | Sequence[str], void: int | None = None) -> None:
        self.measures = measures([asked] if isinstance(asked, str) else asked)
        self.layers = tuple(dict.fromkeys(measure.layer for measure in self.measures.values()))
        self.void = void
        self._results: dict[str, _Result] = {}
        self._open: _Open | None = None

    def add(self, frame: Frame | tuple[str, str], gt: Pixels, pred: Pixels | None) -> None:
        """Take in an annotated frame: its address or (video, name), the ground truth, the prediction or None.

        Arrays are looked at before the next frame of the video has been added; do not write into them until
        then. Raises UserError for a frame of a video that has ended, for what is no map of ids, and for a
        prediction that cannot be scored (of another size, say).
        """
        video, name = (frame.video, frame.name) if isinstance(frame, Frame) else frame
        where = f"{video}, frame {name}"
        truth = self._parsing(gt, f"{where}, ground truth")
        if self._open is None or self._open.video != video:
            self._close()
            if video in self._results:
                raise UserError(
                    f"{where}: this video has ended. Add its frames one after the other, in time order"
                )
            self._open = _Open(video, Seen(tuple(self.measures.values())), objects_of(truth))
        self._observe(self._open, last=False)
        found = None if pred is None else self._parsing(pred, f"{where}, prediction")
        if found and found.size != truth.size:
            raise UserError(
                f"{where}: a prediction of size {found.size}, expected {truth.size} (height, width)"
            )
        self._open.latest = name, truth, found, frame.tags if isinstance(frame, Frame) else ()

    def scores(self) -> list[Score]:
        """The scores of all frames so far; the videos so far are over."""
        self._close()
        videos = [Video(result.video, "", ()) for result in self._results.values()]
        finished, _ = finish(self.measures, list(self._results.values()), videos)
        return [score for scores in finished.values() for score in scores]

    def _close(self) -> None:
        if self._open is not None:
            self._observe(self._open, last=True)
            seen = self._open.seen
            self._results[self._open.video] = _Result(self._open.video, seen.states(), seen.groups())
        self._open = None

    def _observe(self, video: _Open, last: bool) -> None:
        if video.latest is None:
            return
        name, gt, found, tags = video.latest
        maps = without_void(gt, Parsing.empty(gt.size, self.layers) if found is None else found, self.void)
        pair = Pair(video.video, name, video.count, last, *maps, video.objects, found is None)
        video.latest, video.count = None, video.count + 1
        video.seen.add(pair, tags)

    def _parsing(self, pixels: Pixels, where: str) -> Parsing:
        if isinstance(pixels, Parsing):
            return pixels
        layers = pixels if isinstance(pixels, Mapping) else {self._layer(where): pixels}
        maps = {name: as_ids(ids, f"{where}, {name}") for name, ids in layers.items()}
        return Parsing.of(
            {n: SegmentMap(i) if n == "category" else SegmentMap.of(i, self.void) for n, i in maps.items()}
        )

    def _layer(self, where: str) -> str:
        if len(self.layers) > 1:
            raise UserError(
                f"{where}: one array for the layers {', '.join(self.layers)}. Pass {{layer: ids}}"
            )
        return self.layers[0]
