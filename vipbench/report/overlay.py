"""Image, ground truth and prediction side by side, one PNG a frame.

Colours are the PASCAL palette over the dimmed photo. Classes and objects have the colour of their id; where
any nonzero value is the object, as in DAVIS 2016, that of id 1.
Persons and part instances are numbered anew in every file, so a predicted one takes the colour of the
ground-truth one that it shares most pixels with; one without a partner has a colour of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vipbench.atomic import replacing
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
    _same_data(folder, dataset, split, [video.id for video in videos])
    frames = [frame for video in videos for frame in video.annotated]
    for count, frame in enumerate(frames, 1):
        _save(out / frame.video / f"{frame.name}.png", _sheet(list(_rows(folder, dataset, frame))))
        if progress:
            progress(f"{frame.video}/{frame.name}", count, len(frames))
    return len(frames)


def _same_data(folder: Folder, dataset: Dataset, split: str, videos: Sequence[str]) -> None:
    if not set(dataset.layers) <= set(TITLES):
        raise UserError(f"{dataset.name} has no label maps to draw, only {', '.join(dataset.layers)}")
    wrong = [TITLES[name] for name in dataset.layers if name not in folder.layers]
    if wrong or not set(videos) & set(folder.videos()):
        what = f"{wrong[0]} in a {folder.name} folder" if wrong else f"prediction for a video of {split}"
        raise UserError(
            f"{folder.root}: no {what}, so not of {dataset.name}. Pass the data set and split it is of"
        )


def _rows(folder: Folder, dataset: Dataset, frame: Frame) -> Iterator[list[Panel]]:
    truth = dataset.read(frame)
    size = truth.layer(dataset.layers[0]).size
    photo = _photo(frame, size)
    missing = not folder.files(frame.video, frame.name)
    found = Parsing.empty(size, dataset.layers) if missing else folder.read(frame.video, frame.name)
    for name in dataset.layers:
        _check_size(folder, frame, found.layer(name), size)
        yield [
            (f"{frame.video} {frame.name}", photo),
            (f"ground truth: {TITLES[name]}", _blend(photo, truth.layer(name).ids)),
            (
                f"prediction: {'missing' if missing else TITLES[name]}",
                _blend(photo, _colour_ids(dataset, name, truth.layer(name), found.layer(name))),
            ),
        ]


def _colour_ids(dataset: Dataset, layer: str, gt: SegmentMap, pred: SegmentMap) -> Ids:
    if "davis2016" in dataset.protocols:
        foreground: Ids = (pred.ids != 0).astype(np.uint16)
        return foreground
    return _partners(gt, pred) if layer in UNNUMBERED else pred.ids


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


def _check_size(folder: Folder, frame: Frame, layer: SegmentMap, size: tuple[int, int]) -> None:
    if layer.size != size:
        raise UserError(
            f"{folder.root}: frame {frame.name} of {frame.video}: expected {size[1]}x{size[0]} pixels, got "
            f"{layer.size[1]}x{layer.size[0]}. Write predictions at the size of the frame"
        )


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
    panel_w, panel_h = width * factor, height * factor
    caption_h = max(CAPTION, panel_w // 40)
    cell_w, cell_h = panel_w + GUTTER, panel_h + GUTTER + caption_h
    sheet = Image.new("RGB", (len(rows[0]) * cell_w + GUTTER, len(rows) * cell_h + GUTTER), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(0.7 * caption_h)
    for r, row in enumerate(rows):
        for c, (caption, pixels) in enumerate(row):
            x, y = GUTTER + c * cell_w, GUTTER + r * cell_h
            draw.text((x, y), caption, "black", font)
            panel = Image.fromarray(pixels).resize((panel_w, panel_h), Image.Resampling.NEAREST)
            sheet.paste(panel, (x, y + caption_h))
    return sheet


def _save(path: Path, sheet: Image.Image) -> None:
    with replacing(path) as temporary:
        sheet.save(temporary, "PNG", compress_level=2)
