"""The states of videos -> scores: of all videos, of each, and of the groups that the data set's tags make."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

from vipbench.errors import UserError
from vipbench.metrics.measure import KINDS, Measure, MeasureWarning, Value, label, merged
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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        finished = {text: _scores(measure, text, results) for text, measure in known.items()}
    for text, measure in known.items():
        finished[text] += _groups(measure, text, results, videos)
    return finished, tuple(dict.fromkeys(f"warning: {warning.message}" for warning in caught))


def labels(groups: Protocols, finished: dict[str, list[Score]]) -> dict[str, list[str]]:
    """The labels of each protocol's numbers, those of single classes, sequences and frames included."""
    return {
        protocol: list(dict.fromkeys(s.measure for m in known for s in finished[str(m)]))
        for protocol, known in groups.items()
    }


def _scores(measure: Measure, text: str, results: Sequence[States]) -> list[Score]:
    values = _finished(measure, {r.video: r.states[text] for r in results})
    labels = {key: label(measure, key) for key in {value.key for value in values}}
    return [Score(labels[value.key], value.scope, float(value.value), value.n) for value in values]


def _finished(measure: Measure, states: dict[str, Any]) -> list[Value]:
    """The numbers of videos from their states."""
    kind = type(measure.empty())
    return measure.finish(merged(measure, [kind.from_json(state) for state in states.values()]), list(states))


def _groups(measure: Measure, text: str, results: Sequence[States], videos: Sequence[Video]) -> list[Score]:
    """The numbers over the videos, or the frames, that share a tag."""
    tagged: dict[str, dict[str, Any]] = {}
    for video, result in zip(videos, results, strict=True):
        for tag in video.tags:
            tagged.setdefault(tag, {})[video.id] = result.states[text]
        for tag, states in result.groups.items():
            tagged.setdefault(tag, {})[video.id] = states[text]
    scores = []
    for tag, states in sorted(tagged.items()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MeasureWarning)
            found = _finished(measure, states)
        scores += [
            Score(label(measure, v.key), _known(tag), float(v.value), v.n) for v in found if v.scope == "all"
        ]
    return scores


def _known(tag: str) -> str:
    if tag.partition(":")[0] not in KINDS:
        raise UserError(f"tag {tag!r} of the data set: expected <kind>:<name>, of a kind {', '.join(KINDS)}")
    return tag
