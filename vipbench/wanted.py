"""Which measures score a data set: those of its protocols, or those asked for."""

from __future__ import annotations

from collections.abc import Sequence

from vipbench import registry
from vipbench.errors import UserError, nearest
from vipbench.metrics.measure import Measure, parse
from vipbench.metrics.protocols import PROTOCOLS, VOID, Void
from vipbench.types import Dataset

Protocols = dict[str, tuple[Measure, ...]]
PLUG_INS = "plug-ins"
ASKED = "asked"


def protocols(dataset: Dataset, asked: Sequence[str] = ()) -> Protocols:
    """The measures by protocol: of the data set and of installed plug-ins that look at one of its layers.

    asked: names of protocols, and texts of measures ("F(tolerance=0.004)"), in place of these. Raises
    UserError for unknown ones, for those that look at other layers, and if no protocol scores the data set.
    """
    found = asked_for(asked) if asked else _own(dataset)
    for name in found:
        _demand_same_davis(name, dataset)
    for measure in (measure for known in found.values() for measure in known):
        if measure.layer not in dataset.layers:
            raise UserError(
                f"{measure} looks at the layer {measure.layer!r}, expected one of {dataset.name}: "
                f"{', '.join(dataset.layers)}. Ask for another protocol or measure"
            )
    return found


def _demand_same_davis(name: str, dataset: Dataset) -> None:
    """DAVIS 2016 and 2017, and its two tasks, number their objects in different ways."""
    if name.startswith("davis") and not name.startswith(dataset.protocols):
        own = " and ".join(dataset.protocols)
        raise UserError(
            f"protocol {name!r} is not for {dataset.name} {dataset.version}, which {own} scores. "
            "Ask for that, or name the other data by --year and -d task=unsupervised"
        )


def void_of(asked: Sequence[str]) -> Void:
    """What 255 is in the ground truth's objects. Raises UserError for protocols that differ in it."""
    rules = {name: VOID.get(name, "object") for name in asked if name in PROTOCOLS}
    if len(set(rules.values())) > 1:
        said = ", ".join(f"{rule} in {name}" for name, rule in rules.items())
        raise UserError(f"255 in the ground truth is {said}: score these protocols one by one")
    return next(iter(rules.values()), "object")


def _own(dataset: Dataset) -> Protocols:
    if not dataset.protocols:
        raise UserError(f"{dataset.name} {dataset.version}: no protocol scores this version yet")
    known = (registry.load("measures", name) for name in registry.names("measures"))
    added = (measure() for measure in known if not measure.__module__.startswith("vipbench."))
    extra = tuple(measure for measure in added if measure.layer in dataset.layers)
    return {p: PROTOCOLS[p] for p in dataset.protocols} | ({PLUG_INS: extra} if extra else {})


def asked_for(asked: Sequence[str]) -> Protocols:
    """The measures of protocols, and those of texts together. Raises UserError for unknown ones."""
    named = {text: PROTOCOLS[text] for text in asked if text in PROTOCOLS}
    single = tuple(_measure(text) for text in asked if text not in PROTOCOLS)
    return named | ({ASKED: single} if single else {})


def _measure(text: str) -> Measure:
    """A measure by its text, or by its name; one of its numbers stands for all of them."""
    if text in registry.names("measures"):
        return parse(f"{text}()")[0]
    if "(" not in text:
        like = nearest(text, [*PROTOCOLS, *registry.names("measures")])
        known = f"Known: {', '.join(PROTOCOLS)}; or a measure, as F(tolerance=0.004)"
        raise UserError(f"unknown protocol {text!r}.{like} {known}")
    return parse(text)[0]
