"""Scenes of synth, drawn in memory."""

import numpy as np

from vipbench.datasets.synth_scene import Scene, scene
from vipbench.datasets.synth_write import LENGTH, SPLITS

SIZE, FULL = (48, 80), (96, 160)


def scene_of(video: int, split: str = "test", size: tuple[int, int] = FULL) -> Scene:
    """The scene that the split's video is drawn from."""
    s = SPLITS[split]
    rng = np.random.default_rng([0, s.first + video])
    return scene(rng, size, LENGTH, s.crowd, s.spread, s.blurred)
