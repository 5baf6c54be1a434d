"""J and F of four published methods on DAVIS 2016 val, against the benchmark's own figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vipbench.metrics.boundary import F
from vipbench.metrics.measure import Pair, Rows
from vipbench.metrics.region import J
from vipbench.pixels import read_ids
from vipbench.types import Parsing, SegmentMap

METHODS = ("cut", "lvo", "osvos", "sflu")
MEASURES = (J(), F())
States = dict[tuple[str, str], Rows]


@pytest.fixture(scope="module")
def videos(test_data: Path) -> list[str]:
    return (test_data / "DAVIS/ImageSets/2016/val.txt").read_text().split()


@pytest.fixture(scope="module")
def states(test_data: Path, videos: list[str]) -> States:
    """The states of all methods; each ground truth is read once."""
    found = {(method, measure.name): measure.empty() for method in METHODS for measure in MEASURES}
    for video in videos:
        for method, pair in _pairs(test_data, video):
            for measure in MEASURES:
                key = method, measure.name
                found[key] = found[key].merge(measure.observe(pair))
    return found


def _pairs(data: Path, video: str) -> Iterator[tuple[str, Pair]]:
    files = sorted((data / "DAVIS/Annotations/480p" / video).glob("*.png"))
    for position, file in enumerate(files):
        gt = SegmentMap(read_ids(file))
        for method in METHODS:
            path = data / "davis2016_predictions" / method / video / file.name
            pred = SegmentMap(read_ids(path)) if path.is_file() else SegmentMap.empty(gt.size)
            here = Parsing(object=gt), Parsing(object=pred)
            yield (
                method,
                Pair(
                    video, file.stem, position, position == len(files) - 1, *here, missing=not path.is_file()
                ),
            )


def _published(data: Path, method: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((data / f"davis2016_published/{method}_fullprec.json").read_text())
    return found


@pytest.mark.parametrize("method", METHODS)
def test_every_frame(method: str, states: States, videos: list[str], test_data: Path) -> None:
    published = _published(test_data, method)["per_frame"]
    assert sorted(published) == sorted(videos)
    for name in ("J", "F"):
        state = states[method, name]
        for video in videos:
            values = np.array([row[3] for row in state.of(video)])
            np.testing.assert_allclose(values, published[video][name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_global_figures(method: str, states: States, videos: list[str], test_data: Path) -> None:
    published = _published(test_data, method)["global"]
    with (test_data / "davis2016_published/val_summary.csv").open() as file:
        summary = next(row for row in csv.DictReader(file) if row["method"] == method)
    for measure in MEASURES:
        values = measure.finish(states[method, measure.name], videos)
        for value in (v for v in values if v.scope == "all"):
            name = measure.name + value.key
            assert value.n == 20
            assert value.value == pytest.approx(published[name], rel=0, abs=1e-12)
            assert f"{value.value:.6f}" == summary[name]
            assert value.value == pytest.approx(float(summary[f"published_{name}"]), rel=0, abs=5.01e-4)


def test_cut_to_the_last_bit(states: States, videos: list[str], test_data: Path) -> None:
    """Of `cut` the full figures are the original MATLAB doubles."""
    published = _published(test_data, "cut")
    for name in ("J", "F"):
        for video in videos:
            assert [row[3] for row in states["cut", name].of(video)] == published["per_frame"][video][name]


def test_frames_are_not_pooled(states: States, videos: list[str]) -> None:
    """The mean of all frames of `cut` is .557432, that of the sequences .552398."""
    rows = [row[3] for video in videos for row in states["cut", "J"].of(video)]
    assert len(rows) == 1336
    assert round(float(np.mean(rows)), 6) == 0.557432
    values = {v.key: v.value for v in J().finish(states["cut", "J"], videos) if v.scope == "all"}
    assert round(values["mean"], 6) == 0.552398


def test_predictions_that_are_empty(states: States, videos: list[str]) -> None:
    """33 of sflu's frames are empty: J = F = 0 there, not left out."""
    zeros = {n: sum(row[3] == 0 for v in videos for row in states["sflu", n].of(v)) for n in ("J", "F")}
    assert zeros["J"] >= 33
    assert zeros["F"] >= 33
