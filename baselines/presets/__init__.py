"""Presets as data: every size and setting of a network, one TOML file a preset.

`paper-vip` and `paper-davis` are the graphs of the ATEN paper at full size, `tiny` the same graph narrow,
shallow and at low resolution. `extends` names the preset that a file changes; a table named after a task
overrides the common one: `[davis.features]` over `[features]`. A name that ends in `-released` is that preset
with `released.toml` over it: what the authors' released code does otherwise than their paper.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from importlib.resources import files
from typing import Any, TypeVar

from vipbench.baselines.presets.sizes import Encoding as Encoding
from vipbench.baselines.presets.sizes import FeatureSizes as FeatureSizes
from vipbench.baselines.presets.sizes import FlowSizes as FlowSizes
from vipbench.baselines.presets.sizes import HeadSizes as HeadSizes
from vipbench.baselines.presets.sizes import Input as Input
from vipbench.baselines.presets.sizes import Preset as Preset
from vipbench.baselines.presets.training import Stage as Stage
from vipbench.baselines.presets.training import Targets as Targets
from vipbench.baselines.presets.training import Windows as Windows
from vipbench.errors import UserError

T = TypeVar("T")
Tables = dict[str, Any]
RELEASED = "released"
KINDS: dict[str, type] = {
    "input": Input,
    "features": FeatureSizes,
    "flow": FlowSizes,
    "encoding": Encoding,
    "heads": HeadSizes,
    "targets": Targets,
    "windows": Windows,
    "frame": Stage,
    "flow_stage": Stage,
    "temporal": Stage,
}


def names() -> list[str]:
    """The presets that are there; each has a variant whose name ends in `-released` as well."""
    there = {p.name.removesuffix(".toml") for p in files(__name__).iterdir() if p.name.endswith(".toml")}
    return sorted(there - {RELEASED})


def tasks(name: str) -> list[str]:
    """The tasks that a preset serves. Raises UserError for an unknown name."""
    served: list[str] = _extended(_base(name))["tasks"]
    return served


def load(name: str, task: str) -> Preset:
    """The preset for one task. Raises UserError for an unknown name and for a task that it does not serve."""
    if task not in tasks(name):
        served, asked = _words(tasks(name)), _words([task])
        others = ", ".join(other for other in names() if task in tasks(other))
        raise UserError(f"preset {name} is for {served}, the data ask for {asked}; use one of: {others}")
    base = _base(name)
    tables = _extended(base)
    layers = [tables, tables.get(task, {}), _read(RELEASED) if name != base else {}]
    parts: dict[str, Any] = {
        key: _typed(kind, _merged([layer.get(key, {}) for layer in layers])) for key, kind in KINDS.items()
    }
    return Preset(name=name, task=task, **parts)


def _base(name: str) -> str:
    """The preset that a released one is a variant of, else itself."""
    base = name.removesuffix(f"-{RELEASED}")
    if base not in names():
        raise UserError(
            f"unknown preset {name!r}; there are: {', '.join(names())}, and these with -{RELEASED} after them"
        )
    return base


def _words(served: list[str]) -> str:
    words = {"vip": "persons and parts (vip)", "davis": "objects (davis)"}
    return " and ".join(words[task] for task in served)


def _read(name: str) -> Tables:
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text())


def _extended(name: str) -> Tables:
    """A file's tables over those of the preset that it extends."""
    tables = _read(name)
    if "extends" not in tables:
        return tables
    return _merged_tables(_extended(tables["extends"]), tables)


def _merged_tables(under: Tables, over: Tables) -> Tables:
    return under | {
        key: under.get(key, {}) | value if isinstance(value, dict) else value for key, value in over.items()
    }


def _merged(tables: list[Tables]) -> Tables:
    return {key: value for table in tables for key, value in table.items()}


def _typed(kind: type[T], table: Mapping[str, Any]) -> T:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    return kind(**{f.name: values[f.name] for f in fields(kind)})  # type: ignore[arg-type]
