"""Ours beside the evaluations that are in use: the same numbers, and how long each takes.

`make bench` runs it; a table at the end says what was measured: each in a process of its own, warm, nothing
taken from our cache of states; "light install" is ours without its compiled kernels (VIPBENCH_NATIVE=0). The
numbers are asserted, and half of each target in processor time; all of it a busy machine would fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from bench import Alone, Row, Timed

MEMORY_MB = 400
References = Mapping[str, tuple[str, float]]
"""Task of peers.py -> its name, and how many times faster ours is to be."""


class Race:
    """One of ours against references, on the same files."""

    def __init__(self, timed: Timed, alone: Alone, peer: Alone, table: list[Row]) -> None:
        self.timed, self.alone, self.peer, self.table = timed, alone, peer, table

    def __call__(self, what: str, task: str, root: Path, references: References) -> None:
        """Measure all, compare their numbers, and add to the table."""
        values = self.timed(task, root)
        native, light = self.alone(task, root), self.alone(task, root, VIPBENCH_NATIVE="0")
        self.table.append(Row.of_memory(what, native["peak_mb"], "limit", MEMORY_MB, 1))
        for other, (name, target) in references.items():
            found = self.peer(other, root)
            agree(values, found["values"])
            agree(light["values"], found["values"])
            race = Row.of_time(what, native, name, found, target)
            self.table += [
                race,
                Row.of_time(f"{what}, light install", light, name, found),
                Row.of_memory(what, native["peak_mb"], name, found["peak_mb"]),
            ]
            assert (race.cpu or 0) > target / 2, f"{race.cpu:.3g} times {name}, far from {target}"


@pytest.fixture
def race(timed: Timed, alone: Alone, peer: Alone, table: list[Row]) -> Race:
    return Race(timed, alone, peer, table)


def agree(ours: dict[str, float], theirs: dict[str, float]) -> None:
    assert theirs
    assert {name: ours.get(name) for name in theirs} == pytest.approx(theirs, rel=0, abs=1e-12)


def test_several_objects(race: Race, multi: Path) -> None:
    references = {"semi": ("davis2017-evaluation", 30), "vos": ("vos-benchmark", 10)}
    race("J and F, 6 sequences, 384 frames, 3 objects", "semi", multi, references)


def test_proposals(race: Race, proposals: Path) -> None:
    references = {"unsup": ("davis2017-evaluation", 100)}
    race("unsupervised, 2 sequences, 74 frames, 20 proposals", "unsup", proposals, references)


def test_parts(race: Race, persons: Path) -> None:
    race("AP^r_vol, 48 frames", "apr", persons, {"apr": ("ATEN test_inst_part_ap.py", 120)})


def test_classes(race: Race, persons: Path) -> None:
    race("mIoU, 48 frames", "miou", persons, {"miou": ("ATEN test_parsing.py", 3)})


def test_whole_score(race: Race, persons: Path) -> None:
    """Both protocols, the check of the folder included, against the three released scripts."""
    race("`vipbench score` of VIP, 48 frames", "vip", persons, {"vip": ("the three ATEN scripts", 1)})
