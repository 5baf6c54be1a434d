"""Weights as safetensors: where they are kept, and files that say what they are."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import nn

from vipbench.atomic import replacing
from vipbench.baselines.presets import Preset
from vipbench.errors import UserError

Part = tuple[Path, str]  # a file, and the prefix of the tensors that are taken from it
Shapes = dict[str, tuple[int, ...]]
TEMPORAL = ("gru.", "lstm.", "reduce.", "expand.")


def save(model: nn.Module, path: Path, metadata: dict[str, str]) -> None:
    """Write a model's weights, rounded to half precision, with what they are as metadata; atomically.

    A tensor with a number beyond half precision (65,504) is kept as it is. Raises UserError for numbers that
    are not finite.
    """
    state = model.state_dict()
    if broken := sorted(name for name, t in state.items() if not t.isfinite().all()):
        raise UserError(
            f"{path}: not written, {len(broken)} tensors hold numbers that are not finite ({broken[0]}). "
            "The training diverged: lower its rate"
        )
    write({name: _rounded(t).contiguous() for name, t in state.items()}, path, metadata)


def _rounded(tensor: torch.Tensor) -> torch.Tensor:
    half = tensor.half() if tensor.is_floating_point() else tensor
    return half if half.isfinite().all() else tensor


def write(state: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write tensors as they are, with what they are as metadata; atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors_bytes(state, metadata))


def about(path: Path) -> dict[str, str]:
    """What a weights file says of itself. Raises UserError for a missing or damaged file."""
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights file") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error}). {_instead(path)}") from None


def _instead(path: Path) -> str:
    """What a file that is no safetensors seems to be, and what to do about it."""
    start = path.read_bytes()[:8] if path.is_file() else b""
    if start.startswith(b"\x89HDF"):
        return "It is HDF5: `vipbench weights import` reads the files of the ATEN authors"
    if start.startswith((b"PK", b"\x80")):  # the archive of torch.save, and a bare pickle
        return (
            "It is a pickle, as torch.save writes it, and refused: to read one is to run what it says. "
            "`vipbench weights import` reads those of FlowNetPytorch, tensors alone"
        )
    return "Train it, or fetch it, again"


def identity(method: str, sizes: Preset) -> dict[str, str]:
    """What a file of a method's weights says of itself at least."""
    return {"method": method, "preset": sizes.name, "task": sizes.task}


def demand(path: Path, method: str, sizes: Preset) -> str:
    """The method that a file's weights were trained for: this one or another variant of it.

    A variant is named after its method and a hyphen, `aten-lstm`. Raises UserError for a file that says
    another method, preset or task of itself, or nothing, whatever its tensors are.
    """
    found, wanted = about(path), identity(method, sizes)
    if not found.keys() & wanted.keys():
        raise UserError(
            f"{path}: does not say of which method, preset and task it is, expected {json.dumps(wanted)}. "
            "Use a file that `vipbench train` or `vipbench weights import` wrote"
        )
    other = {key: found.get(key, "unknown") for key in wanted if found.get(key) != wanted[key]}
    if "method" in other and _family(other["method"]) == _family(method):
        del other["method"]
    if other:
        expected = {key: wanted[key] for key in other}
        raise UserError(
            f"{path}: its weights are of {json.dumps(other)}, expected {json.dumps(expected)}. "
            "Use the preset, method and task that they were trained for"
        )
    return found["method"]


def _family(method: str) -> str:
    return method.partition("-")[0]


def load(model: nn.Module, path: Path, *more: Part) -> dict[str, str]:
    """Fill the model from a file, and from parts of more files, and return the first one's metadata.

    A temporal unit that the model does not have is left aside: a method without one runs with the weights of
    one that has it. Raises UserError for a missing or damaged file, and with the list of tensors that are
    missing, unexpected or of another shape.
    """
    metadata, state = _read(path)
    for other, prefix in more:
        state |= {n: t for n, t in _read(other)[1].items() if n.startswith(prefix)}
    wanted = {name: tuple(t.shape) for name, t in model.state_dict().items()}
    state = {n: t for n, t in state.items() if n in wanted or not n.startswith(TEMPORAL)}
    if differ := faults(wanted, {n: tuple(t.shape) for n, t in state.items()}):
        shown = "; ".join(differ[:5])
        raise UserError(
            f"{path}: weights of {json.dumps(metadata)} do not fit this network: "
            f"{len(differ)} tensors differ ({shown}). "
            "Use the preset, method, task and options (as `refine`) that they were trained for"
        )
    model.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    return metadata


def faults(wanted: Shapes, found: Shapes) -> list[str]:
    """What is missing, unexpected or of another shape, in words."""
    differ = [f"missing {n}" for n in wanted.keys() - found.keys()]
    differ += [f"unexpected {n}" for n in found.keys() - wanted.keys()]
    differ += [
        f"{n} is {list(found[n])}, expected {list(wanted[n])}"
        for n in wanted.keys() & found.keys()
        if found[n] != wanted[n]
    ]
    return sorted(differ)


def check(what: str, wanted: Shapes, found: Shapes) -> None:
    """UserError with all that differs."""
    if differ := faults(wanted, found):
        raise UserError(f"{what}, {len(differ)} tensors differ: {'; '.join(differ)}")


def shipped(method: str, task: str, preset: str) -> Path | None:
    """The weights that come with vipbench, None where there are none."""
    path = Path(str(files("vipbench.baselines.shipped").joinpath(f"{preset}-{method}-{task}.safetensors")))
    return path if path.exists() else None


@torch.no_grad()
def initialise(model: nn.Module, path: Path) -> None:
    """Copy every tensor of the file whose name and shape the model has; the rest keeps its start values."""
    _, state = _read(path)
    own = model.state_dict()
    for name in own.keys() & state.keys():
        if own[name].shape != state[name].shape:
            got, want = list(state[name].shape), list(own[name].shape)
            raise UserError(f"{path}: {name} is {got}, expected {want}. Start from weights of this preset")
        own[name].copy_(state[name])
