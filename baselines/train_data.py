"""What a method learns from and what is held out to judge it."""

from __future__ import annotations

from vipbench.baselines.flow_data import Pairs, flow_pairs
from vipbench.baselines.presets import Preset
from vipbench.baselines.samples import Fits, Samples
from vipbench.types import Dataset

Drawn = Samples | Pairs
FLOW_SHARE = 16  # one in so many videos with exact flow, which the train split alone has, is held out


def is_flow(method: str) -> bool:
    """Whether a recipe trains FlowNet-S alone."""
    return method.partition("-")[0] == "flow"


def drawn(
    method: str, dataset: Dataset, sizes: Preset, seed: int, fits: Fits | None = None
) -> tuple[Drawn, Drawn]:
    """What is trained on and what is held out, the latter drawn by a seed of its own and never cropped.

    fits: which annotated frames can be samples (`Samples`).
    Raises UserError for a data set without a split `val` or without annotated frames in it or in `train`.
    """
    spec = sizes.input
    if not is_flow(method):
        train = Samples(dataset, "train", spec, seed, crop=spec.crop, fits=fits)
        return train, Samples(dataset, "val", spec, 0, fits=fits)
    if not hasattr(dataset, "flows"):
        return flow_pairs(spec, seed)
    count = max(1, len(dataset.videos("train")) // FLOW_SHARE)
    train = Samples(dataset, "train", spec, seed, slice(None, -count))
    return train, Samples(dataset, "train", spec, 0, slice(-count, None))


def left_out(samples: tuple[Drawn, Drawn]) -> str:
    """How many annotated frames are no samples, for a note; empty where all are."""
    counts = [(s.left_out, s.left_out + len(s.frames)) for s in samples if isinstance(s, Samples)]
    if not any(count for count, _ in counts):
        return ""
    words = " and ".join(
        f"{n} of {of} to {why}" for (n, of), why in zip(counts, ("learn from", "judge by"), strict=True)
    )
    return (
        f"annotated frames without the frames around them that the method learns from are left out: {words}"
    )


def named(method: str, dataset: Dataset, sizes: Preset) -> str:
    """What is learnt from: the data set, or for FlowNet-S pairs with flow where the data set has none."""
    if not is_flow(method) or hasattr(dataset, "flows"):
        return dataset.version
    return flow_pairs(sizes.input, 0)[0].name
