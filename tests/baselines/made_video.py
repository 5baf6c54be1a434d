"""Videos of addresses, photos for them, and methods whose networks see a small canvas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vipbench.pixels import write_image
from vipbench.types import Dataset, Frame, Parsing, Video

LAYERS = {"vip": ("category", "human", "part"), "davis": ("object",)}


def addresses(indices: Sequence[int], annotated: set[int] | None = None, root: Path = Path()) -> Video:
    frames = tuple(
        Frame("v", f"{i:05d}", i, root / f"{i}.jpg", annotated is None or i in annotated) for i in indices
    )
    return Video("v", "test", frames)


class Data:
    """A data set that a method only asks for its layers."""

    name = "made"

    def __init__(self, task: str = "vip") -> None:
        self.layers = LAYERS[task]


def made(task: str = "vip") -> Dataset:
    return Data(task)  # type: ignore[return-value]


def photos(root: Path, indices: Iterable[int], size: tuple[int, int] = (48, 70), seed: int = 0) -> Path:
    """Random photos of large blocks, one for each index."""
    rng = np.random.default_rng(seed)
    for i in indices:
        coarse = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
        grid = np.ix_(np.arange(size[0]) * 6 // size[0], np.arange(size[1]) * 8 // size[1])
        write_image(root / f"{i}.jpg", coarse[grid])
    return root


def small(method: Any) -> Any:
    """The method, its network's canvas cut down to 64x64."""
    preset = method.net.preset
    method.net.preset = replace(preset, input=replace(preset.input, height=64, width=64, min_side=40))
    return method


def as_bytes(result: Iterable[tuple[Frame, Parsing]]) -> dict[int, list[object]]:
    """Everything that a method says, by the frame's index."""
    return {frame.index: _layers(parsing) for frame, parsing in result}


def _layers(parsing: Parsing) -> list[object]:
    return [
        (name, layer.ids.tobytes(), layer.segments)
        for name in ("category", "human", "part", "object")
        if (layer := getattr(parsing, name)) is not None
    ]


def raw_features(method: Any, video: Video) -> Iterator[tuple[int, Any]]:
    """The features that reach N_parse, by the frame's index."""
    method.net.parse = lambda features, placements: list(features.clone().split(1))
    return ((frame.index, features) for frame, features in method.predict(video))
