"""One video of a prediction folder -> the states of all measures, from the cache if nothing has changed.

Each file is read once, for what is wrong with it and for what the measures see.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import vipbench
from vipbench import metrics, native
from vipbench.atomic import write_text
from vipbench.check import classes_of, doubts
from vipbench.errors import Problem
from vipbench.instances import strangers
from vipbench.metrics.measure import Measure, Pair, objects_of, without_void
from vipbench.seen import Content, Seen
from vipbench.specs import source_files
from vipbench.types import Dataset, Frame, Parsing, Video
from vipbench.version import __version__
from vipbench.work import FolderWork


@dataclass(frozen=True)
class Scored:
    """What is sent back for one video.

    truth, prediction: sha256 over ids and rows of all layers, frame by frame. states: each measure's state
    as JSON, by the measure's text. groups: the same of the frames that have a tag, by tag. problems: of the
    video's files; where one is an error there is nothing else.
    """

    video: str
    truth: str = ""
    prediction: str = ""
    states: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass
class VideoWork(FolderWork):
    """Scores one video. cache: folder for states, None for none. Pickled as names: a worker opens its own."""

    measures: tuple[Measure, ...]
    cache: Path | None

    def __reduce__(self) -> tuple[Any, ...]:
        return VideoWork, (self.data, self.root, self.measures, self.cache)

    @cached_property
    def videos(self) -> set[str]:
        """The videos that have predictions."""
        return set(self.folder.videos())

    def __call__(self, video: Video) -> Scored:
        path = self.cache and self.cache / f"{self._key(video)}.json"
        earlier = _read(path) if path else None
        if earlier is not None and list(earlier.states) == [str(measure) for measure in self.measures]:
            now = self._observe(video, ())
            if now == replace(earlier, states={}, groups={}):
                return earlier
        scored = self._observe(video, self.measures)
        if path and scored.states:
            with suppress(OSError):  # a cache that cannot be written costs time, not the scores
                write_text(path, json.dumps(asdict(scored)))
        return scored

    def _observe(self, video: Video, measures: tuple[Measure, ...]) -> Scored:
        """Hash a video's frames and let the measures see them, in one reading."""
        content, seen, first = Content(), Seen(measures), remembering(self.dataset)
        problems = doubts(self.folder if video.id in self.videos else None, first, video)
        for frame, pair in self._pairs(video, first, problems):
            content.add(pair)
            seen.keep(seen.observe(pair), frame.tags)
            del pair  # so that the next frame takes its memory, which is still in the processor's caches
        if any(not problem.warning for problem in problems):
            return Scored(video.id, problems=tuple(problems))
        return Scored(video.id, *content.hashes, seen.states(), seen.groups(), tuple(problems))

    def _pairs(self, video: Video, first: Dataset, problems: list[Problem]) -> Iterator[tuple[Frame, Pair]]:
        """Ground truth and prediction of the annotated frames in time order, up to the first error.

        first: reads the first frame. problems: takes what is wrong with the files of all frames.
        """
        frames, objects = video.annotated, tuple[int, ...]()
        present = set(self.folder.frames(video.id)) if video.id in self.videos else set()
        classes = classes_of(first, video) if present else 0
        for position, frame in enumerate(frames):
            gt, missing = (self.dataset if position else first).read(frame), frame.name not in present
            objects = objects if position else objects_of(gt)
            pred = self._missing(gt) if missing else self._prediction(frame, gt, classes, problems)
            if pred is not None and all(problem.warning for problem in problems):
                last = position == len(frames) - 1
                maps = without_void(gt, pred, self.dataset.void)
                pair = Pair(video.id, frame.name, position, last, *maps, objects, missing)
                del gt, pred, maps
                yield frame, pair
                del pair

    def _missing(self, gt: Parsing) -> Parsing | None:
        return Parsing.empty(gt.size, self.dataset.layers)

    def _prediction(self, frame: Frame, gt: Parsing, classes: int, problems: list[Problem]) -> Parsing | None:
        """The prediction for a frame, None if it cannot be read; `problems` takes what is wrong with it."""
        pred, found = self.folder.examine(frame, gt.size, classes)
        problems += found + strangers(f"{self.folder.root}: image {frame.name}", gt, pred)
        return pred

    def _key(self, video: Video) -> str:
        """Names the cache file: all that decides the states, but for the pixels, whose hashes lie inside."""
        data = [self.data.name, str(self.data.root.resolve()), self.data.options, self.dataset.version]
        tags = [frame.tags for frame in video.annotated]
        known = [str(measure) for measure in self.measures]
        parts = [_code(self.measures), data, str(self.root.resolve()), video.split, video.id, tags, known]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def remembering(dataset: Dataset) -> Dataset:
    """The data set; a frame that was read last, as the first is for several questions, is not read again."""
    found = copy(dataset)
    vars(found)["read"] = lru_cache(1)(dataset.read)
    return found


def _read(path: Path) -> Scored | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Scored(**found | {"problems": tuple(Problem(**problem) for problem in found["problems"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _code(measures: tuple[Measure, ...]) -> str:
    """sha256 over the code that makes states, plug-ins included, so that none outlives a change of it."""
    core = [Path(path) for package in (vipbench, metrics, native) for path in package.__path__]
    own = {path for folder in core for path in folder.iterdir() if path.is_file()}
    added = {path for measure in measures for path in source_files(type(measure))}
    return _hash(tuple(sorted({*own, *added})))


@cache
def _hash(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256(__version__.encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()
