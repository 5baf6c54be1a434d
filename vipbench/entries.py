"""The Records of a comparison, with their states: of the same data, and told apart by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vipbench import registry
from vipbench.errors import UserError
from vipbench.metrics.measure import label, parse
from vipbench.records import Record, States, load, load_states


@dataclass(frozen=True)
class Entry:
    """One method of a comparison. name: method and options, and its file where another has the same."""

    name: str
    path: Path
    record: Record
    states: States

    @property
    def videos(self) -> tuple[str, ...]:
        """The scored videos, in data-set order."""
        return tuple(next(iter(self.states.values()), {}))


def read(paths: Sequence[Path]) -> list[Entry]:
    """The Records with their states; of a folder, all that are in it.

    Raises UserError for one that cannot be read, lacks its states, is given twice or is of other data.
    """
    paths = [file for path in paths for file in (_in(path) if path.is_dir() else [path])]
    records = [load(path) for path in paths]
    found = [
        Entry(name, path, record, load_states(path))
        for name, path, record in zip(_names(paths, records), paths, records, strict=True)
    ]
    for entry in found:
        _demand_same_data(found[0], entry)
    return found


def _in(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    if not found:
        raise UserError(f"{folder}: no Record in it. `vipbench score` writes them, to records/ by default")
    return found


def _names(paths: Sequence[Path], records: Sequence[Record]) -> list[str]:
    twice = [path for i, path in enumerate(paths) if path in paths[:i]]
    if twice:
        raise UserError(f"{twice[0]}: given twice. Name each Record once")
    names = [registry.label(record.method, record.options) for record in records]
    return [n if names.count(n) == 1 else f"{n} ({path})" for n, path in zip(names, paths, strict=True)]


def _demand_same_data(first: Entry, other: Entry) -> None:
    for (what, ours), (_, theirs) in zip(_data(first), _data(other), strict=True):
        if ours != theirs:
            raise UserError(
                f"{first.path} and {other.path} are not of the same data: the {what} is {ours!r} and "
                f"{theirs!r}. Numbers compare on the same videos and ground truth alone: score both on them"
            )
    if not other.videos:
        raise UserError(f"{other.path}: its states are of no video. Score the predictions again")


def _data(entry: Entry) -> list[tuple[str, str]]:
    record = entry.record
    return [
        ("data set", record.dataset),
        ("version", record.provenance.dataset_version),
        ("split", record.split),
        ("list of videos", ", ".join(entry.videos)),
        ("hash of the ground truth", record.provenance.dataset_hash),
    ]


def labels(entries: Sequence[Entry], measures: Sequence[str] = (), protocol: str | None = None) -> list[str]:
    """The labels to compare by: `measures`, by default the headline numbers. protocol: only its numbers.

    measures: labels, a parameter left out has its default, or without all of them ("J.mean": each that is
    called so). Raises UserError for a label or a protocol that not all Records have.
    """
    found = [text for measure in measures for text in _labels(entries[0], measure, protocol)]
    for entry in entries:
        headline = _of(entry.record.headline, protocol)
        if not headline:
            wanted = "numbers over all videos" if protocol is None else f"protocol {protocol!r}"
            known = ", ".join(entry.record.protocols) or "none"
            raise UserError(f"{entry.path}: has no {wanted}. Its protocols: {known}")
        found = found or headline
        totals = _of(entry.record.totals, protocol)
        for text in found:
            if text not in totals:
                raise UserError(f"{entry.path}: has no {text}. It has {', '.join(headline)}")
    return list(dict.fromkeys(found))


def _of(numbers: Sequence[tuple[str, str]], protocol: str | None) -> list[str]:
    return list(dict.fromkeys(text for name, text in numbers if protocol in (None, name)))


def _labels(entry: Entry, measure: str, protocol: str | None) -> list[str]:
    """The labels that a text names; the text itself if there is none."""
    if "(" in measure:
        return [label(*parse(measure))]
    totals = _of(entry.record.totals, protocol)
    return [text for text in totals if text.partition("(")[0] == measure] or [measure]
