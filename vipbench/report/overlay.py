"""Image, ground truth and prediction side by side, one PNG a frame.

Colours are the PASCAL palette over the dimmed photo. Classes and objects have the colour of their id.
Persons and part instances are numbered anew in every file, so a predicted one takes the colour of the
ground-truth one that it shares most pixels with; one without a partner has a colour of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vipbench.errors import UserError
from vipbench.folders import Folder
from vipbench.metrics.overlap import Overlap
from vipbench.pixels import palette, read_image
from vipbench.specs import select
from vipbench.types import Dataset, Frame, Ids, Parsing, SegmentMap

Rgb = NDArray[np.uint8]
Panel = tuple[str, Rgb]

TITLES = {"category": "parts", "human": "persons", "part": "instance parts", "object": "objects"}
UNNUMBERED = ("human", "part")
WIDTH = 320
GUTTER = 6
CAPTION = 16


def overlay(
    folder: Folder,
    dataset: Dataset,
    split: str,
    out: Path,
    sequences: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Draw `<out>/<video>/<frame>.png` for every annotated frame; returns how many there are.

    One row for each layer of the data set. A frame without prediction is drawn as empty and says so; a frame
    without photo is drawn on black. sequences: only these videos. progress: called with the frame, the count
    and the total. Raises UserError for a folder that holds none of the videos, and for a damaged file or a
    wrong size in it.
    """
    videos = select(dataset, split, None if sequences is None else tuple(sequences))
    if not {video.id for video in videos} & set(folder.videos()):
        raise UserError(
            f"{folder.root}: no prediction for any video of {dataset.name} {split}. "
            "Pass the data set and the split that the folder was made for"
        )
    frames = [frame for video in videos for frame in video.annotated]
    for count, frame in enumerate(frames, 1):
        _save(out / frame.video / f"{frame.name}.png", _sheet(list(_rows(folder, dataset, frame))))
        if progress:
            progress(f"{frame.video}/{frame.name}", count, len(frames))
    return len(frames)


def _rows(folder: Folder, dataset: Dataset, frame: Frame) -> Iterator[list[Panel]]:
    truth = dataset.read(frame)
    size = truth.layer(dataset.layers[0]).size
    photo = _photo(frame, size)
    missing = frame.name not in folder.frames(frame.video)
    prediction = Parsing.empty(size, dataset.layers) if missing else folder.read(frame.video, frame.name)
    for name in dataset.layers:
        gt, pred = truth.layer(name), _layer(folder, prediction, name, frame, size)
        ids = _partners(gt, pred) if name in UNNUMBERED else pred.ids
        yield [
            (f"{frame.video} {frame.name}", photo),
            (f"ground truth: {TITLES[name]}", _blend(photo, gt.ids)),
            (f"prediction: {'missing' if missing else TITLES[name]}", _blend(photo, ids)),
        ]


def _photo(frame: Frame, size: tuple[int, int]) -> Rgb:
    if not frame.image.is_file():
        return np.zeros((*size, 3), np.uint8)
    photo = read_image(frame.image)
    if photo.shape[:2] != size:
        raise UserError(
            f"{frame.image}: photo of {photo.shape[1]}x{photo.shape[0]} pixels, its ground truth has "
            f"{size[1]}x{size[0]}. Unpack the data set again"
        )
    return photo


def _layer(folder: Folder, found: Parsing, name: str, frame: Frame, size: tuple[int, int]) -> SegmentMap:
    where = f"{folder.root}: frame {frame.name} of {frame.video}"
    layer: SegmentMap | None = getattr(found, name)
    if layer is None:
        raise UserError(f"{where}: no layer {name!r} in a {folder.name} folder. Pass its own data set")
    if layer.size != size:
        raise UserError(
            f"{where}: {TITLES[name]} of {layer.size[1]}x{layer.size[0]} pixels, expected "
            f"{size[1]}x{size[0]}. Write predictions at the size of the frame"
        )
    return layer


def _partners(gt: SegmentMap, pred: SegmentMap) -> Ids:
    """The predicted ids [H, W] renamed: each pair with the most common pixels first, an id only once."""
    both = Overlap.of(gt, pred)
    order = np.dstack(
        np.unravel_index(np.argsort(-both.counts, axis=None, kind="stable"), both.counts.shape)
    )[0]
    table, taken = {0: 0}, {0}
    for g, p in order:
        theirs, ours = int(both.gt_ids[g]), int(both.pred_ids[p])
        if both.counts[g, p] and theirs not in taken and ours not in table:
            table[ours] = theirs
            taken.add(theirs)
    known = set(both.gt_ids.tolist())
    free = (i for i in range(1, 2**16) if i not in known)
    names = [table[i] if i in table else next(free) for i in both.pred_ids.tolist()]
    return np.array(names, np.uint16)[np.searchsorted(both.pred_ids, pred.ids)]


def _blend(photo: Rgb, ids: Ids) -> Rgb:
    """The palette's colours over the photo at half brightness; ids above 255 start again at colour 1."""
    colours = palette()[np.where(ids > 0, (ids - 1) % 255 + 1, 0)].astype(np.float32)
    dim = photo.astype(np.float32) * 0.5
    return np.where(ids[..., None] > 0, 0.5 * dim + 0.75 * colours, dim).clip(0, 255).astype(np.uint8)


def _sheet(rows: list[list[Panel]]) -> Image.Image:
    """The panels of [rows][columns] on white with a caption above each, enlarged to about WIDTH pixels."""
    height, width = rows[0][0][1].shape[:2]
    factor = max(1, -(-WIDTH // width))
    cell_w, cell_h = width * factor + GUTTER, height * factor + GUTTER + CAPTION
    sheet = Image.new("RGB", (len(rows[0]) * cell_w + GUTTER, len(rows) * cell_h + GUTTER), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for r, row in enumerate(rows):
        for c, (caption, pixels) in enumerate(row):
            x, y = GUTTER + c * cell_w, GUTTER + r * cell_h
            draw.text((x, y), caption, "black", font)
            panel = Image.fromarray(pixels).resize(
                (width * factor, height * factor), Image.Resampling.NEAREST
            )
            sheet.paste(panel, (x, y + CAPTION))
    return sheet


def _save(path: Path, sheet: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        sheet.save(temporary, "PNG")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
