"""Scoring from Python, frame by frame as they come: no files, and no more than a frame kept in memory.

scorer = Scorer("davis2016")
for video, name, gt, pred in frames:
    scorer.add((video, name), gt, pred)
for score in scorer.scores():
    print(score.measure, score.scope, score.value)
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vipbench import provenance
from vipbench.arrays import as_ids
from vipbench.errors import UserError
from vipbench.finish import finish, labels
from vipbench.metrics.measure import MeasureWarning, Pair, objects_of, without_void
from vipbench.records import Provenance, Record, Score
from vipbench.seen import Content, Seen
from vipbench.types import Frame, Parsing, Segment, SegmentMap, Video
from vipbench.version import __version__
from vipbench.wanted import Protocols, asked_for, void_of

Pixels = Any
"""A Parsing, or the ids of its layers by name, or the ids of the one layer that is scored; see arrays.py."""
Held = tuple[Pair, list[Any], tuple[str, ...]]
"""A frame, what was observed of it, its tags."""


@dataclass
class _Scored:
    """A finished video."""

    video: str
    states: dict[str, Any]
    groups: dict[str, dict[str, Any]]
    hashes: tuple[str, str]


@dataclass
class _Open:
    """The video whose frames come in. held: the latest of them, which may or may not be the last."""

    video: str
    seen: Seen
    objects: tuple[int, ...]
    content: Content = field(default_factory=Content)
    names: set[str] = field(default_factory=set)
    held: Held | None = None


class Scorer:
    """The scores of frames that are added one by one, a video after the other, in time order.

    asked: names of protocols and texts of measures ("F(tolerance=0.004)"), one or several. What 255 means in
    DAVIS's ground truth is the protocol's affair: object (2016), background or void. Raises UserError for
    unknown ones, and for protocols that differ in that.
    """

    def __init__(self, asked: str | Sequence[str]) -> None:
        names = [asked] if isinstance(asked, str) else list(asked)
        self.protocols: Protocols = asked_for(names)
        self.void = void_of(names)
        self.measures = {str(m): m for known in self.protocols.values() for m in known}
        self.layers = tuple(dict.fromkeys(measure.layer for measure in self.measures.values()))
        self._results: dict[str, _Scored] = {}
        self._open: _Open | None = None

    def add(self, frame: Frame | tuple[str, str], gt: Pixels, pred: Pixels | None) -> None:
        """Take in an annotated frame: its address or (video, name), the ground truth, the prediction or None.

        Do not write into arrays before the next frame of the video was added. Raises UserError for a frame
        that was there or whose video has ended, for what is no map of ids, and for a prediction that cannot
        be scored (of another size, say); the frame is then not taken in, and can be added again.
        """
        video, name = _address(frame)
        where = f"{video}, frame {name}"
        maps = self._maps(where, gt, pred)
        current = self._open if self._open and self._open.video == video else None
        if video in self._results or (current and name in current.names):
            what = "this video has ended" if video in self._results else "this frame was added before"
            raise UserError(f"{where}: {what}. Add the frames of a video one after the other, each once")
        objects = current.objects if current else objects_of(maps[0])
        position = len(current.names) if current else 0
        pair = Pair(video, name, position, False, *maps, objects, pred is None)
        opened = current or _Open(video, Seen(tuple(self.measures.values())), objects)
        observed = opened.seen.observe(pair)
        if current is None:
            self._close()
        self._open = opened
        self._keep(opened)
        opened.names.add(name)
        opened.held = pair, observed, frame.tags if isinstance(frame, Frame) else ()

    def scores(self) -> list[Score]:
        """The scores of all frames so far, whose videos are over with this. Warns with MeasureWarning."""
        return [score for scores in self._finished().values() for score in scores]

    def record(self, method: str, dataset: str, split: str = "") -> Record:
        """A Record of all frames so far: `save` it, then compare it or break it down as any other."""
        finished, results = self._finished(), self._results.values()
        made = Provenance(
            version=__version__,
            git=provenance.git_commit(),
            command=provenance.command(),
            created=provenance.now(),
            dataset_version="",
            dataset_hash=_joined(f"{r.video} {r.hashes[0]}" for r in results),
            prediction_hash=_joined(f"{r.video} {r.hashes[1]}" for r in results),
            device=provenance.device(),
            layout="arrays",
        )
        scores = tuple(score for own in finished.values() for score in own)
        states = {text: {r.video: r.states[text] for r in results} for text in self.measures}
        protocols = labels(self.protocols, finished)
        return Record(method, {}, dataset, split, protocols, scores, None, made, states=states)

    def _finished(self) -> dict[str, list[Score]]:
        self._close()
        results = list(self._results.values())
        finished, notes = finish(self.measures, results, [Video(r.video, "", ()) for r in results])
        for note in notes:
            warnings.warn(MeasureWarning(note.removeprefix("warning: ")), stacklevel=3)
        return finished

    def _close(self) -> None:
        if self._open is not None:
            self._keep(self._open, last=True)
            seen, content = self._open.seen, self._open.content
            done = _Scored(self._open.video, seen.states(), seen.groups(), content.hashes)
            self._results[done.video] = done
        self._open = None

    def _keep(self, video: _Open, last: bool = False) -> None:
        if video.held is not None:
            pair, observed, tags = video.held
            video.content.add(pair)
            video.seen.keep(video.seen.observe(replace(pair, last=True)) if last else observed, tags)
            video.held = None

    def _maps(self, where: str, gt: Pixels, pred: Pixels | None) -> tuple[Parsing, Parsing]:
        truth = self._parsing(gt, f"{where}, ground truth")
        if self.void == "background":
            truth = _as_background(truth)
        found = Parsing.empty(truth.size, self.layers)
        if pred is not None:
            found = self._parsing(pred, f"{where}, prediction")
        if found.size != truth.size:
            got = f"a prediction of size {found.size}, expected {truth.size} (height, width)"
            raise UserError(f"{where}: {got}. Nothing is resized")
        return without_void(truth, found, WHITE if self.void == "left out" else None)

    def _parsing(self, pixels: Pixels, where: str) -> Parsing:
        """The layers that are scored. Raises UserError where one is missing or is no map of ids."""
        parsing: Parsing = pixels
        if not isinstance(pixels, Parsing):
            layers = pixels if isinstance(pixels, Mapping) else dict.fromkeys(self.layers[:1], pixels)
            parsing = _from_arrays(
                {name: as_ids(ids, f"{where}, {name}") for name, ids in layers.items()}, where
            )
        lacking = [name for name in self.layers if getattr(parsing, name, None) is None]
        if lacking or 0 in parsing.size:
            got = f"no layer {lacking[0]!r}" if lacking else "no pixel"
            raise UserError(
                f"{where}: {got}. Pass {', '.join(self.layers)}, as {{name: ids}} or as a Parsing"
            )
        return parsing


WHITE = 255


def _address(frame: Frame | tuple[str, str]) -> tuple[str, str]:
    try:
        video, name = (frame.video, frame.name) if isinstance(frame, Frame) else frame
    except (TypeError, ValueError):
        raise UserError(f"{frame!r}: expected a Frame or (video, name)") from None
    return str(video), str(name)


def _from_arrays(layers: Mapping[str, Any], where: str) -> Parsing:
    """A Parsing with plain rows; a part's class and person are those of most of its pixels."""
    maps = {n: SegmentMap(ids) if n == "category" else SegmentMap.of(ids) for n, ids in layers.items()}
    if "part" in maps:
        if not {"category", "human"} <= maps.keys():
            raise UserError(
                f"{where}: part without category and human. Pass all three, or a Parsing with rows"
            )
        classes, persons = (_owners(maps["part"], maps[name]) for name in ("category", "human"))
        rows = (Segment(s.id, classes[s.id], persons[s.id]) for s in maps["part"].segments)
        maps["part"] = maps["part"].with_rows(rows)
    return Parsing.of(maps)


def _owners(parts: SegmentMap, others: SegmentMap) -> dict[int, int]:
    """The id of the other map that most pixels of each part have."""
    most = others.runs.ids[parts.runs.joint(others.runs).argmax(axis=1)]
    return dict(zip(parts.present, most.tolist(), strict=True))


def _as_background(truth: Parsing) -> Parsing:
    if truth.object is None or WHITE not in truth.object.present:
        return truth
    ids = truth.object.ids
    return replace(truth, object=SegmentMap.of(np.where(ids == WHITE, ids.dtype.type(0), ids)))


def _joined(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
