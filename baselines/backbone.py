"""ImageNet weights of a ResNet in torchvision's parameter naming, from a local file, for the frame model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vipbench.baselines import weights
from vipbench.baselines.nn.norm import BatchNorm
from vipbench.baselines.nn.resnet import ResNet
from vipbench.errors import UserError

STD = (0.229, 0.224, 0.225)
"""torchvision's networks see (RGB / 255 - mean) / STD, ours RGB - 255 * mean, but for half a grey level."""
EPS = 1e-5
"""What torchvision's batch norms add to a variance; ours add another number (`nn.norm.BatchNorm`)."""
CLASSIFIER = "fc."
COUNTS = "num_batches_tracked"  # of a norm; files of old versions have none, and nothing depends on it


def load_backbone(resnet: ResNet, path: Path) -> None:
    """Fill a ResNet from a .safetensors file or a state dict of torch.save; a classifier is left aside.

    The first convolution is divided by 255 * STD, since our images are not, and the norms' scales make up for
    our larger eps: frozen norms compute what theirs do. Raises UserError for a missing or damaged file, for a
    pickle of anything but tensors, and with all names and shapes that differ.
    """
    state = {n: t for n, t in _state(path).items() if not n.startswith(CLASSIFIER)}
    own = resnet.state_dict()
    counts = {n: t for n, t in own.items() if n.endswith(COUNTS)}
    state = counts | state
    wanted, found = ({n: tuple(t.shape) for n, t in some.items()} for some in (own, state))
    weights.check(f"{path} is not this preset's ResNet in torchvision's naming", wanted, found)
    state["conv1.weight"] = state["conv1.weight"] / (255 * torch.tensor(STD)[:, None, None])
    resnet.load_state_dict(state | _scales(resnet, state))


def _scales(resnet: ResNet, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each norm's scale g for our eps: g' / sqrt(v + eps) = g / sqrt(v + EPS), v the moving variance."""
    scales = {}
    for name, module in resnet.named_modules():
        if isinstance(module, BatchNorm):
            scale, variance = (state[f"{name}.{key}"].double() for key in ("weight", "running_var"))
            scales[f"{name}.weight"] = scale * ((variance + module.eps) / (variance + EPS)).sqrt()
    return scales


def fingerprint(path: Path) -> str:
    """What tells a backbone file from others. Raises UserError where it cannot be read."""
    try:
        return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    except OSError as error:
        raise UserError(f"{path}: no readable backbone weights ({error.strerror})") from None


def _state(path: Path) -> dict[str, Tensor]:
    """Tensors by name. Nothing in the file is executed."""
    fingerprint(path)
    try:
        read: Any = load_file(path) if path.suffix == ".safetensors" else _pickled(path)
    except (SafetensorError, RuntimeError, ValueError, EOFError, OSError, KeyError) as error:
        raise UserError(f"{path}: not readable as weights ({error}). Save it again as .safetensors") from None
    if not isinstance(read, dict) or not all(isinstance(t, Tensor) for t in read.values()):
        raise UserError(f"{path}: expected a state dict, tensors by name. Save model.state_dict()")
    return read


def _pickled(path: Path) -> Any:
    """A torch.save file, tensors and plain containers alone."""
    from pickle import UnpicklingError

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"it holds more than tensors, or is damaged: {reason}") from None
