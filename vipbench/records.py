"""What a scored folder leaves behind: a Record, the only thing that tables, reports and the leaderboard read.

JSON with full doubles; NaN, which JSON does not have, is null.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vipbench.atomic import write_text
from vipbench.errors import UserError

SCHEMA = "vipbench/record-1"
States = dict[str, dict[str, Any]]
"""What each measure saw of each video: measure text -> video, in data-set order -> state as JSON."""


@dataclass(frozen=True, slots=True)
class Score:
    """One number. measure: its label with every parameter, "J.mean(frames=inner,objects=foreground)".

    scope: what it is the value of: "all", "<video>", "<video>#<object>", "<video>/<frame>", "class:<name>".
    value: NaN where undefined. n: how many things (sequences, frames, classes) it is the mean of.
    """

    measure: str
    scope: str
    value: float
    n: int


@dataclass(frozen=True)
class Provenance:
    """Where a Record came from.

    git: commit of the project's checkout, None outside of one. command: the command line. created: UTC, ISO
    8601. dataset_hash, prediction_hash: sha256 over the scored files. layout: of the prediction folder.
    warnings: missing frames, extra files, unscored sequences. run: what the folder says of its making.
    """

    version: str
    git: str | None
    command: str
    created: str
    dataset_version: str
    dataset_hash: str
    prediction_hash: str
    device: dict[str, str]
    layout: str
    warnings: tuple[str, ...] = ()
    run: dict[str, Any] | None = None


@dataclass(frozen=True)
class Record:
    """The scores of one method's predictions for one split of a data set.

    protocols: protocol name -> labels of its numbers. timing: {"frames", "stages": {stage: seconds}, "fps",
    "fps_end_to_end"}, None where the folder does not say. states: what the numbers were made of; not part of
    the JSON.
    """

    method: str
    options: dict[str, str]
    dataset: str
    split: str
    protocols: dict[str, list[str]]
    scores: tuple[Score, ...]
    timing: dict[str, Any] | None
    provenance: Provenance
    schema: str = field(default=SCHEMA)
    states: States = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def _values(self) -> dict[tuple[str, str], Score]:
        return {(s.measure, s.scope): s for s in self.scores}

    def value(self, measure: str, scope: str = "all") -> float | None:
        """The value of a measure label at a scope, None if it was not measured."""
        found = self._values.get((measure, scope))
        return None if found is None else found.value

    @property
    def videos(self) -> tuple[str, ...]:
        """The videos that have numbers of their own, sorted."""
        scopes = {s.scope for s in self.scores if s.scope != "all" and not s.scope.startswith("class:")}
        return tuple(sorted({re.split("[#/]", scope, maxsplit=1)[0] for scope in scopes}))

    def to_json(self) -> str:
        """The Record as JSON text, one score a line."""
        body = {key: value for key, value in asdict(self).items() if key not in ("scores", "states")}
        head = json.dumps(finite(body), indent=1, ensure_ascii=False).removesuffix("\n}")
        lines = ",\n".join(json.dumps(finite(asdict(s)), ensure_ascii=False) for s in self.scores)
        return f'{head},\n "scores": [\n{lines}\n]}}\n'

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The inverse of to_json. Raises ValueError, KeyError or TypeError for anything else."""
        body = json.loads(text)
        if body["schema"] != SCHEMA:
            raise ValueError(f"schema is {body['schema']!r}")
        body["scores"] = tuple(_score(row) for row in body["scores"])
        provenance = body["provenance"]
        provenance["warnings"] = tuple(provenance["warnings"])
        body["provenance"] = Provenance(**provenance)
        return cls(**body)

    def save(self, path: Path) -> None:
        """Write the JSON atomically."""
        write_text(path, self.to_json())


def load(path: Path) -> Record:
    """Read a Record. Raises UserError for a missing, damaged or foreign file."""
    try:
        return Record.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot read the record ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a {SCHEMA} file ({type(error).__name__}: {error}). Score it again"
        ) from None


def load_folder(folder: Path) -> list[Record]:
    """Every Record (*.json) of a folder, sorted by file name. Raises UserError if the folder is not there."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. `vipbench score` writes Records to records/")
    return [load(path) for path in sorted(folder.glob("*.json")) if not path.name.startswith(".")]


def _score(row: dict[str, Any]) -> Score:
    value = math.nan if row["value"] is None else float(row["value"])
    return Score(str(row["measure"]), str(row["scope"]), value, int(row["n"]))


def finite(value: Any) -> Any:
    """The same value as JSON can say it: every NaN and infinity as None, every sequence as a list."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
