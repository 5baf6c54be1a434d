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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from vipbench import provenance, registry, runstate
from vipbench.bench_figures import Bench, Measured, Round
from vipbench.costs import Cost
from vipbench.errors import UserError
from vipbench.origin import speed
from vipbench.runner import Work
from vipbench.specs import DatasetSpec, MethodSpec
from vipbench.types import Video

Progress = Callable[[str, int, int], None]
"""Called with what is being measured, how many turns are done, and of how many."""
PACKAGES = ("torch", "numpy", "pillow")


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
    return Bench(measured, failed, data, machine, dict(_versions()), created, provenance.command())


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
    """As `provenance.device`, with the GPU's name and torch's threads."""
    found = provenance.device(device)
    torch: Any = sys.modules.get("torch")  # where any method needed it
    if torch:
        found["threads"] = str(torch.get_num_threads())
        found |= {"gpu": torch.cuda.get_device_name(device)} if device.startswith("cuda") else {}
    return found


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
