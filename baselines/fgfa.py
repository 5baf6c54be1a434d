"""Flow-Guided Feature Aggregation (Zhu et al., ICCV 2017), with the N_feat and N_parse of the ATEN paper.

Every frame gets the mean of its own features and those of the frames around it, warped to it along the flow;
the weights are by cell, a softmax over the frames of how similar their embeddings are to the frame's own. The
embedding is taken before the warp and warped along, as the released code does at test time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from vipbench.baselines.costs import cost
from vipbench.baselines.loading import network, stage
from vipbench.baselines.network import FgfaNet
from vipbench.baselines.streaming import Seen, parsings, see
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
        half_flow: bool = True,
        preset: str = "tiny",
        weights: Path | None = None,
        device: str = "cpu",
    ) -> None:
        self.before, self.after = reach(window, reading)
        self.cache, self.device = cache, device
        build = partial(FgfaNet, border=border, half_flow=half_flow)
        self.net, self.about = network(build, self.name, dataset, preset, weights, device)

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
        yield from parsings([self._stream(video)], self.net, self.device)

    def _stream(self, video: Video) -> Iterator[Seen]:
        """Every annotated frame with aggregated features."""
        kept: dict[int, Seen] = {}
        for position, frame in enumerate(video.frames):
            if not frame.annotated:
                continue
            used = [frame, *nearby(video, position, self.before, self.after)]
            known = {f.index: kept[f.index] for f in used if self.cache and f.index in kept}
            kept = {f.index: known.get(f.index) or self._described(f) for f in used}
            this, *others = kept.values()
            with stage("temporal", self.device):
                pairs = ((o.image, o.features) for o in others)
                features = self.net.aggregate(this.image, this.features, pairs)
            yield replace(this, features=features)

    def _described(self, frame: Frame) -> Seen:
        """A frame with its features and their embedding on one map."""
        seen = see(frame, self.net, self.device)
        with stage("temporal", self.device):
            return replace(seen, features=self.net.described(seen.features))
