"""What lies in a training's folder: weights that are made already, and which ones a training started from."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file

from vipbench.baselines import weights
from vipbench.baselines.train_group import Group
from vipbench.errors import UserError

MARK = ".vipbench-shared"


def demand_folder(out: Path, group: Group) -> None:
    """Make the folder, and find it shared by all processes: hours before anything is written there.

    Raises UserError where that cannot be done, and where another process has another folder.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{out}: weights cannot be written there ({reason}). Choose another --out") from None
    if group.size == 1:
        return
    mark = out / MARK
    if group.writes:
        mark.touch()
    group.wait()
    try:
        group.agreed(mark.exists(), str(out))
    finally:
        if group.writes:
            mark.unlink(missing_ok=True)


def file_of(out: Path, about: Mapping[str, str]) -> Path:
    """Where weights lie that say this of themselves: <preset>-<method>, and the task of all but flow."""
    stem = "-".join(about[key] for key in ("preset", "method", "task") if key in about)
    return out / f"{stem}.safetensors"


def told(starts: Mapping[str, Path]) -> dict[str, str]:
    """For a training's metadata: which weights it starts from, of those that are there."""
    return {f"start_{name}": digest(path) for name, path in starts.items() if path.exists()}


def digest(path: Path) -> str:
    """What tells the tensors of a weights file from others, whatever its metadata: 16 hexadecimal digits."""
    weights.about(path)  # its words about a damaged file
    found = hashlib.sha256()
    for name, tensor in sorted(load_file(path).items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


def same(path: Path, found: Mapping[str, str], about: Mapping[str, str]) -> None:
    """UserError where a file in the output folder comes from other settings."""
    found, about = ({"precision": "float32", **told} for told in (found, about))  # which is not noted
    other = {key: found.get(key) for key in about if found.get(key) != about[key]}
    if other:
        wanted = {key: about[key] for key in other}
        raise UserError(f"{path} was trained with {other}, asked for {wanted}. Choose another --out")


def made(path: Path, about: Mapping[str, str], as_start: bool) -> None:
    """UserError unless the file is what a training would make, or weights of others to start from."""
    found = weights.about(path)
    if "imported" not in found:
        same(path, found, about)
    elif not as_start:
        raise UserError(
            f"{path} holds imported weights ({found['imported']}), which training would overwrite. "
            "Choose another --out, or use them as they are: -o weights="
        )
