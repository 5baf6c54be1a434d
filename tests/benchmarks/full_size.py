"""The networks at the paper's full size, with new weights: a training step, and a frame of inference.

    python full_size.py TASK FOLDER 1        as clock.py says; FOLDER holds the embedded data set

The values are what a test looks at: counts, sizes, and whether numbers are finite (1) or not (0).
"""

from __future__ import annotations

from pathlib import Path

import clock
import torch

from vipbench.baselines import presets, weights
from vipbench.baselines.aten import Aten
from vipbench.baselines.network_aten import AtenNet
from vipbench.baselines.recipes import RECIPES
from vipbench.baselines.samples import Samples
from vipbench.baselines.train_loop import _optimizer, set_mode
from vipbench.datasets.synth import Synth, SynthDavis
from vipbench.types import Video

LENGTH = 9  # three segments, so that the first key has its p = 2 others


def train(root: Path) -> clock.Values:
    """A step of ATEN's training, batch 1 as the paper has on a GPU: forward, losses, backward, update."""
    torch.manual_seed(0)
    sizes, recipe = presets.load("paper-vip", "vip"), RECIPES["aten"]
    net, stage = recipe.build(sizes), sizes.temporal
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    samples = Samples(Synth(root), "train", sizes.input, 0)
    optimizer = _optimizer(net, stage)
    set_mode(net, stage.frozen_norm)
    terms = recipe.losses(net, samples, [samples.rng(0, 0)], "cpu")
    torch.stack(list(terms.values())).sum().backward()
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), stage.clip)
    optimizer.step()
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    return {
        "loss": sum(term.item() for term in terms.values()),
        "terms": len(terms),
        "gradient": norm.item(),
        "finite": all(bool(p.isfinite().all()) for p in [*net.parameters(), *terms.values()]),
        **{name: any(m.startswith(f"{name}.") for m in moved) for name, _ in net.named_children()},
    }


def infer(root: Path) -> clock.Values:
    """The first frame of a video by ATEN: three keys, two flows to align, the ConvGRU, a flow, the head."""
    torch.manual_seed(0)
    dataset, path = SynthDavis(root), root / "paper-davis.safetensors"
    sizes = presets.load("paper-davis", "davis")
    weights.save(AtenNet(sizes), path, weights.identity("aten", sizes))
    method = Aten(dataset, preset="paper-davis", weights=path)
    seen: list[torch.Tensor] = []
    head = method.net.head
    head.register_forward_hook(lambda module, inputs, output: seen.extend([*inputs, output]))
    (video,) = dataset.videos("train")
    _, parsing = next(method.predict(Video(video.id, video.split, video.frames[:LENGTH])))
    assert parsing.object is not None
    features, logits = seen
    return {
        "finite": bool(features.isfinite().all() and logits.isfinite().all()),
        **{f"features {i}": n for i, n in enumerate(features.shape)},
        **{f"logits {i}": n for i, n in enumerate(logits.shape)},
        **{f"parsing {i}": n for i, n in enumerate(parsing.object.size)},
        "classes": max(parsing.object.present, default=0),
    }


TASKS: clock.Tasks = {"train": train, "infer": infer}

if __name__ == "__main__":
    clock.main(TASKS, warm_up=False)
