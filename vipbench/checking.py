"""`check` over many videos, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vipbench.check import check
from vipbench.errors import Problem
from vipbench.metrics.protocols import unscored
from vipbench.parallel import each
from vipbench.specs import DatasetSpec, select
from vipbench.wanted import protocols
from vipbench.work import FolderWork

MOST_SHARES = 16


def check_folder(
    root: Path,
    data: DatasetSpec,
    split: str,
    sequences: tuple[str, ...] | None = None,
    jobs: int = 1,
    strict_frames: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    asked: tuple[str, ...] = (),
) -> list[Problem]:
    """The problems of the prediction folder `root`, errors first, then by path; the same for any `jobs`.

    See vipbench.check for what counts as what. Frames may be missing that no protocol scores, of the data set
    or of those asked for.
    """
    work = _Work(data, root, split, strict_frames, asked)
    ids = tuple(video.id for video in select(work.dataset, split, sequences))
    shares = [ids[start::MOST_SHARES] for start in range(min(MOST_SHARES, len(ids)))]
    if len(shares) < 2:
        return in_order(work(sequences))
    problems: list[Problem] = []
    for count, found in enumerate(each(work, shares, jobs), 1):
        problems += found
        if progress is not None:
            progress("check", count, len(shares))
    return in_order(problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Errors first, then by path. Each once: what concerns the whole folder is found with every share."""
    return sorted(dict.fromkeys(problems), key=lambda p: (p.warning, p.where, str(p)))


@dataclass
class _Work(FolderWork):
    """Checks a share of the videos. Pickled as names: a worker opens its own."""

    split: str
    strict_frames: bool
    asked: tuple[str, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return _Work, (self.data, self.root, self.split, self.strict_frames, self.asked)

    def __call__(self, sequences: tuple[str, ...] | None) -> list[Problem]:
        return check(self.folder, self.dataset, self.split, sequences, self.strict_frames, self._unscored)

    def _unscored(self, length: int) -> set[int]:
        if not self.dataset.protocols:
            return set()
        known = protocols(self.dataset, self.asked).values()
        return unscored((measure for measures in known for measure in measures), length)
