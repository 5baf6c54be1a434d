"""How sure the numbers of a table are: intervals over videos, from the states beside the Records.

The same intervals as `vipbench compare RECORD` prints by default: level, resamples and seed are those of
`vipbench/compare.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vipbench import compare
from vipbench.entries import Entry
from vipbench.errors import UserError
from vipbench.papers import Column
from vipbench.papers.join import Block, Line
from vipbench.records import Record, States, load_states, states_path
from vipbench.registry import label

NO_STATES = "no states lie beside the Record, `vipbench score` writes them"
ONE_VIDEO = "a single video says nothing of how videos differ"


def with_intervals(block: Block) -> Block:
    """The block with an interval for each measured number, and where a line has none, why."""
    return replace(block, lines=tuple(_line(line, block.table.columns) for line in block.lines))


def _line(line: Line, columns: Sequence[Column]) -> Line:
    if line.record is None:
        return line
    try:
        return replace(line, intervals=_intervals(line.record, columns))
    except UserError as error:
        return replace(line, without=str(error))


def _intervals(record: Record, columns: Sequence[Column]) -> dict[str, tuple[float, float]]:
    """(low, high) by measure, where there is one. Raises UserError where there can be none."""
    known = [c.measure for c in columns if c.measure and c.of(record) is not None]
    path = record.path or Path(label(record.method, record.options))
    entry = Entry(label(record.method, record.options), path, record, _states(record))
    if len(entry.videos) < 2:
        raise UserError(ONE_VIDEO)
    found = [(c.measure, c.methods[0]) for c in compare.compare([entry], known).measures]
    return {text: (e.low, e.high) for text, e in found if e.low is not None and e.high is not None}


def _states(record: Record) -> States:
    if record.states:
        return record.states
    if record.path is None or not states_path(record.path).exists():
        raise UserError(NO_STATES)
    return load_states(record.path)
