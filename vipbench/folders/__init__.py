"""Prediction folders: reading, writing and telling their layouts apart."""

from __future__ import annotations

from pathlib import Path

from vipbench import registry
from vipbench.archive import opened
from vipbench.errors import UserError
from vipbench.folders.base import Folder, files_in, subfolders
from vipbench.folders.coco import CocoResults
from vipbench.folders.davis import DavisFolder
from vipbench.folders.vip import ChallengeFolder, VipFolder

__all__ = ["ChallengeFolder", "CocoResults", "DavisFolder", "Folder", "VipFolder", "open_folder"]


def open_folder(root: Path, layers: tuple[str, ...] = ()) -> Folder:
    """The prediction folder, zip file or single file at root, in the layout that its files have.

    Where root holds no predictions but one folder in it does, as in most zip files, it is that folder.
    layers: of the data set that it is for; layouts that hold these are tried first, so that a stray file
    does not make it another data set's. Raises UserError if it is missing, damaged, empty, in no known
    layout, or holds several prediction folders.
    """
    single = [layout for layout in _layouts() if hasattr(layout, "opens") and layout.opens(Path(root))]
    if single:
        return single[0](Path(root))
    root = opened(Path(root))
    found = _layout(root, layers)
    if found:
        return found
    below = [folder for folder in (_layout(root / name, layers) for name in subfolders(root)) if folder]
    if len(below) == 1:
        return below[0]
    if below:
        names = ", ".join(folder.root.name for folder in below)
        raise UserError(f"{root}: holds {len(below)} prediction folders. Pass one of {names} in it")
    looked = ", ".join(f"{layout.looks} ({layout.name})" for layout in _layouts())
    raise UserError(
        f"{root}: {_state(root)}. Looked for {looked}; pass the folder that holds the video folders"
    )


def _layouts() -> list[type[Folder]]:
    """Every declared layout."""
    return [registry.load("folders", name) for name in registry.names("folders")]


def _layout(root: Path, layers: tuple[str, ...]) -> Folder | None:
    """The first layout that finds a frame in any video folder, those with these layers before others."""
    layouts = (layout for layout in _layouts() if not hasattr(layout, "opens"))
    folders = (layout(root) for layout in sorted(layouts, key=lambda layout: layout.layers != layers))
    return next((f for f in folders if any(f.frames(video) for video in f.videos())), None)


def _state(root: Path) -> str:
    """What a folder without predictions holds instead."""
    videos = subfolders(root)
    jpegs = [f"{v}/{name}" for v in videos for name in files_in(root / v) if name.endswith((".jpg", ".jpeg"))]
    if jpegs:
        return f"no known layout, but JPEG files ({jpegs[0]}), which blur ids. Write PNG"
    if any(name.endswith(".png") for name in files_in(root)):
        return "no known layout, but frames without a video folder"
    return "no known layout" if videos else "empty: no video folder in it"
