"""One video of a prediction folder -> the states of all measures, from the cache if nothing has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from vipbench import metrics, registry
from vipbench.atomic import write_text
from vipbench.errors import UserError
from vipbench.metrics.measure import Measure, Pair
from vipbench.metrics.protocols import PROTOCOLS
from vipbench.types import Dataset, Parsing, Video
from vipbench.version import __version__
from vipbench.work import FolderWork


@dataclass(frozen=True)
class Scored:
    """What is sent back for one video.

    truth, prediction: sha256 over ids and rows of all layers, frame by frame. states: each measure's state
    as JSON, by the measure's text.
    """

    video: str
    truth: str
    prediction: str
    states: dict[str, Any]


PLUG_INS = "plug-ins"


def protocols(dataset: Dataset) -> dict[str, tuple[Measure, ...]]:
    """The measures of the data set's protocols, and of installed plug-ins that look at one of its layers.

    Raises UserError if no protocol scores the data set.
    """
    if not dataset.protocols:
        raise UserError(f"{dataset.name} {dataset.version}: no protocol scores this version yet")
    builtin = {m.name for known in PROTOCOLS.values() for m in known}
    added = (registry.load("measures", name)() for name in registry.names("measures") if name not in builtin)
    extra = tuple(measure for measure in added if measure.layer in dataset.layers)
    return {p: PROTOCOLS[p] for p in dataset.protocols} | ({PLUG_INS: extra} if extra else {})


def measures(dataset: Dataset) -> dict[str, Measure]:
    """The measures of `protocols` by their text."""
    return {str(m): m for known in protocols(dataset).values() for m in known}


@dataclass
class VideoWork(FolderWork):
    """Scores one video. cache: folder for states, None for none. Pickled as names: a worker opens its own."""

    cache: Path | None

    def __reduce__(self) -> tuple[Any, ...]:
        return VideoWork, (self.data, self.root, self.cache)

    def __call__(self, video: Video) -> Scored:
        known = measures(self.dataset)
        path = self.cache and self.cache / f"{self._key(video, list(known))}.json"
        earlier = _read(path) if path else None
        if earlier is not None and earlier == self._observe(video, {}, earlier.states):
            return earlier
        scored = self._observe(video, known, {})
        if path:
            with suppress(OSError):  # a cache that cannot be written costs time, not the scores
                write_text(path, json.dumps(asdict(scored)))
        return scored

    def _observe(self, video: Video, known: dict[str, Measure], states: dict[str, Any]) -> Scored:
        """Hash a video's pairs and let the measures see them, in one reading."""
        truth, prediction = hashlib.sha256(), hashlib.sha256()
        merged = {text: measure.empty() for text, measure in known.items()}
        for pair in self._pairs(video):
            truth.update(_content(pair.frame, pair.gt))
            prediction.update(_content(pair.frame, None if pair.missing else pair.pred))
            for text, measure in known.items():
                merged[text] = merged[text].merge(measure.observe(pair))
        states = states | {text: state.to_json() for text, state in merged.items()}
        return Scored(video.id, truth.hexdigest(), prediction.hexdigest(), states)

    def _pairs(self, video: Video) -> Iterator[Pair]:
        """Ground truth and prediction of the annotated frames, in time order."""
        frames = video.annotated
        present = set(self.folder.frames(video.id)) if video.id in self.folder.videos() else set()
        objects = _objects(self.dataset, video)
        for position, frame in enumerate(frames):
            truth = self.dataset.read(frame)
            missing = frame.name not in present
            found = _empty(truth, self.dataset.layers) if missing else self.folder.read(video.id, frame.name)
            yield Pair(
                video=video.id,
                frame=frame.name,
                position=position,
                last=position == len(frames) - 1,
                gt=truth,
                pred=found,
                objects=objects,
                missing=missing,
            )

    def _key(self, video: Video, known: list[str]) -> str:
        """Names the cache file: all that decides the states, but for the pixels, whose hashes lie inside."""
        data = [self.data.name, str(self.data.root.resolve()), self.data.options, self.dataset.version]
        parts = [_code(), data, str(self.root.resolve()), video.split, video.id, known]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read(path: Path) -> Scored | None:
    try:
        return Scored(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _objects(dataset: Dataset, video: Video) -> tuple[int, ...]:
    """The object ids of the first annotated frame; none where the data set has no objects."""
    if "object" not in dataset.layers or not video.annotated:
        return ()
    ids = np.unique(dataset.read(video.annotated[0]).layer("object").ids).tolist()
    return tuple(i for i in ids if i not in (0, dataset.void))


def _empty(truth: Parsing, layers: tuple[str, ...]) -> Parsing:
    return Parsing.empty(truth.layer(layers[0]).size, layers)


def _content(frame: str, parsing: Parsing | None) -> bytes:
    """A digest of a frame's name, ids and rows, whatever the files were encoded as."""
    digest = hashlib.sha256(frame.encode())
    layers = {} if parsing is None else vars(parsing)
    for name, layer in layers.items():
        if layer is not None:
            digest.update(f"{name} {layer.size} {layer.segments}".encode())
            digest.update(layer.ids.tobytes())
    return digest.digest()


@cache
def _code() -> str:
    """sha256 over the code that makes states, so that none outlives a change of it."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(Path(metrics.__path__[0]).glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
