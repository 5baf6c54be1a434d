"""Prediction folders: reading, writing and telling their layouts apart."""

from __future__ import annotations

from pathlib import Path

from vipbench.errors import UserError
from vipbench.folders.base import Folder, subfolders
from vipbench.folders.davis import DavisFolder
from vipbench.folders.vip import ChallengeFolder, VipFolder

LAYOUTS: tuple[type[Folder], ...] = (VipFolder, ChallengeFolder, DavisFolder)

__all__ = ["LAYOUTS", "ChallengeFolder", "DavisFolder", "Folder", "VipFolder", "open_folder"]


def open_folder(root: Path) -> Folder:
    """The prediction folder at root, in the layout that its files have.

    Raises UserError if it is missing, empty, in no known layout, or one level above the predictions.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder. Pass the folder that holds the predictions' video folders")
    found = _layout(root)
    if found:
        return found
    below = [name for name in subfolders(root) if _layout(root / name)]
    if below:
        which = f"{root / below[0]}" if len(below) == 1 else f"one of {', '.join(below)} in it"
        raise UserError(f"{root}: the predictions are one level deeper. Pass {which}")
    looked = ", ".join(f"{layout.looks} ({layout.name})" for layout in LAYOUTS)
    state = "no known layout" if subfolders(root) else "empty: no video folder in it"
    raise UserError(f"{root}: {state}. Looked for {looked}; pass the folder that holds the video folders")


def _layout(root: Path) -> Folder | None:
    """The first layout that finds a frame in any video folder."""
    for layout in LAYOUTS:
        folder = layout(root)
        if any(folder.frames(video) for video in folder.videos()):
            return folder
    return None
