"""What a command line says of a data set and a method: names and texts, cheap to send to a worker.

Only `open` and `build` load code, so that workers build their own objects, plug-ins from files included.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vipbench import registry
from vipbench.errors import UserError, nearest
from vipbench.types import Dataset, Method, Video, is_name

DEFAULT_ROOTS = {"VIPBENCH_SYNTH": Path("data/synth")}
"""Roots that `vipbench data make` writes, used if they are there and nothing else is said."""


@dataclass(frozen=True)
class DatasetSpec:
    """A data set by name, with its root folder and options as texts."""

    name: str
    root: Path
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, root: Path | None = None, options: dict[str, str] | None = None) -> DatasetSpec:
        """Find the root and drop the options that say what is so anyway. Raises UserError without a root."""
        factory = registry.load("datasets", name)
        return cls(name, find_root(name, factory, root), registry.changed(factory, 1, options or {}))

    @property
    def label(self) -> str:
        """For file names: "davis", "davis-year2017"."""
        return registry.label(self.name, self.options)

    def open(self) -> Dataset:
        """The data set itself."""
        dataset: Dataset = registry.build(
            registry.load("datasets", self.name), self.root, options=self.options
        )
        return dataset


@dataclass(frozen=True)
class MethodSpec:
    """A method by name, with its options as texts."""

    name: str
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, label: str) -> MethodSpec:
        """The method that a label names, "aten-l5"; an address ("./file.py:Attr") is one without options.

        Raises UserError for a method, an option or a value that is not known.
        """
        if ":" in label:
            return cls(label)
        fitting = (n for n in registry.names("methods") if f"{label}-".startswith(f"{n}-"))
        name = max(fitting, key=len, default=label)
        factory = registry.load("methods", name)
        options = _read_options(label, label[len(name) + 1 :], registry.parameters(factory))
        registry.convert(factory, 1, options)
        return cls(name, options)

    @property
    def label(self) -> str:
        """For file names: "aten-l5"."""
        return registry.label(self.name, self.options)

    def build(self, dataset: Dataset) -> Method:
        """The method itself, made for a data set."""
        method: Method = registry.build(registry.load("methods", self.name), dataset, options=self.options)
        return method

    def source(self) -> str:
        """sha256 of the method's code (its package's files, weights included) and of its options' files."""
        factory = registry.load("methods", self.name)
        digest = hashlib.sha256()
        for path in [*source_files(factory), *map(Path, sorted(self.options.values()))]:
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def _read_options(label: str, text: str, known: Iterable[str]) -> dict[str, str]:
    """What follows a method's name in a label: "l5-presetpaper-vip" -> {"l": "5", "preset": "paper-vip"}."""
    found: dict[str, str] = {}
    for part in text.split("-") if text else ():
        key = max((k for k in known if part.startswith(k)), key=len, default="")
        if key:
            found[key] = part[len(key) :]
        elif found:  # a value that holds a dash
            found[list(found)[-1]] += f"-{part}"
        else:
            listed = ", ".join(known)
            raise UserError(
                f"method {label!r}: expected options as in aten-l5, got {part!r}. Known: {listed}"
            )
    return found


def source_files(factory: Callable[..., Any]) -> list[Path]:
    """The files of a plug-in's code: its module's alone, or all of its package's."""
    file = Path(inspect.getfile(factory))
    if "." not in factory.__module__:
        return [file]
    return sorted(path for path in file.parent.rglob("*") if path.suffix not in (".pyc", ""))


def find_root(name: str, factory: Any, root: Path | None) -> Path:
    """The data set's folder: as given, else of its environment variable, else where `data make` puts it.

    It may be a file for a data set that says so by `file_root`.
    """
    variable = getattr(factory, "env", "")
    if root is None and os.environ.get(variable):
        root = Path(os.environ[variable])
    if root is None and variable in DEFAULT_ROOTS and DEFAULT_ROOTS[variable].is_dir():
        root = DEFAULT_ROOTS[variable]
    if root is None:
        how = f"--data ROOT or {variable}" if variable else "--data ROOT"
        raise UserError(f"no root for data set {name!r}. Set {how}; `vipbench data info {name}` tells more")
    if not (root.is_dir() or (getattr(factory, "file_root", False) and root.is_file())):
        raise UserError(
            f"{root}: no such folder for data set {name!r}. `vipbench data info {name}` tells more"
        )
    return root


def split_of(dataset: Dataset, split: str | None) -> str:
    """The split's name, the data set's default if None. Raises UserError for one it does not have."""
    if split is None:
        return dataset.splits[0]
    if split not in dataset.splits:
        like = nearest(split, dataset.splits)
        raise UserError(
            f"unknown split {split!r} of {dataset.name}.{like} Known: {', '.join(dataset.splits)}"
        )
    return split


def select(dataset: Dataset, split: str, sequences: tuple[str, ...] | None) -> list[Video]:
    """The videos of a split in its order, only those named if any.

    Raises UserError for unknown names, and for a data set whose names are no names of files.
    """
    videos = list(dataset.videos(split))
    for name in (name for video in videos for name in (video.id, *(frame.name for frame in video.frames))):
        if not is_name(name):
            raise UserError(f"{dataset.name} {split}: {name!r} cannot name a file. Mend the data set's names")
    if sequences is None:
        return videos
    known = {video.id for video in videos}
    unknown = [name for name in sequences if name not in known]
    if unknown:
        listed = ", ".join(sorted(known))
        raise UserError(
            f"unknown sequence {unknown[0]!r} in split {split!r} of {dataset.name}."
            f"{nearest(unknown[0], known)} Known: {listed}"
        )
    return [video for video in videos if video.id in sequences]
