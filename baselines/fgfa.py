"""Flow-Guided Feature Aggregation (Zhu et al., ICCV 2017), with the N_feat and N_parse of the ATEN paper.

Every frame gets the mean of its own features and those of the frames around it, warped to it along the flow;
the weights are by cell, a softmax over the frames of how similar their embeddings are to the frame's own. The
embedding is taken before the warp and warped along, as the released code does at test time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import torch

from vipbench.baselines.costs import cost
from vipbench.baselines.engine import GuidedEngine, Photo, Precision, Seen
from vipbench.baselines.loading import network
from vipbench.baselines.network import FgfaNet
from vipbench.baselines.streaming import Photos, Step, parsings, planned, played
from vipbench.costs import Cost
from vipbench.errors import UserError
from vipbench.types import Dataset, Frame, Parsing, Video

Reading = Literal["neighbours", "all", "side"]


def reach(window: int, reading: Reading) -> tuple[int, int]:
    """How many frames before and after the current one "the nearest `window` frames" are.

    neighbours: `window` frames beside the current one, 10 being 5 + 5. all: it is one of them, 10 being
    5 + 4. side: `window` on each side, 10 being 10 + 10 as in the FGFA paper. Raises UserError.
    """
    if window < 1:
        raise UserError(f"method fgfa: window={window}, expected 1 or more frames")
    if reading == "side":
        return window, window
    others = window if reading == "neighbours" else window - 1
    return others - others // 2, others // 2


def nearby(video: Video, position: int, before: int, after: int) -> list[Frame]:
    """The other frames around one, by their index in the source; at the ends of the video there are fewer."""
    frames, here = video.frames, video.frames[position]
    near = (*frames[max(0, position - before) : position], *frames[position + 1 : position + 1 + after])
    return [f for f in near if here.index - before <= f.index <= here.index + after]


class Fgfa:
    """Method `fgfa`. window, reading: which frames are averaged, see `reach`. The rest as `dff`.

    cache: a frame's features are computed once and kept while they are near; without, anew for each frame
    that they are near to, which gives the same and takes as long as the paper's own figures suggest.
    """

    name = "fgfa"
    period = 1

    def __init__(
        self,
        dataset: Dataset,
        window: int = 10,
        reading: Reading = "neighbours",
        cache: bool = True,
        border: Literal["aten", "zeros", "clamp"] = "zeros",
        flow_input: Literal["full", "half", "quarter"] = "half",
        preset: str = "tiny",
        weights: Path | None = None,
        device: str = "cpu",
        precision: Precision = "float32",
        tight: bool = False,
    ) -> None:
        self.before, self.after = reach(window, reading)
        self.cache = cache
        build = partial(FgfaNet, border=border, flow_input=flow_input)
        self.net, self.about = network(build, self.name, dataset, preset, weights, device)
        self.engine = GuidedEngine(self.net, device, precision, tight)

    @property
    def margin(self) -> int:
        """Frames at either end of a video that have fewer around them than the others."""
        return max(self.before, self.after)

    def cost(self) -> Cost:
        """Multiply-adds of a frame with all its neighbours: a flow to each."""
        others = self.before + self.after
        seen = 1 if self.cache else 1 + others
        calls = {"features": seen, "embedding": seen, "flow": others, "warp": others, "heads": 1}
        return cost(self.net, 1, None, **calls)

    @torch.inference_mode()
    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """At most before + after + 1 frames are in memory, however long the video."""
        yield from parsings([self._stream(video)], self.engine)

    def _stream(self, video: Video) -> Iterator[list[Seen]]:
        """Every annotated frame with aggregated features."""
        wanted = [
            ((frame,), (frame, *nearby(video, position, self.before, self.after)))
            for position, frame in enumerate(video.frames)
            if frame.annotated
        ]
        steps = planned(wanted) if self.cache else (Step(f, used, used, frozenset()) for f, used in wanted)
        return played(self.engine, steps, self._described, self._aggregated)

    def _described(self, photos: Sequence[Photo]) -> list[Seen]:
        """Photos with their features and the embeddings of these on one map."""
        found = self.engine.features(photos)
        with self.engine.stage("temporal"):
            return [Seen(seen.photo, self.net.described(seen.features)) for seen in found]

    def _aggregated(self, step: Step, here: Seen, others: list[Seen], photos: Photos) -> list[Seen]:
        flow = self.engine.fields([(here.photo, other.photo) for other in others]).flow
        with self.engine.stage("temporal"):
            moved = (self.net.moved(o.features, f[None]) for o, f in zip(others, flow, strict=True))
            return [Seen(here.photo, self.net.mean(chain([here.features], moved), here.features))]
