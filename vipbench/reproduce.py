"""A table of the paper from nothing: data, predictions, scores and Records of every row that can be measured.

Everything lies below one folder, and what is there and still holds is kept:

    <out>/data                               the embedded data set, where no other root is given
    <out>/preds/<method>/<data set>          predictions; a video is predicted once (`vipbench/runner.py`)
    <out>/records/<method>.<data set>.json   Records, written anew only where they would say something else
    <out>/table<N>.txt                       the table

A split that is not the data set's usual one is part of the names: synth-hard.

Tables share what they have in common: ATEN-l4 of Table 2 is the last row of Table 3.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from vipbench import registry, runner, runstate, scorer
from vipbench.datasets import synth
from vipbench.datasets.synth_manifest import NAME, read_manifest
from vipbench.errors import UserError
from vipbench.papers import PaperTable, Row, meaning
from vipbench.records import Record, load, load_folder, load_states
from vipbench.specs import DatasetSpec, MethodSpec, split_of

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is, and of how much."""
Train = Callable[[str, str, Path, Progress], object]
"""Trains a method of a preset into a folder, unless it is there, as `vipbench train` does."""
EMBEDDED = ("synth", "synth-davis")
State = Literal["ran", "kept", "cannot", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    method: name and options, as in file names. state: "ran": anything was predicted or scored; "kept": all
    was there; "cannot": not to be had here; "failed": begun and not finished. why: of the last two.
    """

    row: str
    method: str
    state: State
    why: str = ""


@dataclass(frozen=True)
class Place:
    """On what to measure, and where to.

    options: of all methods that know them. weights: a folder of trained weights, else those that come with
    the methods. train: makes what that folder lacks. cache: as `scorer.score`. again: delete predictions that
    other code, weights or options made and make them anew; else such a row fails.
    """

    data: DatasetSpec
    split: str
    out: Path
    jobs: int = 1
    cache: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    weights: Path | None = None
    again: bool = False
    train: Train | None = None

    @property
    def records(self) -> Path:
        """The folder of Records."""
        return self.out / "records"

    def preds(self, name: str) -> Path:
        """The folder of a method's predictions."""
        return self.out / "preds" / name / self.label

    def record(self, name: str) -> Path:
        """The file of a method's Record."""
        return self.records / f"{name}.{self.label}.json"

    @property
    def label(self) -> str:
        """The data set in file names, with the split where it is not the usual one."""
        usual = self.data.open().splits[0]
        return self.data.label if self.split == usual else f"{self.data.label}-{self.split}"


def data_of(
    table: PaperTable, name: str | None, root: Path | None, split: str | None, out: Path, progress: Progress
) -> tuple[DatasetSpec, str]:
    """The data set and the split to measure a table on; the embedded one is made where it is not there.

    name: by default the paper's own; each of the embedded two stands for the one with the table's task. root:
    else of its environment variable; of the embedded one else <out>/data. Raises UserError for a data set
    that has no root or is of another task.
    """
    name = table.embedded if name in EMBEDDED else name or table.dataset
    factory = registry.load("datasets", name)
    if name in EMBEDDED:
        root = root or Path(os.environ.get(factory.env) or out / "data")
        make_embedded(root, split or factory.splits[0], progress)
    try:
        data = DatasetSpec.of(name, root)
    except UserError as error:
        raise UserError(f"{error}. Without it: --dataset {table.embedded}, which is made here") from None
    dataset = data.open()
    if table.protocol not in dataset.protocols:
        fit = f"--dataset {table.dataset} or {table.embedded}"
        raise UserError(
            f"table {table.number} is of protocol {table.protocol}, which {name} lacks. Try {fit}"
        )
    return data, split_of(dataset, split)


def make_embedded(root: Path, split: str, progress: Progress) -> None:
    """Make a split of the embedded data set, unless it is there, whatever its settings."""
    there = read_manifest(root)["splits"] if (root / NAME).exists() else {}
    if split not in there:
        synth.make(root, [split], progress=progress)


def variant(row: Row) -> MethodSpec:
    """The method of a row, with those options alone that the method's defaults do not say."""
    options = {k: v for k, v in row.options.items() if meaning(v) != meaning(row.defaults.get(k, ""))}
    return MethodSpec(row.method, options)


def demand_known(table: PaperTable, options: Mapping[str, str]) -> None:
    """UserError for an option that no installed method of the table knows."""
    known = {key for row in table.rows for key in _options(row.method)} if options else set()
    for key in options:
        if key not in known:
            listed = ", ".join(sorted(known))
            raise UserError(f"no method of table {table.number} has an option {key!r}. Known: {listed}")


def _options(method: str) -> set[str]:
    """The options of a method, none where it is not installed or does not load."""
    try:
        return set(registry.parameters(registry.load("methods", method)))
    except UserError:
        return set()


def measure(row: Row, place: Place, progress: Progress) -> Outcome:
    """Predict and score a row of a table, as far as that is not done yet."""
    bare = variant(row)
    if bare.name not in registry.names("methods"):
        return _foreign(row, bare, place)
    try:
        method = equipped(bare, place, lambda what, *of: progress(f"{bare.label} {what}", *of))
        settings = _settings(method, place)
    except UserError as error:
        return Outcome(row.name, bare.label, "cannot", str(error))
    try:
        _clear(place.preds(bare.label), settings, place.again)
        fresh = _measured(method, bare.label, place, lambda what, *of: progress(f"{bare.label} {what}", *of))
    except UserError as error:
        return Outcome(row.name, bare.label, "failed", str(error))
    return Outcome(row.name, bare.label, "ran" if fresh else "kept")


def _foreign(row: Row, method: MethodSpec, place: Place) -> Outcome:
    """A row whose method is not installed: its Record may come from masks that its authors published."""
    found = load_folder(place.records) if place.records.is_dir() else []
    here = (place.data.name, place.split)
    if any(row.matches(record) and (record.dataset, record.split) == here for record in found):
        return Outcome(row.name, method.label, "kept")
    score = f"vipbench score FOLDER --dataset {place.data.name} --split {place.split} --method {method.name}"
    why = f"no method {method.name!r} is installed. If you have its masks: {score}"
    return Outcome(row.name, method.label, "cannot", f"{why} --out {place.record(method.label)}")


def _silent(what: str, done: int, of: int) -> None:
    """Progress that nobody sees."""


def equipped(method: MethodSpec, place: Place, progress: Progress = _silent) -> MethodSpec:
    """The method with the options of all, and its weights, trained if need be and if `place` trains.

    Raises UserError where the folder lacks them.
    """
    known = _options(method.name)
    options = {key: text for key, text in place.options.items() if key in known}
    if place.weights and "weights" in known:
        preset = {**options, **method.options}.get("preset") or _default(method.name, "preset")
        options["weights"] = str(_weights(method, place, place.weights, preset, progress))
    return replace(method, options=options | method.options)


def _default(method: str, option: str) -> str:
    """What an option of a method is where nobody says, empty where it has none."""
    parameter = registry.parameters(registry.load("methods", method)).get(option)
    return str(parameter.default) if parameter and parameter.default is not parameter.empty else ""


def _weights(method: MethodSpec, place: Place, folder: Path, preset: str, progress: Progress) -> Path:
    """The weights of a variant, of what it is trained as, else of its method, as `train` names them."""
    task = "davis" if place.data.open().layers == ("object",) else "vip"
    names = [
        f"{preset or '*'}-{name}-{task}.safetensors"
        for name in (method.label, _trained_as(method), method.name)
    ]
    if place.train:
        place.train(_trained_as(method), preset, folder, progress)
    found = [path for name in names for path in sorted(folder.glob(name))]
    if not found:
        raise UserError(f"{folder}: has no {' or '.join(dict.fromkeys(names))}. `vipbench train` makes it")
    return found[0]


def _trained_as(method: MethodSpec) -> str:
    """What `train` calls a method with these options, where the method itself says so."""
    factory = registry.load("methods", method.name)
    name: Callable[..., str] = getattr(factory, "trained_as", lambda **options: method.name)
    return name(**registry.convert(factory, 1, method.options))


def _settings(method: MethodSpec, place: Place) -> dict[str, Any]:
    """What decides the predictions. Raises UserError for a method that cannot be built here."""
    dataset = place.data.open()
    return runstate.settings(method, place.data, dataset, place.split, method.build(dataset))


def _clear(folder: Path, settings: dict[str, Any], again: bool) -> None:
    """Delete predictions of other settings. Raises UserError where they are not to be made again."""
    other = runstate.outdated(folder, settings)
    if other and not again:
        raise UserError(f"{folder}: was made with {other}. Pass --again to make it anew, or another --out")
    if other:
        shutil.rmtree(folder)


def _measured(method: MethodSpec, name: str, place: Place, progress: Progress) -> bool:
    """Predictions and their Record; whether anything was missing."""
    folder = place.preds(name)
    before = runstate.lines(folder)
    done = runner.run(method, place.data, place.split, folder, place.jobs, progress=progress)
    record = scorer.score(
        folder, place.data, place.split, jobs=place.jobs, cache=place.cache, progress=progress
    )
    path = place.record(name)
    stale = not _holds(path, record)
    if stale:
        record.save(path)
    return stale or any(line not in before for line in done)


def _holds(path: Path, record: Record) -> bool:
    """Whether the file says what the Record says, and its states lie beside it."""
    try:
        load_states(path)
        return _timeless(load(path)) == _timeless(record)
    except UserError:
        return False


def _timeless(record: Record) -> str:
    """The Record without where, when and by which command it was scored."""
    return replace(
        record, provenance=replace(record.provenance, created="", command="", git=None, device={})
    ).to_json()
