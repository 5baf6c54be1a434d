"""The numbers of Records by video, object, frame, class, size, attribute or level of occlusion, as tidy rows.

All of them are in a Record's scores, by their scopes; nothing is measured here.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean
from typing import TYPE_CHECKING

from vipbench.errors import UserError
from vipbench.metrics.measure import KINDS
from vipbench.records import GROUPS, Record, Score, finite
from vipbench.registry import label

if TYPE_CHECKING:
    import pandas

GROUPINGS = ("video", "object", "frame", *KINDS)
HOW = {
    "object": "Several objects a video are in DAVIS 2017 (--dataset davis --year 2017)",
    "class": "Classes are in data sets of persons (vip, synth)",
    "size": "Sizes are those of persons and parts (vip, synth)",
    "attribute": "Attributes are known of DAVIS 2016 (--dataset davis)",
    "occlusion": "Levels are known of synth and synth-davis, and where they are older than levels once "
    "`vipbench data make synth --out ROOT` has added them",
}
"""Where numbers of a kind come from."""
ABSENT = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One number of one group. method: with its options. measure: its label with every parameter.

    group: a video "bear", an object "bear#1", a frame "bear/00001" or "bear#1/00001", else the group's name.
    value: NaN where undefined. n: how many things it is the mean of.
    """

    method: str
    dataset: str
    split: str
    measure: str
    group: str
    value: float
    n: int


def breakdown(records: Iterable[Record], by: str, measures: Sequence[str] = ()) -> list[Row]:
    """The rows of Records by one of GROUPINGS; in their order, each measure's groups in the Record's order.

    measures: labels, or labels without their parameters ("J.mean"); by default the headline numbers, and if
    none of these has such groups, all that have. A video of which only the objects have numbers has their
    mean, which is what the measure is of that video alone. Raises UserError for another grouping, and for a
    Record that has no such numbers.
    """
    if by not in GROUPINGS:
        raise UserError(f"breakdown by {by!r}: expected one of {', '.join(GROUPINGS)}")
    return [row for record in records for row in _rows(record, by, measures)]


def _rows(record: Record, by: str, measures: Sequence[str]) -> list[Row]:
    name = label(record.method, record.options)
    found = _grouped(record, by)
    if not found:
        how = f"{HOW[by]}. " if by in HOW else ""
        raise UserError(
            f"{_title(record)}: no numbers by {by}{_others(record)}. {how}Numbers are of when the Record was "
            f"scored, by vipbench {record.provenance.version}: score again for more"
        )
    headline = [measure for _, measure in record.headline if measure in found]
    chosen = _named(record, by, found, measures) if measures else headline or found
    return [
        Row(name, record.dataset, record.split, score.measure, _place(score.scope)[1], score.value, score.n)
        for measure in dict.fromkeys(chosen)
        for score in found[measure]
    ]


def _title(record: Record) -> str:
    return f"{label(record.method, record.options)} on {record.dataset} {record.split}"


def _others(record: Record) -> str:
    """What else a Record can be broken down by."""
    kinds = {_place(score.scope)[0] for score in record.scores}
    known = [kind for kind in GROUPINGS if kind in kinds]
    return f", only by {', '.join(known)}" if known else ""


def _place(scope: str) -> tuple[str, str]:
    """The grouping and the group of a scope: ("attribute", "OCC"), ("object", "bear#1"), ("all", "all")."""
    if scope.startswith(GROUPS):
        kind, _, name = scope.partition(":")
        return kind, name
    kind = "frame" if "/" in scope else "object" if "#" in scope else "all" if scope == "all" else "video"
    return kind, scope


def _grouped(record: Record, by: str) -> dict[str, list[Score]]:
    """By measure, the scores of a grouping."""
    found: dict[str, list[Score]] = {}
    for score in record.scores:
        if _place(score.scope)[0] == by:
            found.setdefault(score.measure, []).append(score)
    if by == "video":
        objects = _grouped(record, "object")
        found |= {measure: _means(scores) for measure, scores in objects.items() if measure not in found}
    return found


def _means(objects: Iterable[Score]) -> list[Score]:
    """The mean of each video's objects."""
    videos: dict[str, list[Score]] = {}
    for score in objects:
        videos.setdefault(score.scope.partition("#")[0], []).append(score)
    return [
        Score(own[0].measure, video, fmean(score.value for score in own), len(own))
        for video, own in videos.items()
    ]


def _named(record: Record, by: str, found: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """The labels that the user's texts name."""
    named = {text: [m for m in found if m == text or m.startswith(f"{text}(")] for text in wanted}
    for text, matches in named.items():
        if not matches:
            known = "; ".join(found)
            raise UserError(f"{_title(record)}: no {text!r} by {by}. Those with numbers by {by}: {known}")
    return [measure for matches in named.values() for measure in matches]


# Forms


def to_csv(rows: Iterable[Row]) -> str:
    """CSV with a line of headings; full doubles, nothing where undefined."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(asdict(row) | ({"value": ""} if math.isnan(row.value) else {}))
    return out.getvalue()


def to_json(rows: Iterable[Row]) -> str:
    """A JSON list of objects; full doubles, null where undefined."""
    return json.dumps(finite([asdict(row) for row in rows]), indent=1, ensure_ascii=False) + "\n"


def to_frame(rows: Iterable[Row]) -> pandas.DataFrame:
    """A pandas table with a column for each field of Row, for notebooks; NaN where undefined."""
    import pandas

    return pandas.DataFrame([asdict(row) for row in rows], columns=[field.name for field in fields(Row)])


def to_markdown(rows: Iterable[Row]) -> str:
    """A Markdown table, values with six decimals."""
    lines = [[field.name for field in fields(Row)], ["---"] * 5 + ["---:"] * 2]
    lines += [[r.method, r.dataset, r.split, r.measure, r.group, number(r.value), str(r.n)] for r in rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


def number(value: float) -> str:
    """Six decimals, a dash where undefined."""
    return ABSENT if math.isnan(value) else f"{value:.6f}"
