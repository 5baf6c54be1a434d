"""Names -> objects: entry points, "package.module:Attr" and "./file.py:Attr".

Factories are called with text options, converted by their annotations. Listing names imports nothing.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from vipbench.errors import UserError, nearest

EXTRA = {
    "torch": "baselines",
    "safetensors": "baselines",
    "pycocotools": "coco",
    "h5py": "h5",
    "matplotlib": "plots",
}
"""Modules that are not always installed, and the extra that installs them."""
BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@cache  # a call reads the files of every installed distribution: 5 ms
def _entry_points(group: str) -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=f"vipbench.{group}")}


def names(group: str) -> list[str]:
    """The declared names of a group ("methods", "datasets", "measures", "folders"), sorted. Loads nothing."""
    return sorted(_entry_points(group))


def load(group: str, name: str) -> Any:
    """The object called `name`: an entry point's name, "package.module:Attr" or "./file.py:Attr".

    Raises UserError for an unknown name (listing the known ones) and for a plug-in that does not import.
    """
    kind = group.removesuffix("s")
    points = _entry_points(group)
    if name not in points and ":" not in name:
        known = f"{', '.join(sorted(points))} (or package.module:Attr, ./file.py:Attr)"
        raise UserError(f"unknown {kind} {name!r}.{nearest(name, points)} Known: {known}")
    try:
        return points[name].load() if name in points else _load_address(name)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        raise UserError(_missing(kind, name, error)) from error
    except Exception as error:
        raise UserError(
            f"{kind} {name!r} does not load ({type(error).__name__}: {error}). Mend or remove it"
        ) from error


def _missing(kind: str, name: str, error: ModuleNotFoundError) -> str:
    if error.name in EXTRA:
        return f"{kind} {name!r} needs {error.name}: {install(error.name)}"
    return f"{kind} {name!r} does not load ({error}). Install what it imports, or mend the name"


def install(module: str) -> str:
    """How to install a module of EXTRA."""
    return f"pip install 'vipbench[{EXTRA[module]}]', or -e '.[{EXTRA[module]}]' in a clone"


def _load_address(address: str) -> Any:
    where, _, attribute = address.rpartition(":")
    module = _load_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    if not hasattr(module, attribute):
        raise UserError(f"{address!r}: {where} has no {attribute!r}. Write the address as ./file.py:Attr")
    return getattr(module, attribute)


def _load_file(path: Path) -> types.ModuleType:
    if not path.is_file():
        raise UserError(f"{path}: no such file. A plug-in's address is ./file.py:Attr or package.module:Attr")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"vipbench_plugin_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def label(name: str, options: Mapping[str, str]) -> str:
    """A file name for a method and its options: "aten-l5"; of an address the attribute alone."""
    text = name.rpartition(":")[2] + "".join(f"-{key}{options[key]}" for key in sorted(options))
    return re.sub(r"[^\w.+-]+", "_", text)


def build(factory: Callable[..., Any], *args: Any, options: Mapping[str, str]) -> Any:
    """Call `factory(*args, **options)`, each option's text converted to its parameter's annotation.

    Raises UserError for an unknown option (listing the known ones) and for a value that does not convert.
    """
    return factory(*args, **convert(factory, len(args), options))


def convert(factory: Callable[..., Any], skip: int, options: Mapping[str, str]) -> dict[str, Any]:
    """The options as keyword arguments of `factory`, whose first `skip` parameters are not options."""
    known = parameters(factory, skip)
    for key in options:
        if key not in known:
            listed = ", ".join(known) or "none"
            raise UserError(f"unknown option {key!r} of {factory.__name__}. Known options: {listed}")
    return {key: _value(key, text, known[key].annotation) for key, text in options.items()}


def changed(factory: Callable[..., Any], skip: int, options: Mapping[str, str]) -> dict[str, str]:
    """The options that say something else than the factory's defaults, sorted by name."""
    known = parameters(factory, skip)
    values = convert(factory, skip, options)
    return {key: options[key] for key in sorted(options) if values[key] != known[key].default}


def parameters(factory: Callable[..., Any], skip: int = 1) -> dict[str, inspect.Parameter]:
    """The parameters that options may set, by name."""
    found = list(inspect.signature(factory, eval_str=True).parameters.values())[skip:]
    return {p.name: p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


@dataclass(frozen=True)
class _Choice:
    expected: str
    read: Callable[[str], Any]


def _value(key: str, text: str, annotation: Any) -> Any:
    for choice in _choices(annotation):
        try:
            return choice.read(text)
        except (ValueError, KeyError):
            continue
    expected = " or ".join(choice.expected for choice in _choices(annotation))
    raise UserError(f"option {key}={text}: expected {expected}")


def _choices(annotation: Any) -> list[_Choice]:
    """The ways to read a text as the annotated type, tried in order."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = sorted(get_args(annotation), key=lambda part: part is str)  # any text is a str: try it last
        return [choice for part in parts for choice in _choices(part)]
    if get_origin(annotation) is Literal:
        texts = {str(value): value for value in get_args(annotation)}
        return [_Choice(" or ".join(texts), texts.__getitem__)]
    if annotation is bool:
        return [_Choice("true or false", lambda text: BOOLEANS[text.lower()])]
    if annotation in (type(None), None):
        return [_Choice("none", {"none": None}.__getitem__)]
    if annotation in (int, float, Path):
        return [_Choice(annotation.__name__, annotation)]
    return [_Choice("text", str)]
