"""What every network method needs: its network with weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch

from vipbench import timing
from vipbench.baselines import presets, weights
from vipbench.baselines.network import FrameNet
from vipbench.errors import UserError
from vipbench.types import Dataset

Net = TypeVar("Net", bound=FrameNet)
Lent = Sequence[tuple[str, str]]
RANDOM = Path("random")
"""In place of a weights file: none, the start values of a training. They are as fast as any others."""
FRAME_AND_FLOW: Lent = (("frame", ""), ("aten", "flow."))
"""What a network without a temporal unit may run with: the frame model, and ATEN's FlowNet-S."""


def task_of(dataset: Dataset) -> str:
    """Which head a data set asks for: "vip" (parts and persons) or "davis" (objects).

    Raises UserError for a data set with neither set of layers.
    """
    if set(dataset.layers) == {"category", "human", "part"}:
        return "vip"
    if set(dataset.layers) == {"object"}:
        return "davis"
    raise UserError(
        f"data set {dataset.name} has layers {dataset.layers}, which no head of the networks predicts"
    )


def check_device(device: str) -> None:
    """UserError unless tensors can be made on it."""
    try:
        if torch.device(device).type not in ("cpu", "cuda", "mps"):
            raise RuntimeError("expected cpu, cuda, cuda:N or mps")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {device!r} is not to be had here ({reason}). Try device cpu") from None


def network(
    build: Callable[[presets.Preset], Net],
    method: str,
    dataset: Dataset,
    preset: str,
    path: Path | None,
    device: str,
    lent: Lent = (),
    asked: Mapping[str, int] | None = None,
) -> tuple[Net, str]:
    """The method's network for this data set, ready for inference, and what a table says of it.

    path: of weights; RANDOM for none. method: as its weights are called. lent: whose weights fill it while it
    has none of its own, and the prefix of what is taken of them. asked: options that the preset's encoding
    names too; where it was trained with others, that is said. Raises UserError for unfit weights, those of
    another method, preset or task among them, and where there are none.
    """
    sizes = presets.load(preset, task_of(dataset))
    check_device(device)
    if path == RANDOM:
        return _started(build, sizes).to(device).eval(), f"preset {preset}, random weights"
    parts, words = _given(path, method, sizes) if path else _shipped(method, sizes, lent)
    model = build(sizes)
    told = [weights.load(model, parts[0][0], *parts[1:]), *(weights.about(path) for path, _ in parts[1:])]
    words += _plateau(told) + _trained_with(sizes, asked or {})
    return model.to(device).eval(), f"preset {preset}, {words}"


def _plateau(told: Sequence[Mapping[str, str]]) -> str:
    """Whether a training ended too early, as its log has it; nothing where all are known not to have."""
    found = {metadata.get("plateau") for metadata in told}
    return ", undertrained" if "no" in found else ", plateau unknown" if None in found else ""


def _trained_with(sizes: presets.Preset, asked: Mapping[str, int]) -> str:
    """The training's own values of the options asked for, where they differ."""
    trained = {key: getattr(sizes.encoding, key) for key in asked}
    return ", trained at " + ", ".join(f"{k}={v}" for k, v in trained.items()) if trained != asked else ""


def _given(path: Path, method: str, sizes: presets.Preset) -> tuple[list[weights.Part], str]:
    """The weights in a file, and what they are."""
    found = weights.demand(path, method, sizes)
    return [(path, "")], path.name if found == method else f"{path.name} of {found}, not trained for {method}"


def _started(build: Callable[[presets.Preset], Net], sizes: presets.Preset) -> Net:
    """The network with the same start values each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(sizes)


def _shipped(method: str, sizes: presets.Preset, lent: Lent) -> tuple[list[weights.Part], str]:
    """The parts of the weights that come with vipbench, and what they are."""
    if own := weights.shipped(method, sizes.task, sizes.name):
        return [(own, "")], "the weights that come with vipbench"
    parts = [(weights.shipped(name, sizes.task, sizes.name), prefix) for name, prefix in lent]
    found = [(file, prefix) for file, prefix in parts if file]
    if not found or len(found) < len(parts):
        raise UserError(
            f"no weights come with method {method}, preset {sizes.name}, task {sizes.task} yet: train them "
            "(`vipbench train --help` says what it trains) and pass -o weights=PATH"
        )
    names = " and ".join(name for name, _ in lent)
    return found, f"the weights of {names} that come with vipbench, not trained for {method}"


@contextmanager
def stage(name: str, device: str) -> Iterator[None]:
    """timing.stage that waits for the device's queue, so that the seconds are this stage's own."""
    with timing.stage(name):
        yield
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        elif device.startswith("mps"):
            torch.mps.synchronize()
