"""Weights that Keras wrote, read as plain arrays: HDF5 without links, filters or anything that runs.

A file has a group a layer with the layer's weights as float32 datasets, `conv1/conv1/kernel:0`; that of a
whole model keeps them in the group `model_weights`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vipbench.errors import UserError

MAGIC = b"\x89HDF\r\n\x1a\n"
WHOLE = "model_weights"
DEPTH = 8  # groups within groups; a file may hold a group that contains itself
WEIGHT = re.compile(r"(.+?)(_\d+)?:0")  # the name of a weight, TensorFlow's number and output left out


@contextmanager
def keras_weights(path: Path) -> Iterator[dict[str, Any]]:
    """The h5py datasets of a file by `layer/weight`, as `conv1/kernel`, to be read one by one.

    Raises UserError for a file that is not HDF5 or is damaged, and for all but float32 arrays of its own.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path}: not a readable HDF5 file ({error}). Fetch it again") from None
    with file:
        try:
            yield _datasets(path, file)
        except (OSError, KeyError, RuntimeError, ValueError) as error:  # what h5py makes of damaged parts
            raise UserError(f"{path}: damaged HDF5 file ({error}). Fetch it again") from None


def _datasets(path: Path, file: Any) -> dict[str, Any]:
    root = _own(str(path), file, WHOLE) if WHOLE in list(file) else file
    found: dict[str, Any] = {}
    for layer, name, dataset in _walk(str(path), root, ()):
        key = f"{layer}/{name}"
        if key in found:
            raise UserError(f"{path}: two weights are called {key}; expected one")
        found[key] = dataset
    return found


def _walk(path: str, group: Any, above: tuple[str, ...]) -> Iterator[tuple[str, str, Any]]:
    """(layer, weight, dataset) of all that lies in a group, whose path is `above`."""
    import h5py

    for name in group:
        here = (*above, name)
        item = _own(path, group, name)
        if not isinstance(item, h5py.Group):
            match = WEIGHT.fullmatch(name)
            yield here[0], match[1] if match else name, _plain(f"{path}: {'/'.join(here)}", item)
        elif len(here) > DEPTH:
            raise UserError(f"{path}: {len(here)} groups within each other; expected a file of Keras")
        else:
            yield from _walk(path, item, here)


def _own(path: str, group: Any, name: str) -> Any:
    """A member of a group, which must not be a link to elsewhere."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise UserError(f"{path}: {name} in {group.name} is a link; expected the weights themselves")
    return group[name]


def _plain(place: str, dataset: Any) -> Any:
    """The dataset if it is a float32 array, read without a filter or another file. Raises UserError."""
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.dtype != "float32":
        kind = getattr(dataset, "dtype", type(dataset).__name__)
        raise UserError(f"{place} is of type {kind}, expected an array of float32")
    if dataset.external or dataset.is_virtual or dataset.id.get_create_plist().get_nfilters():
        raise UserError(
            f"{place} is compressed or lies in another file; expected what Keras's save_weights writes"
        )
    return dataset
