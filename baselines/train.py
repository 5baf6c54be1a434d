"""Training: the frame model, FlowNet-S, then ATEN end to end from both (ATEN paper section 3.5).

`train` makes what a method starts from first, in the same folder, and skips what is there already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vipbench.atomic import replacing
from vipbench.baselines import presets, weights
from vipbench.baselines.loading import check_device, task_of
from vipbench.baselines.network import AtenNet, FrameNet
from vipbench.baselines.nn.flownet import FlowNetS, flow_loss
from vipbench.baselines.nn.targets import Truth
from vipbench.baselines.presets import Preset, Stage
from vipbench.baselines.samples import Clip, Samples
from vipbench.errors import UserError
from vipbench.types import Dataset

METHODS = ("frame", "flow", "aten")
KEY_RANGE, KEYS = 3, 2  # l and p in training, as released, whatever l and p the method is run with
LOG_EVERY, SAVE_EVERY = 20, 200
Losses = Callable[[int], dict[str, Tensor]]
Progress = Callable[[str, int, int, dict[str, float]], None]


class Stateful(Protocol):
    """A model, an optimiser or a schedule."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


def train(
    method: str,
    preset: str,
    dataset: Dataset,
    out: Path,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Path:
    """Train a method from scratch on the data set's train split; returns the weights file in `out`.

    method: frame, flow (FlowNet-S alone) or aten. Steps, rates and batch come from the preset. A killed
    training goes on from its last checkpoint to the same weights. progress(stage, step, steps, losses).
    Raises UserError for an unknown method or preset and for data that cannot be trained on.
    """
    if method not in METHODS:
        raise UserError(f"method {method!r} cannot be trained; there are: {', '.join(METHODS)}")
    if seed < 0:
        raise UserError(f"seed {seed}: expected 0 or more")
    check_device(device)
    sizes = presets.load(preset, task_of(dataset))
    about = _about(method, sizes, dataset, seed)
    target = out / ("-".join(about[k] for k in ("preset", "method", "task") if k in about) + ".safetensors")
    if target.exists():
        _same(target, weights.about(target), about)
        return target
    starts = [train(m, preset, dataset, out, seed, device, progress) for m in _needed(method)]
    torch.manual_seed(seed)
    model, losses, stage = _prepare(method, sizes, Samples(dataset, "train", sizes.input, seed), device)
    for path in starts:
        weights.initialise(_part(model, path), path)
    checkpoint = Checkpoint(target.with_suffix(".checkpoint"), about)
    fit(model, stage, losses, checkpoint, method, progress)
    weights.save(model, target, about)
    checkpoint.path.unlink(missing_ok=True)
    return target


def _about(method: str, sizes: Preset, dataset: Dataset, seed: int) -> dict[str, str]:
    """What decides the weights. Flow knows no task: the heads of both tasks start from one FlowNet-S."""
    stage = {"frame": sizes.frame, "flow": sizes.flow_stage, "aten": sizes.aten}[method]
    built = sizes.flow if method == "flow" else (sizes.features, sizes.flow, sizes.encoding, sizes.heads)
    settings = hashlib.sha256(repr((sizes.input, built, stage)).encode()).hexdigest()[:16]
    about = {"method": method, "preset": sizes.name, "settings": settings, "seed": str(seed)}
    about |= {"data": dataset.version, "steps": str(stage.steps)}
    return about if method == "flow" else about | {"task": sizes.task, "dataset": dataset.name}


def _same(path: Path, found: dict[str, str], about: dict[str, str]) -> None:
    """UserError where a file in the output folder comes from other settings."""
    other = {key: found.get(key) for key in about if found.get(key) != about[key]}
    if other:
        wanted = {key: about[key] for key in other}
        raise UserError(f"{path} was trained with {other}, asked for {wanted}. Choose another --out")


def _needed(method: str) -> tuple[str, ...]:
    """What a method's training starts from."""
    return ("frame", "flow") if method == "aten" else ()


def _part(model: nn.Module, path: Path) -> nn.Module:
    """The part of a model that a weights file starts: FlowNet-S, or all that carries its names."""
    return model.flow if isinstance(model, AtenNet) and path.stem.endswith("-flow") else model


def _prepare(method: str, sizes: Preset, samples: Samples, device: str) -> tuple[nn.Module, Losses, Stage]:
    """The untrained model, its losses at a step, and the stage of the preset that trains it."""
    if method == "flow":
        flow = FlowNetS(sizes.flow, sizes.features.channels).to(device)
        return (
            flow,
            lambda step: _flow_losses(flow, samples, sizes.flow_stage, step, device),
            sizes.flow_stage,
        )
    if method == "frame":
        net = FrameNet(sizes).to(device)
        return net, lambda step: _frame_losses(net, samples, sizes.frame, step, device), sizes.frame
    aten = AtenNet(sizes).to(device)
    return aten, lambda step: _aten_losses(aten, samples, sizes.aten, step, device), sizes.aten


def _clips(samples: Samples, stage: Stage, step: int, p: int) -> list[Clip]:
    return [samples.clip(samples.rng(step, b), KEY_RANGE, p) for b in range(stage.batch)]


def _truths(clips: list[Clip], device: str) -> list[Truth]:
    return [c.truth.to(torch.device(device)) for c in clips]


def _generator(step: int) -> torch.Generator:
    return torch.Generator().manual_seed(step)


def _flow_losses(net: FlowNetS, samples: Samples, stage: Stage, step: int, device: str) -> dict[str, Tensor]:
    pairs = [samples.pair(samples.rng(step, b)) for b in range(stage.batch)]
    target, reference, truth = (torch.stack(t).to(device) for t in zip(*pairs, strict=True))
    return {"flow": flow_loss(net.pyramid(target, reference)[0], truth)}


def _frame_losses(net: FrameNet, samples: Samples, stage: Stage, step: int, device: str) -> dict[str, Tensor]:
    clips = _clips(samples, stage, step, p=-1)
    features = net.features(torch.stack([c.image for c in clips]).to(device))
    return net.head.losses(features, _truths(clips, device), _generator(step))


def _aten_losses(net: AtenNet, samples: Samples, stage: Stage, step: int, device: str) -> dict[str, Tensor]:
    """Encode the key from the others, propagate it to the current frame, and parse that.

    Where the current frame is its own key, the encoded features are used as they are.
    """
    clips = _clips(samples, stage, step, KEYS)
    current = torch.stack([c.image for c in clips]).to(device)
    keys = [torch.stack(images).to(device) for images in zip(*(c.keys for c in clips), strict=True)]
    features = net.features(torch.cat(keys)).chunk(len(keys))
    encoded = net.encode(keys[0], features[0], list(zip(keys[1:], features[1:], strict=True)))
    propagated = net.propagate(encoded, current, keys[0])
    is_key = torch.tensor([c.is_key for c in clips], device=device)[:, None, None, None]
    return net.head.losses(
        torch.where(is_key, encoded, propagated), [c.truth for c in clips], _generator(step)
    )


def fit(
    model: nn.Module,
    stage: Stage,
    losses: Losses,
    checkpoint: Checkpoint,
    title: str,
    progress: Progress | None = None,
) -> None:
    """Run one stage, from its checkpoint if there is one."""
    optimizer = _optimizer(model, stage)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(stage, step))
    start = checkpoint.load(model=model, optimizer=optimizer, schedule=schedule)
    _set_mode(model, stage)
    for step in range(start, stage.steps):
        terms = losses(step)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if progress and step % LOG_EVERY == 0:
            progress(title, step, stage.steps, {name: term.item() for name, term in terms.items()})
        if (step + 1) % SAVE_EVERY == 0:
            checkpoint.save(step + 1, model=model, optimizer=optimizer, schedule=schedule)
    model.eval()


def _set_mode(model: nn.Module, stage: Stage) -> None:
    """Training mode; frozen norms keep their statistics (their scale and shift still learn)."""
    model.train()
    if stage.frozen_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def _rate(stage: Stage, step: int) -> float:
    """Share of the peak rate: the warm-up, then a step to a tenth or a cosine to zero."""
    warm = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    if stage.drop < 1:
        return warm * (1.0 if step < stage.drop * stage.steps else 0.1)
    return float(warm * (0.5 + 0.5 * torch.cos(torch.tensor(torch.pi * step / stage.steps))))


def _decayed(model: nn.Module) -> Iterable[tuple[bool, nn.Parameter]]:
    """Every trainable parameter, and whether weight decay applies: not to biases and norms."""
    return ((p.ndim > 1, p) for p in model.parameters() if p.requires_grad)


def _optimizer(model: nn.Module, stage: Stage) -> torch.optim.Optimizer:
    """The stage's optimiser; biases and norms do not decay."""
    parameters = list(_decayed(model))
    groups = [
        {"params": [p for decay, p in parameters if decay], "weight_decay": stage.decay},
        {"params": [p for decay, p in parameters if not decay], "weight_decay": 0.0},
    ]
    if stage.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=stage.rate, momentum=0.9)
    return torch.optim.AdamW(groups, lr=stage.rate)


@dataclass(frozen=True)
class Checkpoint:
    """A file that a killed training goes on from, and what it was started as."""

    path: Path
    about: dict[str, str]

    def save(self, step: int, **parts: Stateful) -> None:
        """Write the state of all parts after `step` steps, atomically."""
        states = {name: part.state_dict() for name, part in parts.items()}
        with replacing(self.path) as temporary:
            torch.save({"step": step, "about": self.about, "parts": states}, temporary)

    def load(self, **parts: Stateful) -> int:
        """Restore all parts and return the number of steps done, 0 without a file.

        Raises UserError for the checkpoint of a training with other settings.
        """
        if not self.path.exists():
            return 0
        try:
            state = torch.load(self.path, weights_only=True)
        except Exception as error:  # a damaged file raises whatever its bytes happen to mean
            raise UserError(f"{self.path}: damaged checkpoint. Delete it to start again") from error
        _same(self.path, state["about"], self.about)
        for name, part in parts.items():
            part.load_state_dict(state["parts"][name])
        return int(state["step"])
