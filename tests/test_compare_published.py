"""Published results on DAVIS 2016 val compared: against all exchanges, and the resamples that scipy finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_states import save, series
from scipy.stats import bootstrap, permutation_test

from vipbench import entries
from vipbench.compare import Report, compare

METHODS = ("cut", "lvo", "osvos")


@pytest.fixture(scope="module")
def published(test_data: Path) -> dict[str, dict[str, list[float]]]:
    """J of each frame of each sequence, by method."""
    found: dict[str, dict[str, list[float]]] = {}
    for method in METHODS:
        text = (test_data / f"davis2016_published/{method}_fullprec.json").read_text()
        found[method] = {video: of["J"] for video, of in json.loads(text)["per_frame"].items()}
    return found


def report(folder: Path, published: dict[str, Any], videos: slice = slice(None), **settings: Any) -> Report:
    records = [series(m, {v: of[v] for v in list(of)[videos]}) for m, of in published.items()]
    found = entries.read(save(folder, *records))
    return compare(found, entries.labels(found, ("J.mean",)), **settings)


def means(published: dict[str, Any], method: str, videos: slice = slice(None)) -> np.ndarray:
    return np.array([np.mean(of) for of in published[method].values()][videos])


def test_exact_p_is_scipys(published: dict[str, Any], tmp_path: Path) -> None:
    found = report(tmp_path, published, slice(8)).measures[0]
    for pair in found.pairs:
        differences = means(published, pair.method, slice(8)) - means(published, pair.other, slice(8))
        test = permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
        assert pair.p == pytest.approx(test.pvalue, abs=1e-12)


def test_sampled_p_is_near_that_of_all_exchanges(published: dict[str, Any], tmp_path: Path) -> None:
    """All 2^20, by adding one sequence's difference or its opposite after the other."""
    for pair in report(tmp_path, published, resamples=10000).measures[0].pairs:
        differences = means(published, pair.method) - means(published, pair.other)
        sums = np.zeros(1)
        for difference in differences:
            sums = np.concatenate([sums + difference, sums - difference])
        exact = np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-12)
        assert abs(pair.p - exact) < 4 * np.sqrt(exact * (1 - exact) / 10000) + 1e-4


def test_intervals_are_scipys(published: dict[str, Any], tmp_path: Path) -> None:
    found = report(tmp_path, published, resamples=20000).measures[0]
    for one in (*found.methods, *found.pairs):
        values = means(published, one.method)
        if hasattr(one, "other"):
            values = values - means(published, one.other)
        kind = {"method": "percentile", "n_resamples": 20000, "rng": np.random.default_rng(1)}
        low, high = bootstrap((values,), np.mean, **kind).confidence_interval
        assert (one.low, one.high) == pytest.approx((low, high), abs=0.003)


def test_the_published_order_is_found(published: dict[str, Any], tmp_path: Path) -> None:
    """Means as published; cut is behind both, and 20 sequences do not separate the other two."""
    found = report(tmp_path, published).measures[0]
    assert [e.value for e in found.methods] == pytest.approx([0.552398, 0.758677, 0.797713], abs=1e-6)
    assert [e.rank for e in found.methods] == [3, 1, 1]
