"""What a scored folder leaves behind: a Record, the only thing that tables, reports and the leaderboard read.

JSON with full doubles; NaN, which JSON does not have, is null. Beside `X.json` lies `X.states.json.gz`: what
the measures saw of each video, from which come the numbers of any choice of videos without scoring again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from vipbench.atomic import write_bytes, write_text
from vipbench.errors import UserError
from vipbench.metrics.measure import KINDS

SCHEMA = "vipbench/record-1"
_quoted = json.JSONEncoder(ensure_ascii=False).encode
STATES_SCHEMA = "vipbench/states-1"
GROUPS = tuple(f"{kind}:" for kind in KINDS)
BETWEEN = re.compile(r"@0\.(?![567]\()\d+\(")
"""Labels of single thresholds that no table of the paper has: it prints .5, .6, .7 and the means."""
States = dict[str, dict[str, Any]]
"""What each measure saw of each video: measure text -> video, in data-set order -> state as JSON."""


class Score(NamedTuple):
    """One number. measure: its label with every parameter, "J.mean(frames=inner,objects=foreground)".

    scope: what it is the value of: "all", "<video>", "<video>#<object>", "<video>/<frame>", or a group
    "<kind>:<name>" (metrics.measure.KINDS).
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

    protocols: protocol name -> labels of its numbers. timing: {"frames", "seconds", "stages": {stage:
    seconds}, "fps", "fps_end_to_end"} (`origin.timing`), None where the folder does not say. states: what the
    numbers were made of; path: the file that it was read from, None for a new one. Neither is part of the
    JSON.
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
    path: Path | None = field(default=None, repr=False, compare=False)

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
        scopes = {s.scope for s in self.scores if s.scope != "all" and not s.scope.startswith(GROUPS)}
        return tuple(sorted({re.split("[#/]", scope, maxsplit=1)[0] for scope in scopes}))

    @property
    def totals(self) -> list[tuple[str, str]]:
        """(protocol, label) of each number over all videos, protocol by protocol."""
        known = {s.measure for s in self.scores if s.scope == "all"}
        return [
            (name, label) for name, labels in self.protocols.items() for label in labels if label in known
        ]

    @property
    def headline(self) -> list[tuple[str, str]]:
        """The totals without the thresholds between."""
        return [(name, label) for name, label in self.totals if not BETWEEN.search(label)]

    @property
    def content(self) -> str:
        """sha256 of what the numbers are of: the ground truth, the predictions and the numbers' labels."""
        labels = sorted({s.measure for s in self.scores})
        parts = [self.provenance.dataset_hash, self.provenance.prediction_hash, *labels]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def to_json(self) -> str:
        """The Record as JSON text, one score a line."""
        few = asdict(replace(self, scores=(), states={}))
        body = {key: value for key, value in few.items() if key not in ("scores", "states", "path")}
        head = json.dumps(finite(body), indent=1, ensure_ascii=False).removesuffix("\n}")
        measures = {measure: _quoted(measure) for measure in {score.measure for score in self.scores}}
        lines = ",\n".join(_line(score, measures[score.measure]) for score in self.scores)
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
        """Write the JSON and, first, the states if there are any; each file is whole or not there."""
        if self.states:
            body = {"schema": STATES_SCHEMA, "of": self.content, "states": self.states}
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            packed = gzip.compress(text.encode(errors="backslashreplace"), compresslevel=1, mtime=0)
            write_bytes(states_path(path), packed)
        write_text(path, self.to_json())


def states_path(path: Path) -> Path:
    """Where the states of the Record at `path` are: X.states.json.gz beside X.json."""
    return path.with_name(f"{path.name.removesuffix('.json')}.states.json.gz")


def load(path: str | Path) -> Record:
    """Read a Record. Raises UserError for a missing, damaged or foreign file."""
    path = Path(path)
    if path.name.endswith(".states.json.gz"):
        raise UserError(f"{path}: what stands beside a Record. Pass the Record, {path.name[:-15]}.json")
    try:
        return replace(Record.from_json(path.read_text(encoding="utf-8")), path=path)
    except OSError as error:
        raise UserError(f"{path}: cannot read the record ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        lack = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise UserError(f"{path}: not a {SCHEMA} file ({lack}). Score it again") from None


def load_states(path: Path) -> States:
    """The states of the Record at `path`.

    Raises UserError where they are missing or damaged, or of other predictions, ground truth or measures.
    """
    beside = states_path(path)
    again = "Score the predictions again, `vipbench score` writes both files"
    try:
        body = json.loads(gzip.decompress(beside.read_bytes()))
        if body["schema"] != STATES_SCHEMA:
            raise ValueError(f"schema is {body['schema']!r}")
        states: States = {text: dict(videos) for text, videos in body["states"].items()}
        of = body["of"]
    except FileNotFoundError:
        raise UserError(f"{beside}: no such file. It holds what {path.name} was made of. {again}") from None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{beside}: not a {STATES_SCHEMA} file ({type(error).__name__}: {error}). {again}"
        ) from None
    if of != load(path).content:
        raise UserError(f"{beside}: of other predictions, ground truth or measures than {path.name}. {again}")
    return states


def load_folder(folder: Path) -> list[Record]:
    """Every Record (*.json) of a folder, sorted by file name. Raises UserError if the folder is not there."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. `vipbench score` writes Records to records/")
    return [load(path) for path in sorted(folder.glob("*.json")) if not path.name.startswith(".")]


def _line(score: Score, measure: str) -> str:
    """A score as JSON, as json.dumps writes it but several times faster: a Record has one for each frame."""
    value = repr(float(score.value)) if math.isfinite(score.value) else "null"
    return f'{{"measure": {measure}, "scope": {_quoted(score.scope)}, "value": {value}, "n": {score.n}}}'


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
