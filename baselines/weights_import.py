"""Weights of others, as checkpoints of ours: the ATEN authors' Keras files, and FlowNet-S of FlowNetPytorch.

Names are translated by `weights_names.toml`, arrays by a permutation of their axes. Each of their weights is
used exactly once and each of ours is filled, or nothing is written. Nothing in a file is executed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from vipbench.baselines import weights
from vipbench.baselines.weights_hdf5 import MAGIC
from vipbench.baselines.weights_keras import from_keras
from vipbench.baselines.weights_pytorch import from_flownet_pytorch
from vipbench.errors import UserError


@dataclass(frozen=True)
class Imported:
    """A written checkpoint: its method (flow is FlowNet-S alone), its preset, and how many numbers it has."""

    path: Path
    method: str
    preset: str
    tensors: int
    numbers: int


def import_weights(source: Path, out: Path, preset: str | None = None) -> Imported:
    """Write a file of others as a checkpoint in the folder `out`, named as `vipbench train` names its own.

    source: HDF5 of the ATEN authors (parsing_rcnn.h5: method frame, aten_p2l3.h5: aten), or a .pth of
    FlowNetPytorch's FlowNet-S without batch norm (flow). preset: `paper-vip-released` or `paper-vip` unless
    given. Raises UserError for a file that is neither, and with the list of weights that are missing,
    unexpected or of another shape.
    """
    if not source.is_file():
        raise UserError(f"{source}: no such weights file")
    with source.open("rb") as file:
        keras = file.read(len(MAGIC)) == MAGIC
    name = preset or ("paper-vip-released" if keras else "paper-vip")
    method, state = from_keras(source, name) if keras else ("flow", from_flownet_pytorch(source, name))
    task = {"task": "vip"} if keras else {}
    about = {"preset": name, "method": method} | task
    path = out / f"{'-'.join(about.values())}.safetensors"
    about |= {"imported": source.name, "sha256": _sha256(source)}
    weights.write(state, path, about)
    return Imported(path, method, name, len(state), sum(t.numel() for t in state.values()))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
