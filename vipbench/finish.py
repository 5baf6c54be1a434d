"""The states of videos -> scores: of all videos, of each, and of the groups that the data set's tags make."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Protocol

from vipbench.errors import UserError
from vipbench.metrics.measure import TAGS, Measure, MeasureWarning, label, merged
from vipbench.records import Score
from vipbench.types import Video
from vipbench.wanted import Protocols


class States(Protocol):
    """The states of a video, as `seen.Seen` has them."""

    video: str
    states: dict[str, Any]
    groups: dict[str, dict[str, Any]]


def finish(
    known: dict[str, Measure], results: Sequence[Any], videos: Sequence[Video]
) -> tuple[dict[str, list[Score]], tuple[str, ...]]:
    """The scores of every measure by its text, and what the measures warn of.

    results: of the videos, in data-set order. Raises UserError for a tag of an unknown kind.
    """
    with warnings.catch_warnings(record=True) as caught, no_collection():
        warnings.simplefilter("always")
        finished = {text: _scores(measure, text, results) for text, measure in known.items()}
    for text, measure in known.items():
        finished[text] += _groups(measure, text, results, videos)
    return finished, tuple(dict.fromkeys(f"warning: {warning.message}" for warning in caught))


@contextmanager
def no_collection() -> Iterator[None]:
    """No garbage collection: scores are many small objects, and looking through them takes as long as making
    them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def labels(groups: Protocols, finished: dict[str, list[Score]]) -> dict[str, list[str]]:
    """The labels of each protocol's numbers, those of single classes, sequences and frames included."""
    known = {text: dict.fromkeys(map(itemgetter(0), scores)) for text, scores in finished.items()}
    return {
        protocol: list(dict.fromkeys(label for measure in measures for label in known[str(measure)]))
        for protocol, measures in groups.items()
    }


def _scores(measure: Measure, text: str, results: Sequence[States]) -> list[Score]:
    values = measure.finish(*_merged(measure, {r.video: r.states[text] for r in results}))
    labels = {key: label(measure, key) for key in {value.key for value in values}}
    return [Score(labels[key], scope, float(value), n) for key, scope, value, n in values]


def _merged(measure: Measure, states: dict[str, Any]) -> tuple[Any, list[str]]:
    """The states of videos as one, and the videos."""
    kind = type(measure.empty())
    return merged(measure, [kind.from_json(state) for state in states.values()]), list(states)


def _groups(measure: Measure, text: str, results: Sequence[States], videos: Sequence[Video]) -> list[Score]:
    """The numbers over the videos, or the frames, that share a tag."""
    whole: dict[str, dict[str, Any]] = {}
    parts: dict[str, dict[str, Any]] = {}
    for video, result in zip(videos, results, strict=True):
        for tag in video.tags:
            whole.setdefault(tag, {})[video.id] = result.states[text]
        for tag, states in result.groups.items():
            parts.setdefault(tag, {})[video.id] = states[text]
    scores = [_group(measure, tag, states, ()) for tag, states in sorted(whole.items())]
    scores += [_group(measure, tag, states, measure.of_videos) for tag, states in sorted(parts.items())]
    return [score for group in scores for score in group]


def _group(measure: Measure, tag: str, states: dict[str, Any], without: tuple[str, ...]) -> list[Score]:
    """The numbers of a group, but for the keys that it cannot have."""
    if tag.partition(":")[0] not in TAGS:
        raise UserError(f"tag {tag!r} of the data set: expected <kind>:<name>, of a kind {', '.join(TAGS)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeasureWarning)
        found = measure.totals(*_merged(measure, states))
    return [Score(label(measure, v.key), tag, float(v.value), v.n) for v in found if v.key not in without]
