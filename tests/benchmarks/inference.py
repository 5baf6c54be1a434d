"""Methods on videos, in a process of its own: seconds a frame, and the memory that they take.

    python inference.py full:PRECISION ROOT ROUNDS    at 512x896, `paper-davis`: methods beside `frame`
    python inference.py aten:PRECISION ROOT ROUNDS    `aten` beside the plain loop, and what saves time
    python inference.py end_to_end DAVIS ROUNDS       `tiny` on real frames: the network alone, a whole run
    python inference.py memory:METHOD:FRAMES ROOT 1   `tiny` on a rendered video of so many frames

print JSON. ROOT: a folder for a rendered video.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice, product
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "baselines"))
import plain

from vipbench.baselines import streaming
from vipbench.baselines.aten import Aten
from vipbench.baselines.aten_fast import AtenFast
from vipbench.baselines.dff import Dff
from vipbench.baselines.frame import FrameMethod
from vipbench.datasets.davis import Davis
from vipbench.datasets.synth_write import write_clip
from vipbench.helper import helper
from vipbench.runner import Work
from vipbench.specs import DatasetSpec, MethodSpec
from vipbench.timing import stopwatch
from vipbench.types import Video

SEQUENCES = ("blackswan", "dance-twirl", "dog")  # 67 frames on average, those of the split have 69
RANDOM = {"weights": "random", "preset": "tiny"}
FULL_SIZE: dict[str, Any] = {"preset": "paper-davis", "weights": Path("random")}
FIRST = 4
"""Periods that are not timed."""
Turns = dict[str, Callable[[], float]]


def in_turn(turns: Turns, rounds: int) -> dict[str, list[float]]:
    """What the turns return, round after round, after one that does not count."""
    found: dict[str, list[float]] = {name: [] for name in turns}
    for name, turn in list(turns.items()) * (rounds + 1):
        found[name].append(turn())
    return {name: times[1:] for name, times in found.items()}


def rendered(root: Path, frames: int, size: tuple[int, int]) -> tuple[Davis, Video]:
    """A video of walking people."""
    if not (root / "DAVIS").exists():
        write_clip(root, size, frames)
    data = Davis(root / "DAVIS")
    (video,) = data.videos("val")
    return data, video


def longer(video: Video, frames: int) -> Video:
    """The video over and over, as one of so many frames."""
    repeated = (video.frames[i % len(video.frames)] for i in range(frames))
    return replace(video, frames=tuple(replace(f, name=f"{i:05d}", index=i) for i, f in enumerate(repeated)))


def period(method: Any, video: Video, rounds: int) -> Callable[[], float]:
    """Seconds a frame of each next period of a method (a segment), without what its photos take.

    From where each costs the same: `aten` sees 2 p + 1 keys in its first segments, then one in each.
    """
    found = method.predict(longer(video, (FIRST + rounds + 1) * method.period))

    def go(periods: int) -> None:
        assert len(list(islice(found, periods * method.period))) == periods * method.period

    go(FIRST)

    def turn() -> float:
        with stopwatch() as watch:
            go(1)
            read = watch.read()
        return (read.seconds - read.stages.get("decode", 0.0)) / method.period

    return turn


def plainly(method: Any, video: Video) -> float:
    """Seconds a frame of the plain loop, images decoded beforehand."""
    images = plain.Images(method.net, video)
    start = perf_counter()
    plain.parsings(method, video, images)
    return (perf_counter() - start) / len(video.frames)


MOVED: dict[str, dict[str, Any]] = {
    "flow_input=quarter": {"flow_input": "quarter"},
    "flow_input=quarter, refine=true": {"flow_input": "quarter", "refine": True},
    "carry=true": {"carry": True},
    "stride=8": {"stride": 8},
    "width=half": {"width": "half"},
}
"""What makes `aten-fast` of `aten`, one at a time; the refinement with the flow that it is for."""


def full(root: Path, precision: str, rounds: int) -> dict[str, Any]:
    """What is there to be faster than `frame`, each in turn with it, by the same engine and precision.

    A turn is a segment, or a frame of `frame`: short, since the speed of a host changes.
    """
    data, video = rendered(root, 10, (512, 896))
    options = FULL_SIZE | {"precision": precision}
    frame = FrameMethod(data, **options)
    methods = {
        "aten-fast, l = 3": AtenFast(data, **options),
        "aten-fast, l = 5": AtenFast(data, l=5, **options),
        "dff": Dff(data, **options),
    }
    found = {}
    for name, method in methods.items():
        both = {name: method, f"frame beside {name}": frame}
        found |= in_turn({n: period(each, video, rounds) for n, each in both.items()}, rounds)
    return {"seconds": found}


def aten(root: Path, precision: str, rounds: int) -> dict[str, Any]:
    """`aten` in a precision; the plain loop is in single precision."""
    data, video = rendered(root, 9, (512, 896))
    options = FULL_SIZE | {"precision": precision}
    saving = {f"aten -o {name}": saved for name, saved in MOVED.items()}
    turns: Turns = {
        name: period(Aten(data, **options, **saved), video, rounds)
        for name, saved in ({"aten": {}} | saving).items()
    }
    turns["plain loop"] = partial(plainly, Aten(data, **FULL_SIZE, precision="exact"), video)
    return {"seconds": in_turn(turns, rounds)}


def end_to_end(root: Path, rounds: int) -> dict[str, Any]:
    """Whole runs beside the network alone (photos decoded beforehand, nothing written), on one thread.

    Seconds of each round of each video: turns that are compared are short, since a host's speed changes.
    """
    data = DatasetSpec("davis", root)
    videos = [video for video in data.open().videos("val") if video.id in SEQUENCES]
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as out:
        for name, video in product(("frame", "dff", "fgfa", "aten", "aten-fast"), videos):
            options = RANDOM if name == "aten-fast" else {"preset": "tiny"}  # it has no weights of that size
            work = Work(MethodSpec(name, options), data, Path(out) / name)
            turns = {name: partial(whole, work, video), f"{name}, alone": alone(work, video)}
            for turn, times in in_turn(turns, rounds).items():
                found.setdefault(turn, []).extend(times)
    return {"seconds": found}


def whole(work: Work, video: Video) -> float:
    shutil.rmtree(work.out, ignore_errors=True)  # to write over a file takes longer than to write a new one
    return work(video).seconds


def alone(work: Work, video: Video) -> Callable[[], float]:
    """Seconds of the network on photos that lie in memory as it sees them."""
    engine = (method := cast(Any, work.method)).engine
    photos = {f: engine.photo(f, *call(*args)) for f in video.frames for call, *args in [engine.reading(f)]}

    def run() -> float:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(streaming, "ahead", lambda items, _: ((item, [()] * len(n)) for item, n in items))
            patch.setattr(engine, "photo", lambda frame: replace(photos[frame]))
            start = perf_counter()
            for _ in method.predict(video):
                pass
            return perf_counter() - start

    return run


def memory(root: Path, method: str, frames: int) -> dict[str, Any]:
    """Peak MB of a run, from images to files: of this process, and of its helper."""
    _, video = rendered(root, 50, (96, 160))
    with tempfile.TemporaryDirectory() as out:
        work = Work(MethodSpec(method, RANDOM), DatasetSpec("davis", root / "DAVIS"), Path(out))
        work(longer(video, frames))
    status = Path("/proc/self/status")
    with helper() as beside:
        there = beside.ask(status.read_text).get()
    return {"peak_mb": peak(status.read_text()), "helper_mb": peak(there)}


def peak(status: str) -> float:
    """MB of a process; getrusage would count what a new one shares with its parent."""
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    torch.set_num_threads(1)
    task, home, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    kind, *of = task.split(":")
    if kind == "memory":
        found = memory(home, of[0], int(of[1]))
    elif kind == "end_to_end":
        found = end_to_end(home, count)
    else:
        found = {"full": full, "aten": aten}[kind](home, of[0], count)
    print(json.dumps(found))
