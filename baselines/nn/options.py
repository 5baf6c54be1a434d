"""Options of the building blocks that are chosen by name."""

from collections.abc import Iterable

from vipbench.errors import UserError


def known(what: str, name: str, names: Iterable[str]) -> str:
    """The name, if it is one of `names`. Raises UserError that says which there are."""
    if name not in (there := list(names)):
        raise UserError(f"unknown {what} {name!r}; there are: {', '.join(there)}")
    return name
