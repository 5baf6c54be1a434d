"""What a measure is, what it sees, and how it is written down.

A measure is a value: a frozen dataclass of its parameters. It turns a frame into a state, states merge in
any order to the same bits, and the merged state becomes numbers. Its text says everything that decides the
numbers, `J(frames=inner,objects=foreground)`; with the key of one number, `J.mean(...)` or `APr@0.5(...)`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from vipbench.errors import UserError, nearest
from vipbench.metrics.overlap import Overlap
from vipbench.types import Parsing, SegmentMap

T = TypeVar("T")
Row = tuple[Any, ...]
Weights = NDArray[np.int64]
Vector = NDArray[np.float64]
LABEL = re.compile(r"(?P<name>\w+)([.@](?P<key>[\w.:]+))?\((?P<parameters>[^()]*)\)")


TAGS = ("attribute", "occlusion")
"""Kinds of the groups that a data set makes by tags."""

KINDS = ("class", "size", *TAGS)
"""What the numbers of a scope "<kind>:<name>" are of: one class, instances of one size, videos that have an
attribute, frames of one level of occlusion."""


class MeasureWarning(UserWarning):
    """The number is defined, but by a rule that the user should know was applied."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Ground truth and prediction of one annotated frame: all that a measure may look at.

    position: 0-based among the annotated frames of its video. last: no annotated frame of the video follows.
    objects: ids in the ground truth of the video's first annotated frame, layer "object". missing: there is
    no prediction, `pred` is empty.
    """

    video: str
    frame: str
    position: int
    last: bool
    gt: Parsing
    pred: Parsing
    objects: tuple[int, ...] = ()
    missing: bool = False
    _made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the ground truth."""
        return self.gt.size

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What `make` returns: made when first asked for, then kept under the key for other measures."""
        if key not in self._made:
            self._made[key] = make()
        found: T = self._made[key]
        return found

    def maps(self, layer: str) -> tuple[SegmentMap, SegmentMap]:
        """(ground truth, prediction) of a layer. Raises UserError where their sizes differ."""
        gt, pred = self.gt.layer(layer), self.pred.layer(layer)
        if gt.size != pred.size:
            raise UserError(
                f"{self.video}, frame {self.frame}, {layer}: expected a prediction of the ground truth's "
                f"size {gt.size} (height, width), got {pred.size}. Nothing is resized: write it in that size"
            )
        return gt, pred

    def overlap(self, layer: str) -> Overlap:
        """The pixel counts of a layer, computed once. Raises UserError where the sizes differ."""
        return self.once(("overlap", layer), lambda: Overlap.of(*self.maps(layer)))


def objects_of(gt: Parsing) -> tuple[int, ...]:
    """The ids of the objects of a ground truth; none where it has no such layer."""
    return () if gt.object is None else tuple(segment.id for segment in gt.object.segments)


def without_void(gt: Parsing, pred: Parsing, void: int | None) -> tuple[Parsing, Parsing]:
    """Both, with what is void in the ground truth's objects as background in both."""
    if gt.object is None or pred.object is None or void not in gt.object.present or gt.size != pred.size:
        return gt, pred
    known, layers = gt.object.ids != void, (gt.object, pred.object)
    one, other = (SegmentMap.of(np.where(known, layer.ids, layer.ids.dtype.type(0))) for layer in layers)
    return replace(gt, object=one), replace(pred, object=other)


class State(Protocol):
    """What a measure has seen of some frames; a merge has the same bits in any partition and order."""

    def merge(self, other: Self) -> Self:
        """What both have seen."""

    def to_json(self) -> Any:
        """As dicts with text keys, lists, text and numbers; floats keep every bit through `json`.

        A video's name is nowhere but in the keys of dicts, so that it can be given another.
        """

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The inverse of to_json."""


@dataclass(frozen=True)
class Rows:
    """A state that keeps a row for each thing observed, by video, in no particular order."""

    videos: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)

    def merge(self, other: Self) -> Self:
        """The rows of both."""
        joined = dict(self.videos)
        for video, rows in other.videos.items():
            joined[video] = joined.get(video, ()) + rows
        return type(self)(joined)

    def joined(self, others: Iterable[Self]) -> Self:
        """The rows of all, as after one merge after the other."""
        rows = {video: list(own) for video, own in self.videos.items()}
        for other in others:
            for video, own in other.videos.items():
                rows.setdefault(video, []).extend(own)
        return type(self)({video: tuple(own) for video, own in rows.items()})

    def of(self, video: str) -> list[Row]:
        """The rows of a video, sorted."""
        return sorted(self.videos.get(video, ()))

    def to_json(self) -> Any:
        """{video: sorted rows}."""
        return {video: [list(row) for row in self.of(video)] for video in sorted(self.videos)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The inverse of to_json."""
        return cls({video: tuple(map(tuple, rows)) for video, rows in data.items()})


def merged(measure: Measure, states: Sequence[Any]) -> Any:
    """All the states as one, two by two, so that nothing is copied often."""
    if states and type(states[0]) is Rows:
        return states[0].joined(states[1:])
    while len(states) > 1:
        pairs = zip(states[::2], states[1::2], strict=False)
        states = [one.merge(other) for one, other in pairs] + list(states[len(states) // 2 * 2 :])
    return states[0] if states else measure.empty()


class Value(NamedTuple):
    """One number. key: which of the measure's numbers. value: NaN where undefined.

    scope: "all", "<video>", "<video>#<object>", either with "/<frame>", or a group "<kind>:<name>" of KINDS.
    n: how many things (sequences or objects, frames, classes) it is the mean of.
    """

    key: str
    scope: str
    value: float
    n: int


class Measure(Protocol):
    """The base of a measure, to be made a frozen dataclass whose fields are its parameters.

    name: as in its entry point (group vipbench.measures). layer: the layer it scores. keys: of its numbers.
    of_videos: those that mean nothing of some frames of a video.
    falling: keys of which a lower number is the better one.
    """

    name: ClassVar[str]
    layer: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    falling: ClassVar[tuple[str, ...]] = ("decay",)
    of_videos: ClassVar[tuple[str, ...]] = ()

    def empty(self) -> State:
        """The state of no frame."""

    def observe(self, pair: Pair) -> Any:
        """The state of one frame. Raises UserError for a prediction that cannot be scored."""

    def finish(self, state: Any, videos: Sequence[str]) -> list[Value]:
        """The numbers of the videos, in this (the data set's) order. Warns with MeasureWarning.

        A video that is named twice counts twice in the numbers of scope "all".
        """

    def totals(self, state: Any, videos: Sequence[str]) -> list[Value]:
        """What `finish` gives of scope "all"."""
        return [value for value in self.finish(state, videos) if value.scope == "all"]

    def resample(self, state: Any, videos: Sequence[str], weights: Weights) -> dict[str, Vector]:
        """The numbers of scope "all", by key, where video v counts weights[b, v] times: float64 [B] each.

        weights: int64 [B, V], 0 or more: bootstrap resamples, subsets, or those with one method's videos
        exchanged for another's. Equal to `finish` of the videos so repeated, but for the last bits.
        """
        rows = [
            self._all(state, [v for v, w in zip(videos, row, strict=True) for _ in range(w)])
            for row in weights
        ]
        return {key: np.array([row[key] for row in rows]) for key in (rows[0] if rows else {})}

    def _all(self, state: Any, videos: Sequence[str]) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MeasureWarning)
            return {v.key: v.value for v in self.finish(state, videos) if v.scope == "all"}

    def scored(self, length: int) -> range:
        """The positions that count in a video of so many annotated frames."""
        return range(length)

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for parameter, value in vars(self).items():
            choices = get_args(hints[parameter])
            if choices and value not in choices:
                expected = " or ".join(map(str, choices))
                raise UserError(f"{self.name}: {parameter}={value} is not known, expected {expected}")

    def __str__(self) -> str:
        return label(self, "")


def label(measure: Measure, key: str) -> str:
    """The text of one of a measure's numbers, `J.mean(frames=inner,...)`; of the measure itself for ""."""
    mark = "@" if key[:1].isdigit() else "." if key else ""
    parameters = ",".join(f"{name}={value}" for name, value in sorted(vars(measure).items()))
    return f"{measure.name}{mark}{key}({parameters})"


def parse(text: str) -> tuple[Measure, str]:
    """(measure, key) of a label, the inverse of `label`; a parameter left out has its default.

    Raises UserError for a text that is no label and for an unknown measure, key, parameter or value.
    """
    match = LABEL.fullmatch(text)
    if not match:
        raise UserError(f"{text!r} is not a measure. Write it as J.mean(frames=inner,objects=foreground)")
    name, key = match["name"], match["key"] or ""
    if name not in _known():
        like = nearest(name, _known())
        raise UserError(f"{text!r}: unknown measure {name!r}.{like} Known: {', '.join(sorted(_known()))}")
    pairs = [part.partition("=") for part in match["parameters"].split(",") if part]
    factory = _known()[name].load()
    hints, known = get_type_hints(factory), [field.name for field in fields(factory)]
    for parameter, _, _ in pairs:
        if parameter not in known:
            listed = ", ".join(known) or "none"
            raise UserError(f"{text!r}: {name} has no parameter {parameter!r}. Known: {listed}")
    try:
        measure: Measure = factory(**{p: _value(hints[p], value) for p, _, value in pairs})
    except ValueError as error:
        raise UserError(f"{text!r}: not a value of that parameter ({error})") from None
    if key not in ("", *measure.keys):
        raise UserError(f"{text!r}: {name} has no number {key!r}. Known: {', '.join(measure.keys)}")
    return measure, key


def _value(hint: Any, text: str) -> Any:
    """A parameter's text as what its annotation says: a number, or text."""
    return hint(text) if hint in (int, float) else text


@cache
def _known() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="vipbench.measures")}
