"""How fast methods are beside each other: rounds of all of them in turn, on the same frames.

What disturbs a machine lasts longer than a method's turn, so that it meets all methods alike; ratios are
taken within a round. A turn is the work of a run (`runner.Work`): frames are read, parsed, checked and
written, and whole segments alone count, after a warm-up.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from vipbench import provenance, registry, runstate
from vipbench.costs import Cost
from vipbench.errors import UserError
from vipbench.origin import speed
from vipbench.runner import Work
from vipbench.specs import DatasetSpec, MethodSpec
from vipbench.types import Video
from vipbench.version import __version__

Progress = Callable[[str, int, int], None]
"""Called with what is being measured, how many turns are done, and of how many."""
SCHEMA = "vipbench/bench-1"
BASE = "frame"
"""The method that ratios are to."""
OTHER = "other"
PACKAGES = ("torch", "numpy", "pillow")


@dataclass(frozen=True)
class Spread:
    """A number over rounds: its median and its quartiles."""

    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Of one value or more, quartiles by linear interpolation between them."""
        known = list(values)
        q1, _, q3 = quantiles(known, n=4, method="inclusive") if len(known) > 1 else known * 3
        return cls(median(known), q1, q3)


@dataclass(frozen=True)
class Round:
    """A method's turn, see `origin.speed`. fps: network alone; end to end: with reading and writing."""

    frames: int
    seconds: float
    stages: dict[str, float]
    fps: float
    fps_end_to_end: float

    @property
    def parts(self) -> dict[str, float]:
        """The seconds by stage with what no stage counts as OTHER: they add up to `seconds`."""
        own = {name: s for name, s in self.stages.items() if name != "check"}
        return own | {OTHER: self.seconds - sum(own.values())}


@dataclass(frozen=True)
class Measured:
    """A method's rounds. about: what it says of its preset and weights. cost: by count, where it tells."""

    name: str
    method: str
    options: dict[str, str]
    about: str
    cost: Cost | None
    rounds: tuple[Round, ...]

    @property
    def fps(self) -> Spread:
        """Frames a second of the network alone."""
        return Spread.of(r.fps for r in self.rounds)

    @property
    def fps_end_to_end(self) -> Spread:
        """Frames a second with reading and writing."""
        return Spread.of(r.fps_end_to_end for r in self.rounds)

    @property
    def ms(self) -> dict[str, Spread]:
        """Milliseconds a frame by stage."""
        names = dict.fromkeys(name for r in self.rounds for name in r.parts)
        return {n: Spread.of(1000 * r.parts.get(n, 0.0) / r.frames for r in self.rounds) for n in names}

    @property
    def share(self) -> dict[str, float]:
        """Of the time of all rounds, the share of each stage; they add up to 1."""
        total = sum(r.seconds for r in self.rounds)
        return {name: sum(r.parts.get(name, 0.0) for r in self.rounds) / total for name in self.ms}

    def ratio(self, base: Measured | None) -> Spread | None:
        """Time of a frame, network alone, beside that of another method in the same round."""
        if base is None:
            return None
        return Spread.of(b.fps / r.fps for r, b in zip(self.rounds, base.rounds, strict=True))


@dataclass(frozen=True)
class Place:
    """On what to measure. videos: of `data`, annotated in every frame. dataset: whose Records are of the
    same kind. about: the frames in words. options: of all methods that know them.
    """

    data: DatasetSpec
    videos: tuple[Video, ...]
    dataset: str
    about: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What was measured. failed: by the names of methods, why they were not. data, machine: in words."""

    methods: tuple[Measured, ...]
    failed: dict[str, str]
    data: dict[str, Any]
    machine: dict[str, str]
    created: str
    command: str

    @property
    def base(self) -> Measured | None:
        """The method that ratios are to, where it is among them."""
        return next((m for m in self.methods if m.name == BASE), None)

    def as_json(self) -> dict[str, Any]:
        """Everything: the seconds of every round, and what follows from them. Times are in seconds or ms."""
        about: dict[str, Any] = {"schema": SCHEMA, "version": __version__, "git": provenance.git_commit()}
        about |= {"created": self.created, "command": self.command, "device": self.machine}
        rows = [_as_json(m, self.base) for m in self.methods]
        return about | {"data": self.data, "methods": rows, "failed": self.failed}


def _as_json(m: Measured, base: Measured | None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": m.name, "method": m.method, "options": m.options, "about": m.about}
    found |= {"fps": asdict(m.fps), "fps_end_to_end": asdict(m.fps_end_to_end)}
    found |= {"ms": {name: asdict(spread) for name, spread in m.ms.items()}, "share": m.share}
    ratio = m.ratio(base)
    ratios: dict[str, Any] = {"measured": asdict(ratio) if ratio else None}
    if m.cost:
        found["multiplies"] = m.cost.by_module | {"sum": m.cost.a_frame}
        ratios |= {"exact": m.cost.ratio, "eq8": m.cost.eq8, "eq9": m.cost.eq9}
    return found | {
        "ratio": ratios,
        "cost": asdict(m.cost) if m.cost else None,
        "rounds": [asdict(r) for r in m.rounds],
    }


def bench(methods: Sequence[MethodSpec], place: Place, rounds: int, progress: Progress) -> Bench:
    """Measure the methods in `rounds` rounds, each in turn in each round.

    All are built first and stay in memory. One that fails at any time is left out from then on. Predictions
    are written below a temporary folder and deleted after each turn.
    """
    created, load = provenance.now(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="vipbench-bench-") as out:
        turns, failed = _ready(methods, place, Path(out))
        found: dict[str, list[Round]] = {name: [] for name in turns}
        for number in range(rounds * len(turns)):
            name = list(turns)[number % len(turns)]
            progress(name, number, rounds * len(turns))
            if name not in failed:
                with _noted(name, failed):
                    found[name].append(_turn(turns[name], place.videos))
        measured = tuple(_measured(n, turns[n], found[n]) for n in turns if n not in failed)
        machine = _machine(place.options.get("device", "cpu")) | {"load": f"{load:.1f}"}
    data = {"dataset": place.dataset, "frames": place.about, "rounds": rounds}
    return Bench(measured, failed, data, machine, created, provenance.command())


def _ready(methods: Sequence[MethodSpec], place: Place, out: Path) -> tuple[dict[str, Work], dict[str, str]]:
    """The methods, built, by their names; and why some could not be."""
    turns: dict[str, Work] = {}
    failed: dict[str, str] = {}
    for method in methods:
        with _noted(method.label, failed):
            turns[method.label] = _built(method, place, out)
    return turns, failed


@contextmanager
def _noted(name: str, failed: dict[str, str]) -> Iterator[None]:
    """Note why the block failed: a plug-in may raise anything, a device may have too little memory."""
    try:
        yield
    except UserError as error:
        failed[name] = str(error)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}".partition("\n")[0]


def _built(method: MethodSpec, place: Place, out: Path) -> Work:
    """The method, with random weights where there are no others. Raises UserError as `MethodSpec.build`."""
    known = registry.parameters(registry.load("methods", method.name))
    options = {key: text for key, text in place.options.items() if key in known} | method.options
    work = Work(replace(method, options=options), place.data, out / method.label)
    try:
        work.method  # noqa: B018  # builds it
    except UserError:
        if "weights" not in known or "weights" in options:
            raise
        work = Work(replace(method, options=options | {"weights": "random"}), place.data, work.out)
        work.method  # noqa: B018
    return work


def _turn(work: Work, videos: Sequence[Video]) -> Round:
    """Predict all videos once. Raises UserError where no frame tells the method's speed."""
    try:
        found = speed([work(video) for video in videos], videos)
    finally:
        shutil.rmtree(runstate.temporary(work.out), ignore_errors=True)
    if not found.get("fps"):
        frames = " and ".join(str(len(video.frames)) for video in videos)
        raise UserError(f"{frames} frames hold no whole segment of it. Take longer videos, or more --frames")
    return Round(**found)


def _measured(name: str, work: Work, rounds: Sequence[Round]) -> Measured:
    method: Any = work.method
    cost = Cost.of(asdict(method.cost())) if hasattr(method, "cost") else None
    about = getattr(method, "about", "")
    return Measured(name, work.spec.name, work.spec.options, about, cost, tuple(rounds))


def _machine(device: str) -> dict[str, str]:
    """As `provenance.device`, with the GPU's name, torch's threads and the versions of packages."""
    found = provenance.device(device)
    torch: Any = sys.modules.get("torch")  # where any method needed it
    if torch:
        found["threads"] = str(torch.get_num_threads())
        found |= {"gpu": torch.cuda.get_device_name(device)} if device.startswith("cuda") else {}
    return found | dict(_versions())


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield f"{name} version", metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
