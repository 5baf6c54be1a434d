"""Which measures score a data set: those of its protocols, or those asked for."""

from __future__ import annotations

from collections.abc import Sequence

from vipbench import registry
from vipbench.errors import UserError
from vipbench.metrics.measure import Measure, parse
from vipbench.metrics.protocols import PROTOCOLS
from vipbench.types import Dataset

Protocols = dict[str, tuple[Measure, ...]]
PLUG_INS = "plug-ins"
ASKED = "asked"


def protocols(dataset: Dataset, asked: Sequence[str] = ()) -> Protocols:
    """The measures by protocol: of the data set and of installed plug-ins that look at one of its layers.

    asked: names of protocols, and texts of measures ("F(tolerance=0.004)"), in place of these. Raises
    UserError for unknown ones, for those that look at other layers, and if no protocol scores the data set.
    """
    found = _asked(asked) if asked else _own(dataset)
    for measure in (measure for known in found.values() for measure in known):
        if measure.layer not in dataset.layers:
            raise UserError(
                f"{measure} looks at the layer {measure.layer!r}, expected one of {dataset.name}: "
                f"{', '.join(dataset.layers)}. Ask for another protocol or measure"
            )
    return found


def measures(asked: Sequence[str]) -> dict[str, Measure]:
    """The measures of protocols and texts by their text. Raises UserError for unknown ones."""
    return {str(measure): measure for known in _asked(asked).values() for measure in known}


def _own(dataset: Dataset) -> Protocols:
    if not dataset.protocols:
        raise UserError(f"{dataset.name} {dataset.version}: no protocol scores this version yet")
    known = (registry.load("measures", name) for name in registry.names("measures"))
    added = (measure() for measure in known if not measure.__module__.startswith("vipbench."))
    extra = tuple(measure for measure in added if measure.layer in dataset.layers)
    return {p: PROTOCOLS[p] for p in dataset.protocols} | ({PLUG_INS: extra} if extra else {})


def _asked(asked: Sequence[str]) -> Protocols:
    named = {text: PROTOCOLS[text] for text in asked if text in PROTOCOLS}
    single = tuple(_measure(text) for text in asked if text not in PROTOCOLS)
    return named | ({ASKED: single} if single else {})


def _measure(text: str) -> Measure:
    """A measure by its text; one of its numbers stands for all of them."""
    if "(" not in text:
        known = ", ".join(PROTOCOLS)
        raise UserError(f"unknown protocol {text!r}. Known: {known}; or a measure, as F(tolerance=0.004)")
    return parse(text)[0]
