"""Records beside a published table: which line a Record belongs to, and where a difference means anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field

from vipbench.papers import ABSENT, Column, PaperTable, Row
from vipbench.records import Record
from vipbench.registry import label

UNDERTRAINED = "undertrained"


@dataclass(frozen=True)
class Cell:
    """One method's number in one column, in the paper's unit; None: not measured. paper: as printed.

    low, high: the interval of ours over videos.
    """

    column: Column
    ours: float | None
    low: float | None
    high: float | None
    paper: str
    difference: float | None


@dataclass(frozen=True)
class Line:
    """One method: a row of the paper, a Record, or both.

    intervals: (low, high) by measure, in the Record's unit. without: why there are none.
    """

    name: str
    row: Row | None
    record: Record | None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    without: str = ""

    @property
    def about(self) -> str:
        """What the method says it ran with, "" where there is none that could."""
        run = self.record.provenance.run if self.record else None
        return str((run or {}).get("about", ""))

    @property
    def caution(self) -> str:
        """UNDERTRAINED where the weights say so of themselves, else nothing."""
        return UNDERTRAINED if self.about.endswith(f", {UNDERTRAINED}") else ""

    @property
    def title(self) -> str:
        """The name with its caution."""
        return f"{self.name} ({self.caution})" if self.caution else self.name


@dataclass(frozen=True)
class Data:
    """What a Record was scored on. videos: their ids, sorted. sha256: of their ground truth."""

    dataset: str
    version: str
    split: str
    videos: tuple[str, ...]
    sha256: str

    @classmethod
    def of(cls, record: Record) -> Data:
        """The data of a record."""
        p = record.provenance
        return cls(record.dataset, p.dataset_version, record.split, record.videos, p.dataset_hash)


@dataclass(frozen=True)
class Block:
    """A table for Records that were scored on the same data.

    older: how many Records are left out for a newer one of the same method.
    """

    table: PaperTable
    data: Data
    lines: tuple[Line, ...]
    older: int = 0

    @property
    def comparable(self) -> bool:
        """Whether the data are the paper's own, as far as the paper says which those are."""
        table, data = self.table, self.data
        ours = (data.dataset, data.version, data.split, len(data.videos))
        return ours == (table.dataset, table.version, table.split, table.videos)

    @property
    def records(self) -> list[Record]:
        """The Records shown, in the order of the lines."""
        return [line.record for line in self.lines if line.record]

    def cells(self, line: Line) -> Iterator[Cell]:
        """The line's cells, one a column."""
        printed = line.row.values if line.row else [ABSENT] * len(self.table.columns)
        for column, paper in zip(self.table.columns, printed, strict=True):
            ours = column.of(line.record) if line.record else None
            low, high = line.intervals.get(str(column.measure), (None, None))
            known = self.comparable and paper != ABSENT
            yield Cell(
                column=column,
                ours=ours,
                low=None if low is None else low * column.scale,
                high=None if high is None else high * column.scale,
                paper=paper,
                difference=ours - float(paper) if known and ours is not None else None,
            )


def blocks(records: Iterable[Record], table: PaperTable, dataset: str | None = None) -> list[Block]:
    """The blocks of a table, the paper's own data first; one without Records where none fits.

    dataset: only Records of this data set.
    """
    groups: dict[Data, list[Record]] = {}
    for record in records:
        if table.fits(record) and dataset in (None, record.dataset):
            groups.setdefault(Data.of(record), []).append(record)
    if not groups:
        groups[Data(dataset or table.dataset, "", "", (), "")] = []
    return sorted((_block(table, data, group) for data, group in groups.items()), key=_order)


def _order(block: Block) -> tuple[object, ...]:
    data = block.data
    return not block.comparable, data.dataset, data.version, data.split, -len(data.videos), astuple(data)


def _block(table: PaperTable, data: Data, records: list[Record]) -> Block:
    """The paper's rows in print order, then the other methods by name; of several Records the newest."""
    newest: dict[tuple[bool, str], Record] = {}
    for record in sorted(records, key=lambda r: r.provenance.created):
        row = next((r for r in table.rows if r.matches(record)), None)
        newest[(True, row.name) if row else (False, label(record.method, record.options))] = record
    lines = [Line(row.name, row, newest.get((True, row.name))) for row in table.rows]
    lines += [Line(name, None, newest[printed, name]) for printed, name in sorted(newest) if not printed]
    return Block(table, data, tuple(lines), len(records) - len(newest))
