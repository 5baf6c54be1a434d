"""Pixels from and to image files: the only place that opens them."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Protocol

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vipbench import png
from vipbench.errors import ProblemError
from vipbench.native import native
from vipbench.types import Ids, RunMap, SegmentMap

LABEL_MODES = {"1", "L", "P", "I;16"}
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
"""What Pillow raises for files that are cut, broken, or of a size that is no frame's."""

SHOWN = int(PIL.__version__.partition(".")[0]) >= 13
"""Whether Pillow tells where its pixels are only if they are there: before, padded lines passed for whole."""


def _open(path: File, content: bytes | Path) -> Image.Image:
    try:
        return Image.open(BytesIO(content) if isinstance(content, bytes) else content)
    except UnidentifiedImageError:
        raise ProblemError(f"{path}", "an image", "a file that is none", "Write or copy it again") from None
    except DAMAGE as error:
        raise _unreadable(path, error) from None


def _content(path: File) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, KeyError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: File, error: Exception) -> ProblemError:
    if isinstance(error, (FileNotFoundError, KeyError)):
        return ProblemError(f"{path}", "an image file", "nothing: no such file", "Write or copy it there")
    reason = getattr(error, "strerror", None) or error
    return ProblemError(f"{path}", "an image", f"{reason}", "Write or copy it again")


def _damaged(path: File, error: Exception) -> ProblemError:
    return ProblemError(
        f"{path}", "a whole image", f"a truncated or damaged one ({error})", "Write or copy it again"
    )


def _pixels(path: File, image: Image.Image) -> NDArray[np.generic]:
    try:
        return np.asarray(image)
    except DAMAGE as error:
        raise _damaged(path, error) from None


def probe(path: Path) -> tuple[str, tuple[int, int]]:
    """(Pillow mode, (height, width)) from the header alone. Raises UserError if it is no image."""
    with _open(path, path) as image:
        return image.mode, (image.height, image.width)


class File(Protocol):
    """A file's address: a Path, or a member of an archive. Its text is the path."""

    def read_bytes(self) -> bytes:
        """The content."""


@lru_cache(64)
def home(root: Path, video: str) -> Path:
    """The folder of a video, made once: to make a path takes as long as to open a file."""
    return root / video


def read_ids(path: File) -> Ids:
    """The ids of a label PNG [H, W]: bilevel, gray, palette (indices, not colours) uint8, 16 bit uint16.

    Raises UserError for a missing or damaged file and for colour images, which carry no ids.
    """
    return _ids(path, _content(path))


def read_map(path: File, void: int | None = None) -> SegmentMap:
    """The same, with a row for each id that has pixels, but for void. Raises as `read_ids`."""
    data = _content(path)
    runs = png.runs(data)
    return SegmentMap.of(_ids(path, data), void) if runs is None else RunMap(runs, void)


def _ids(path: File, data: bytes) -> Ids:
    plain = png.decode(data)
    return _decode(path, data) if plain is None else plain


def _decode(path: File, data: bytes) -> Ids:
    """The ids of an image of any kind, by Pillow."""
    with _open(path, data) as image:
        if image.mode not in LABEL_MODES:
            raise ProblemError(
                f"{path}",
                "a label PNG (palette, gray or bilevel)",
                f"mode {image.mode}",
                "Save the ids themselves, not their colours",
            )
        pixels = _pixels(path, image)
        return pixels.astype(np.uint16) if pixels.itemsize > 1 else pixels.astype(np.uint8)


def read_photo(path: Path, wanted: tuple[int, int] | None = None) -> Image.Image:
    """A photo as RGB, decoded. Raises UserError for a missing or damaged file.

    wanted: the size (height, width) that it will be resized to. Of a JPEG the photo is then a half, a quarter
    or an eighth, where that is still twice as large: decoded from the lower frequencies of its blocks.
    """
    with _open(path, _content(path)) as image:
        try:
            if wanted is not None:
                _reduce(image, wanted)
            image.load()
            return image if image.mode == "RGB" else image.convert("RGB")
        except DAMAGE as error:
            raise _damaged(path, error) from None


def _reduce(image: Image.Image, wanted: tuple[int, int]) -> None:
    """Have it decoded smaller, if it is a JPEG; by a divisor of both sides: else it would be stretched."""
    larger = min(image.height / wanted[0], image.width / wanted[1])
    for scale in (8, 4, 2):
        if larger >= 2 * scale and image.height % scale == image.width % scale == 0:
            image.draft(None, (image.width // scale, image.height // scale))
            return


def resized(photo: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """An RGB photo at a size (height, width), bilinear over all that a new pixel covers: uint8 [H, W, 3].

    First each line, then each column; Pillow by itself takes the one or the other first, by its version.
    Where there are kernels, the same bytes faster. Raises ValueError for other modes.
    """
    height, width = size
    if photo.mode != "RGB":
        raise ValueError(f"a photo of mode {photo.mode}, expected RGB")
    if not native or (photo.height, photo.width) == size:
        lines = photo.resize((width, photo.height), Image.Resampling.BILINEAR)
        return np.asarray(lines.resize((width, height), Image.Resampling.BILINEAR))
    rows, columns = _taps(photo.height, height), _taps(photo.width, width)
    found = native.resize(_held(photo), photo.height, photo.width, *rows, *columns)
    return np.frombuffer(found, np.uint8).reshape(height, width, 3)


def _held(photo: Image.Image) -> object:
    """Each pixel's R, G, B and a fourth byte, where Pillow holds them; where it cannot show them, a copy."""
    if SHOWN:
        with suppress(ValueError):  # not in one piece
            return photo.__arrow_c_array__()[1]
    return photo.tobytes("raw", "RGBX")


@lru_cache(16)
def _taps(size: int, wanted: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Which of `size` pixels, and with which weights times 2^22, make each of the `wanted` ones.

    (first int32 [wanted], weights int32 [wanted, K]): a triangle over the pixels that are nearer than one new
    pixel (one old one where it is enlarged).
    """
    reach = max(size / wanted, 1.0)
    centre = (np.arange(wanted) + 0.5) * (size / wanted)
    first = np.maximum(centre - reach + 0.5, 0).astype(np.int64)
    end = np.minimum((centre + reach + 0.5).astype(np.int64), size)
    most = int((end - first).max())
    at = first[:, None] + np.arange(most)
    triangle = np.maximum(1 - abs((at - centre[:, None] + 0.5) * (1 / reach)), 0) * (at < end[:, None])
    weights = (triangle / triangle.cumsum(1)[:, -1:] * 2**22 + 0.5).astype(np.int32)
    moved = np.minimum(first, size - most)  # the last ones' taps must not reach beyond
    shift = (first - moved)[:, None]
    kept = np.take_along_axis(weights, np.maximum(np.arange(most) - shift, 0), 1) * (np.arange(most) >= shift)
    return moved.astype(np.int32), np.ascontiguousarray(kept, np.int32)


def read_image(path: Path) -> NDArray[np.uint8]:
    """A photo as uint8 RGB [H, W, 3], 0..255. Raises UserError for a missing or damaged file."""
    return np.asarray(read_photo(path))


def palette() -> NDArray[np.uint8]:
    """The PASCAL VOC colours, uint8 [256, 3]: bits 3j, 3j+1, 3j+2 of an id are bit 7-j of R, G, B."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for j in range(8):
        for channel in range(3):
            colours[:, channel] |= ((ids >> (3 * j + channel) & 1) << (7 - j)).astype(np.uint8)
    return colours


@cache
def _palette() -> bytes:
    return palette().tobytes()


def write_ids(path: Path, ids: Ids, colours: bool = True) -> None:
    """Write ids [H, W] as PNG: 8 bit up to 255 (PASCAL palette, or gray without colours), else 16 bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if ids.max(initial=0) > 255 or not ids.size:  # which Pillow refuses
        Image.fromarray(ids).save(path, "PNG", compress_type=zlib.Z_RLE)
    else:
        path.write_bytes(png.encode(ids.astype(np.uint8, copy=False), _palette() if colours else None))


def write_image(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write uint8 RGB [H, W, 3] in the format of the file's ending; JPEG at quality 95."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path, quality=95) if path.suffix == ".jpg" else Image.fromarray(rgb).save(path)
