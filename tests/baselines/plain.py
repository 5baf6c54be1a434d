"""The methods as plain loops, a frame at a time: the definitions that the engine is measured by.

They call nothing but the networks' own modules, one image or pair at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from vipbench.baselines.aten import encoding_keys
from vipbench.baselines.canvas import Placement
from vipbench.baselines.fgfa import nearby
from vipbench.baselines.streaming import Segment, first, segments
from vipbench.pixels import read_image
from vipbench.types import Frame, Parsing, Video


def photo(frame: Frame, net: Any, tight: bool = False) -> tuple[Any, Placement]:
    """The image [1, 3, canvas] and its placement."""
    rgb = read_image(frame.image)
    placement = Placement.of((rgb.shape[0], rgb.shape[1]), net.preset.input, tight)
    return placement.image(rgb)[None], placement


def features(method: Any, video: Video, images: Images | None = None) -> list[Any]:
    """The features of each annotated frame that N_parse gets, from a method with one offset."""
    loops = {"frame": _frame, "dff": _dff, "fgfa": _fgfa, "aten": _aten, "aten-fast": _aten}
    with torch.inference_mode():
        return loops[method.name](method, video, images or Images(method.net, video, method.engine.tight))


class Images(dict[int, Any]):
    """The images of a video by their index, and the features of those asked for, each computed once."""

    def __init__(self, net: Any, video: Video, tight: bool = False) -> None:
        super().__init__({frame.index: photo(frame, net, tight)[0] for frame in video.frames})
        self.net = net
        self.known: dict[int, Any] = {}

    def features(self, index: int) -> Any:
        if index not in self.known:
            self.known[index] = self.net.features(self[index])
        return self.known[index]


def parsings(method: Any, video: Video, images: Images | None = None) -> dict[int, Parsing]:
    """The parsing of each annotated frame, by its index."""
    found = {}
    for frame, maps in zip(video.annotated, features(method, video, images), strict=True):
        with torch.inference_mode():
            (found[frame.index],) = method.net.parse(maps, [photo(frame, method.net, method.engine.tight)[1]])
    return found


def _frame(method: Any, video: Video, images: Images) -> list[Any]:
    return [images.features(frame.index) for frame in video.annotated]


def _dff(method: Any, video: Video, images: Images) -> list[Any]:
    parts = segments(video, method.l, first, method.offsets[0])
    return [m for part in parts for m in _followed(method.net, part, images, images.features(part.key.index))]


def _aten(method: Any, video: Video, images: Images) -> list[Any]:
    parts = segments(video, method.l, offset=method.offsets[0])
    if method.net.carry:
        encoded = _in_a_row(method.net, parts, images)
    else:
        encoded = [_encoded(method, parts, j, images) for j in range(len(parts))]
    both = zip(parts, encoded, strict=True)
    return [m for part, key in both for m in _followed(method.net, part, images, key)]


def _encoded(method: Any, parts: Sequence[Segment], j: int, images: Images) -> Any:
    others = encoding_keys(parts, j, method.p)
    theirs = [(images[other.key.index], images.features(other.key.index)) for other in others]
    return method.net.encode(images[parts[j].key.index], images.features(parts[j].key.index), theirs)


def _in_a_row(net: Any, parts: Sequence[Segment], images: Images) -> list[Any]:
    state: Any = None
    last: Segment | None = None
    encoded = []
    for part in parts:
        if last is None or last.number + 1 != part.number:
            state = None
        elif net.align:
            flow, _ = net.field(images[part.key.index], images[last.key.index])
            state = net.carried(state, flow)
        found, state = net.advance(images.features(part.key.index), state)
        encoded.append(found)
        last = part
    return encoded


def _followed(net: Any, part: Segment, images: Images, key: Any) -> list[Any]:
    return [
        key if f is part.key else net.propagate(key, images[f.index], images[part.key.index])
        for f in part.annotated
    ]


def _fgfa(method: Any, video: Video, images: Images) -> list[Any]:
    net, found = method.net, []
    for position, frame in enumerate(video.frames):
        if frame.annotated:
            used = [frame, *nearby(video, position, method.before, method.after)]
            here, *others = [net.described(images.features(f.index)) for f in used]
            pairs = zip([images[f.index] for f in used[1:]], others, strict=True)
            found.append(net.aggregate(images[frame.index], here, pairs))
    return found
