"""Records of one data set -> each number with an interval, each pair of methods with a test.

All comes from the states that lie beside the Records; nothing is scored again. The video is the resampling
unit (`vipbench/stats.py`).

    interval    percentile bootstrap; of a difference the same resampled videos for both methods
    p           two-sided randomisation test: each video's predictions stay or are exchanged between the two
                methods, and the number of each so mixed method is computed anew. This holds for numbers that
                are no mean over videos, such as mIoU and AP. Exact where all 2^videos exchanges are tried
    holm        p, corrected for all pairs of methods of this number
    wins        videos on which the first method's number is the better one; ties are equal, losses the rest
    rank        methods that no corrected test separates from the best of their group share its rank
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from vipbench import stats
from vipbench.entries import Entry
from vipbench.errors import UserError
from vipbench.metrics.measure import parse
from vipbench.resampled import Resampled
from vipbench.stats import CLOSE

RESAMPLES = 2000
ALPHA = 0.05
SAME = 1e-9
"""How far the number made of the states may be from the Record's; anything more is another measure."""
Progress = Callable[[str, int, int], None]
"""Called with the measure that is being resampled, how many were, and of how many."""


@dataclass(frozen=True)
class Estimate:
    """A method's number. low, high: its interval, None where there is none. undefined: resamples without a
    value, left out of the interval. rank: 1 is the best.
    """

    method: str
    value: float
    low: float | None
    high: float | None
    undefined: int
    rank: int | None


@dataclass(frozen=True)
class Difference:
    """The number of `method` minus that of `other`; p and holm are NaN where it is undefined.

    undefined: resamples without a value, left out of the interval. undefined_exchanges: exchanges without a
    value, extreme in the test. wins, ties, losses: videos on which `method` is the better one, equal, the
    worse one; videos where either has no value are in none of them.
    """

    method: str
    other: str
    value: float
    low: float | None
    high: float | None
    undefined: int
    undefined_exchanges: int
    p: float
    holm: float
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True)
class Comparison:
    """All methods by one number."""

    measure: str
    lower_is_better: bool
    methods: tuple[Estimate, ...]
    pairs: tuple[Difference, ...]


@dataclass(frozen=True)
class Report:
    """What was compared and how.

    exchanges: those that the test tried, that of no video included. exact: they are all that there are.
    """

    dataset: str
    version: str
    split: str
    dataset_hash: str
    videos: tuple[str, ...]
    resamples: int
    seed: int
    alpha: float
    exchanges: int
    exact: bool
    measures: tuple[Comparison, ...]
    unit: str = "video"
    interval: str = "percentile bootstrap"
    test: str = "two-sided randomisation test, Holm"


def compare(
    entries: Sequence[Entry],
    labels: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
    alpha: float = ALPHA,
    progress: Progress | None = None,
) -> Report:
    """The methods that `entries.read` gave by the numbers of `labels`.

    resamples: of the bootstrap, and at most so many exchanges of the test. seed: 0 or more; the same gives
    the same. alpha: 1 - the level of the intervals, and what separates. Raises UserError for states that do
    not give the Record's numbers.
    """
    count = len(entries[0].videos)
    drawn, swaps = stats.resamples(count, resamples, seed), stats.exchanges(count, resamples, seed)
    wanted: dict[str, list[str]] = {}
    for text in labels:
        wanted.setdefault(str(parse(text)[0]), []).append(text)
    found: dict[str, Comparison] = {}
    for done, texts in enumerate(wanted.values(), 1):
        measure, _ = parse(texts[0])
        resampled = Resampled(measure, entries, drawn, swaps)
        for text in texts:
            falling = parse(text)[1] in measure.falling
            found[text] = _comparison(resampled, entries, text, falling, alpha)
        if progress is not None:
            progress(str(measure), done, len(wanted))
    first = entries[0].record
    return Report(
        dataset=first.dataset,
        version=first.provenance.dataset_version,
        split=first.split,
        dataset_hash=first.provenance.dataset_hash,
        videos=entries[0].videos,
        resamples=resamples,
        seed=seed,
        alpha=alpha,
        exchanges=len(swaps),
        exact=2**count <= resamples,
        measures=tuple(found[text] for text in labels),
    )


def _comparison(
    resampled: Resampled, entries: Sequence[Entry], text: str, falling: bool, alpha: float
) -> Comparison:
    key = parse(text)[1]
    values = [_value(entry, text, resampled.total(k, key)) for k, entry in enumerate(entries)]
    differences = [
        _difference(resampled, entries, (i, j), values[i] - values[j], key, falling, alpha)
        for i, j in combinations(range(len(entries)), 2)
    ]
    holm = stats.holm([d.p for d in differences])
    pairs = tuple(replace(d, holm=p) for d, p in zip(differences, holm, strict=True))
    separated = {frozenset((d.method, d.other)) for d in pairs if d.holm <= alpha}
    ranks = stats.ranks(
        [-value if falling else value for value in values],
        lambda i, j: frozenset((entries[i].name, entries[j].name)) in separated,
    )
    methods = []
    for k, entry in enumerate(entries):
        found = stats.interval(resampled.drawn(k, key), alpha)
        methods.append(Estimate(entry.name, values[k], found.low, found.high, found.undefined, ranks[k]))
    return Comparison(text, falling, tuple(methods), pairs)


def _value(entry: Entry, text: str, ours: float) -> float:
    """The Record's number, which its states must give again."""
    theirs = entry.record.value(text)
    if theirs is None or not np.isclose(ours, theirs, rtol=0, atol=SAME, equal_nan=True):
        raise UserError(
            f"{entry.path}: its states give {ours} for {text}, the Record says {theirs}. The measure has "
            "changed since it was scored: score the predictions again"
        )
    return theirs


def _difference(
    resampled: Resampled,
    entries: Sequence[Entry],
    pair: tuple[int, int],
    value: float,
    key: str,
    falling: bool,
    alpha: float,
) -> Difference:
    """One pair's difference, its p not yet corrected."""
    i, j = pair
    found = stats.interval(resampled.drawn(i, key) - resampled.drawn(j, key), alpha)
    exchanged = resampled.exchanged(i, j, key)
    p = stats.p_value(exchanged)
    better = resampled.alone(i, key) - resampled.alone(j, key)
    wins, losses = int((better > CLOSE).sum()), int((better < -CLOSE).sum())
    if falling:
        wins, losses = losses, wins
    return Difference(
        method=entries[i].name,
        other=entries[j].name,
        value=value,
        low=found.low,
        high=found.high,
        undefined=found.undefined,
        undefined_exchanges=int(np.isnan(exchanged).sum()),
        p=p,
        holm=p,
        wins=wins,
        ties=int((np.abs(better) <= CLOSE).sum()),
        losses=losses,
    )
