"""Prediction folders: reading, writing and telling their layouts apart."""

from __future__ import annotations

from pathlib import Path

from vipbench import registry
from vipbench.errors import UserError
from vipbench.folders.base import Folder, subfolders
from vipbench.folders.davis import DavisFolder
from vipbench.folders.vip import ChallengeFolder, VipFolder

__all__ = ["ChallengeFolder", "DavisFolder", "Folder", "VipFolder", "open_folder"]


def open_folder(root: Path, layers: tuple[str, ...] = ()) -> Folder:
    """The prediction folder at root, in the layout that its files have.

    layers: of the data set that it is for; layouts that hold these are tried first, so that a stray file
    does not make it another data set's. Raises UserError if it is missing, empty, in no known layout, or one
    level above the predictions.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder. Pass the folder that holds the predictions' video folders")
    found = _layout(root, layers)
    if found:
        return found
    below = [name for name in subfolders(root) if _layout(root / name, layers)]
    if below:
        which = f"{root / below[0]}" if len(below) == 1 else f"one of {', '.join(below)} in it"
        raise UserError(f"{root}: the predictions are one level deeper. Pass {which}")
    looked = ", ".join(f"{layout.looks} ({layout.name})" for layout in _layouts())
    state = "no known layout" if subfolders(root) else "empty: no video folder in it"
    raise UserError(f"{root}: {state}. Looked for {looked}; pass the folder that holds the video folders")


def _layouts() -> list[type[Folder]]:
    """Every declared layout."""
    return [registry.load("folders", name) for name in registry.names("folders")]


def _layout(root: Path, layers: tuple[str, ...]) -> Folder | None:
    """The first layout that finds a frame in any video folder, those with these layers before others."""
    folders = (layout(root) for layout in sorted(_layouts(), key=lambda layout: layout.layers != layers))
    return next((f for f in folders if any(f.frames(video) for video in f.videos())), None)
