"""Records with the states that they were made of, from numbers and small maps instead of a scored folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from made_records import made

from vipbench.metrics.measure import Measure, MeasureWarning, Pair, label
from vipbench.metrics.miou import MeanIoU
from vipbench.metrics.region import J
from vipbench.records import Record, Score
from vipbench.types import Parsing, SegmentMap


def record(method: str, states: Mapping[Measure, Mapping[str, Any]], **fields: Any) -> Record:
    """A Record whose numbers are those of the states: measure -> video -> state."""
    scores = []
    for measure, videos in states.items():
        merged = measure.empty()
        for state in videos.values():
            merged = merged.merge(state)
        with warnings.catch_warnings(action="ignore", category=MeasureWarning):
            values = measure.finish(merged, list(videos))
        scores += [Score(label(measure, v.key), v.scope, float(v.value), v.n) for v in values]
    known = {str(m): {video: state.to_json() for video, state in of.items()} for m, of in states.items()}
    head = made(method, **fields)
    protocols = {"made": list(dict.fromkeys(score.measure for score in scores))}
    return Record(**vars(head) | {"scores": tuple(scores), "protocols": protocols, "states": known})


def series(method: str, values: Mapping[str, Sequence[float]], **fields: Any) -> Record:
    """A Record of J with a value a video and scored frame: J.mean is the mean of the videos' means."""
    return record(method, {J(): {video: j_state(video, of) for video, of in values.items()}}, **fields)


def j_state(video: str, values: Sequence[float]) -> Any:
    rows = [[0, position, f"{position:05d}", value] for position, value in enumerate(values, 1)]
    return type(J().empty()).from_json({video: rows})


def parsed(method: str, maps: Mapping[str, tuple[Any, Any]], **fields: Any) -> Record:
    """A Record of mIoU, of (ground truth, prediction) class ids of one frame a video."""
    states = {}
    for video, (gt, pred) in maps.items():
        truth, found = (Parsing(category=SegmentMap(np.array(ids, np.uint16))) for ids in (gt, pred))
        states[video] = MeanIoU().observe(Pair(video, "00000", 0, True, truth, found))
    return record(method, {MeanIoU(): states}, **fields)


def save(folder: Path, *records: Record) -> list[Path]:
    """The files of Records, one a method."""
    paths = [folder / f"{each.method}.json" for each in records]
    for path, each in zip(paths, records, strict=True):
        each.save(path)
    return paths
