"""Published tables as data: what was printed, and which Record belongs beside it."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from vipbench.errors import UserError
from vipbench.records import Record
from vipbench.registry import BOOLEANS

ABSENT = "–"


@dataclass(frozen=True)
class Column:
    """One column. measure: label of a Score, or timing: a key of Record.timing; exactly one is set.

    scale: ours times this is in the paper's unit. decimals: how many are shown.
    """

    heading: str
    scale: float
    decimals: int
    measure: str | None = None
    timing: str | None = None

    def of(self, record: Record) -> float | None:
        """The record's value in the paper's unit, None where it was not measured or is undefined."""
        value = record.value(self.measure) if self.measure else (record.timing or {}).get(str(self.timing))
        return None if value is None or math.isnan(value) else float(value) * self.scale


@dataclass(frozen=True)
class Row:
    """One printed row. options: what sets it apart; defaults: of the method, where a Record is silent.

    values: one string a column, as printed, ABSENT where the paper has no figure.
    """

    name: str
    method: str
    values: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)

    def matches(self, record: Record) -> bool:
        """Whether the record belongs here; an option that neither options nor defaults name is free."""
        held = self.defaults | record.options
        wanted = self.defaults | self.options
        return self.method == record.method.lower() and all(
            meaning(held.get(key, "")) == meaning(value) for key, value in wanted.items()
        )


@dataclass(frozen=True)
class Claim:
    """What the paper's text says of a row's speed: so many times as fast as a network on each frame alone."""

    row: str
    times: float


@dataclass(frozen=True)
class PaperTable:
    """One printed table; the numbers are those of `videos` videos of a split of a data set's `version`.

    embedded: the data set of ours with the same task. claims: of the speed of rows; a table with claims shows
    what rows cost. data_notes: what to know of numbers on other data, by "<data set> <split>".
    """

    number: int
    caption: str
    source: str
    dataset: str
    version: str
    split: str
    videos: int
    protocol: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    embedded: str
    claims: tuple[Claim, ...] = ()
    data_notes: dict[str, list[str]] = field(default_factory=dict)

    def fits(self, record: Record) -> bool:
        """Whether the record holds any measure of this table."""
        return any(c.measure and record.value(c.measure) is not None for c in self.columns)


def meaning(option: str) -> str | bool:
    """An option's text, such that two that mean the same are equal."""
    return BOOLEANS.get(option.lower(), option.lower())


@cache
def tables() -> dict[int, PaperTable]:
    """The tables of the ATEN paper by number."""
    text = files("vipbench.papers").joinpath("aten2018.toml").read_text(encoding="utf-8")
    paper = tomllib.loads(text)
    return {t["number"]: _table(t, paper["source"], paper["defaults"]) for t in paper["tables"]}


def table(number: int) -> PaperTable:
    """One table of the ATEN paper. Raises UserError for a number that it does not have."""
    if number not in tables():
        raise UserError(f"table {number}: the paper's tables are {', '.join(map(str, tables()))}")
    return tables()[number]


def _table(body: dict[str, Any], source: str, defaults: dict[str, dict[str, str]]) -> PaperTable:
    common = {"scale": body.pop("scale"), "decimals": body.pop("decimals")}
    columns = tuple(Column(**(common | c)) for c in body.pop("columns"))
    rows = tuple(
        Row(values=tuple(r.pop("values")), defaults=defaults.get(r["method"], {}), **r)
        for r in body.pop("rows")
    )
    notes = tuple(body.pop("notes"))
    claims = tuple(Claim(c["row"], float(c["times"])) for c in body.pop("claims", ()))
    return PaperTable(source=source, columns=columns, rows=rows, notes=notes, claims=claims, **body)
