"""What can be named: methods and data sets with their options. One that does not load is listed as such."""

from __future__ import annotations

from typing import Any

from vipbench import registry
from vipbench.errors import UserError

Row = dict[str, str]


def methods() -> list[Row]:
    """A row for every declared method: name, options with their defaults, the first line of its docstring."""
    return [_row("methods", name) for name in registry.names("methods")]


def datasets() -> list[Row]:
    """A row for every declared data set: as for methods, with splits and the variable of its root."""
    return [_row("datasets", name) for name in registry.names("datasets")]


def protocols() -> list[dict[str, Any]]:
    """A row for every protocol: name, what it is in words, and the texts of its measures."""
    from vipbench.metrics.protocols import PROTOCOLS, described

    words = described()
    return [{"name": p, **words[p], "measures": list(map(str, known))} for p, known in PROTOCOLS.items()]


def _row(group: str, name: str) -> Row:
    try:
        factory = registry.load(group, name)
    except UserError as error:
        return {"name": name, "options": "", "splits": "", "env": "", "about": str(error)}
    row = {"name": name, "options": _options(factory), "about": (factory.__doc__ or "").partition("\n")[0]}
    if group == "datasets":
        row |= {"splits": ", ".join(factory.splits), "env": getattr(factory, "env", "")}
    return row


def _options(factory: Any) -> str:
    return ", ".join(f"{name}={p.default}" for name, p in registry.parameters(factory).items())
