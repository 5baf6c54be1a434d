"""One rendered frame of `synth` on disk: the VIP layout (merged root), the DAVIS 2016 layout, exact flow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vipbench.atomic import write_text
from vipbench.datasets.synth_scene import Render
from vipbench.datasets.vip_classes import flip_classes
from vipbench.flow import write_flow
from vipbench.pixels import write_ids, write_image
from vipbench.types import Ids

NEIGHBOURS = 10  # VIP_Sequence has this many frames on each side of an annotated one


@dataclass(frozen=True)
class Moment:
    """One frame of a video. frame: 0-based. photo: uint8 RGB [H, W, 3]. flows: (reference frame, backward
    flow float32 [H, W, 2] in pixels). blur: sharp, motion or defocus."""

    video: str
    frame: int
    render: Render
    photo: NDArray[np.uint8]
    flows: tuple[tuple[int, NDArray[np.float32]], ...]
    blur: str


def vip_name(frame: int) -> str:
    """VIP's name of a 0-based frame: 12 digits, 1-based."""
    return f"{frame + 1:012d}"


def write_frame(root: Path, moment: Moment, every: int) -> None:
    """All files of one frame; unannotated ones (every > 1) as a frame of the whole video alone."""
    name = vip_name(moment.frame)
    vip, davis = root / "VIP", root / "DAVIS"
    annotated = moment.frame % every == 0
    home = "Images" if annotated else "VIP_Videos"
    photo = vip / home / moment.video / f"{name}.jpg"
    write_image(photo, moment.photo)
    if annotated:
        _write_labels(vip, moment, name)
    _link(photo, davis / "JPEGImages/480p" / moment.video / f"{moment.frame:05d}.jpg")
    mask = np.where(moment.render.human > 0, 255, 0).astype(np.uint16)
    label = davis / "Annotations/480p" / moment.video / f"{moment.frame:05d}.png"
    write_ids(label, mask, colours=False)
    for reference, flow in moment.flows:
        write_flow(root / "Flow" / moment.video / f"{name}_{vip_name(reference)}.flo", flow)


def _write_labels(vip: Path, moment: Moment, name: str) -> None:
    category, human = moment.render.category, moment.render.human
    # Part ids as in CIHP and (it seems) VIP: class + 20 * (person - 1).
    part = np.where(category > 0, category + 20 * (human - (human > 0)), 0).astype(np.uint16)
    maps: dict[str, Ids] = {
        "Category_ids": category,
        "Category_rev_ids": flip_classes(category),
        "Human_ids": human,
        "Instance_ids": part,
    }
    for kind, ids in maps.items():
        write_ids(vip / kind / moment.video / f"{name}.png", ids, colours=False)
    rows = [f"{i} {(i - 1) % 20 + 1} {(i - 1) // 20 + 1}\n" for i in np.unique(part[part > 0]).tolist()]
    write_text(vip / "Instance_ids" / moment.video / f"{name}.txt", "".join(rows))


def _link(source: Path, target: Path) -> None:
    """The same bytes under a second name, without a second copy where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        target.write_bytes(source.read_bytes())


def write_lists(root: Path, split: str, videos: Sequence[str], length: int, every: int) -> None:
    """The lists of a split, and for sparse annotation (every > 1) the neighbours of annotated frames."""
    vip, annotated = root / "VIP", range(0, length, every)
    if every > 1:
        for video in videos:
            for frame in annotated:
                _write_neighbours(vip, video, frame, length, every)
    addresses = [f"{video}/{vip_name(frame)}\n" for video in videos for frame in annotated]
    write_text(vip / f"lists/{split}_videos.txt", "".join(f"{video}\n" for video in videos))
    write_text(root / f"DAVIS/ImageSets/2016/{split}.txt", "".join(f"{video}\n" for video in videos))
    write_text(vip / f"lists/{split}_id.txt", "".join(addresses))


def _write_neighbours(vip: Path, video: str, frame: int, length: int, every: int) -> None:
    """Up to ten frames before and after, nearest first in the lists, as VIP_Sequence ships them."""
    sides = {
        "front": range(frame - 1, max(-1, frame - NEIGHBOURS - 1), -1),
        "behind": range(frame + 1, min(length, frame + NEIGHBOURS + 1)),
    }
    name = vip_name(frame)
    for side, frames in sides.items():
        rows = "".join(f"{other + 1}\n" for other in frames)
        write_text(vip / f"{side}_frame_list" / video / f"{name}.txt", rows)
        for other in frames:
            home = "Images" if other % every == 0 else "VIP_Videos"
            photo = vip / home / video / f"{vip_name(other)}.jpg"
            _link(photo, vip / "adjacent_frames" / video / name / photo.name)
