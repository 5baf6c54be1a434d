"""The fast reader of plain PNGs: Pillow's ids, or none."""

from __future__ import annotations

import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_png import Kind, png
from PIL import Image

from vipbench.png import decode, encode, runs
from vipbench.runs import Runs

pytestmark = pytest.mark.usefixtures("kernels")
SHAPES = st.tuples(st.integers(1, 30), st.integers(1, 70))


@given(arrays(np.uint8, SHAPES), st.booleans(), st.integers(0, 5), st.booleans())
def test_ids_are_those_of_pillow(ids: np.ndarray, palette: bool, lines: int, transparent: bool) -> None:
    data = png(ids, Kind(palette=palette, filter=lines, transparent=transparent))
    found, seen = decode(data), runs(data)
    if found is not None:
        assert found.tolist() == np.asarray(Image.open(BytesIO(data))).tolist()
    assert (found is None) == (seen is None)
    if found is not None and seen is not None:
        assert seen.same(Runs.of(found))
        assert seen.pixels.tolist() == found.tolist()


@given(arrays(np.uint8, SHAPES), st.booleans())
def test_what_is_written_is_what_pillow_and_this_read(ids: np.ndarray, palette: bool) -> None:
    colours = bytes(range(256)) * 3 if palette else None
    data = encode(ids, colours)
    image = Image.open(BytesIO(data))
    assert np.asarray(image).tolist() == ids.tolist()
    assert image.mode == ("P" if palette else "L")
    assert not palette or bytes(image.getpalette() or ()) == colours
    found = decode(data)
    assert found is not None or not palette  # without kernels gray images are left to Pillow
    assert found is None or found.tolist() == ids.tolist()


@pytest.mark.parametrize("lines", range(6))
def test_compiled_kernels_read_every_filter(lines: int, kernels: str) -> None:
    """Where this fails, all such files are read several times slower: by Pillow."""
    ids = np.arange(35, dtype=np.uint8).reshape(5, 7)
    for palette in (False, True):
        found = decode(png(ids, Kind(palette=palette, filter=lines)))
        assert (found is not None) == (kernels == "compiled" or (palette and lines == 0))


@pytest.mark.parametrize(
    "kind", [Kind(bits=1), Kind(bits=2), Kind(bits=4, palette=True), Kind(bits=16), Kind(interlaced=True)]
)
def test_others_are_left_to_pillow(kind: Kind) -> None:
    assert decode(png(np.ones((5, 7), np.uint8), kind)) is None


def test_colours_and_other_files_are_left_to_pillow() -> None:
    out = BytesIO()
    Image.new("RGB", (7, 5)).save(out, "PNG")
    assert decode(out.getvalue()) is None
    assert decode(b"") is None
    assert decode(b"\xff\xd8 a JPEG") is None


@given(st.data())
def test_no_damage_gives_other_ids(data: st.DataObject) -> None:
    """A byte changed, or the end cut off, anywhere: none, or the same ids where the byte does not matter."""
    ids = np.arange(77, dtype=np.uint8).reshape(7, 11) // 5
    whole = png(ids, Kind(palette=True, filter=data.draw(st.integers(0, 4))))
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    changed = bytes([whole[at] ^ data.draw(st.integers(1, 255))])
    found = decode(whole[:at] if cut else whole[:at] + changed + whole[at + 1 :])
    assert found is None or (not cut and found.tolist() == ids.tolist())


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += length + 12
    return found


def joined(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, each with its right checksum."""
    body = [len(c).to_bytes(4) + k + c + zlib.crc32(k + c).to_bytes(4) for k, c in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@given(st.data())
def test_no_structure_gives_other_ids_than_pillow(data: st.DataObject) -> None:
    """Chunks doubled, dropped, split, exchanged, of other kinds and contents, all with right checksums."""
    ids = np.arange(35, dtype=np.uint8).reshape(5, 7)
    whole = png(ids, Kind(palette=data.draw(st.booleans()), transparent=data.draw(st.booleans())))
    parts = chunks(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(parts) - 1))
        kind, content = parts[at]
        change = data.draw(st.sampled_from(["double", "drop", "split", "swap", "kind", "byte"]))
        if change == "double":
            parts.insert(data.draw(st.integers(0, len(parts))), parts[at])
        elif change == "drop" and len(parts) > 1:
            del parts[at]
        elif change == "split":
            cut = data.draw(st.integers(0, len(content)))
            parts[at : at + 1] = [(kind, content[:cut]), (kind, content[cut:])]
        elif change == "swap":
            other = data.draw(st.integers(0, len(parts) - 1))
            parts[at], parts[other] = parts[other], parts[at]
        elif change == "kind":
            parts[at] = data.draw(st.sampled_from([b"tEXt", b"fdAT", b"acTL", b"iCCP", b"tIME"])), content
        elif content:
            place = data.draw(st.integers(0, len(content) - 1))
            byte = bytes([data.draw(st.integers(0, 255))])
            parts[at] = kind, content[:place] + byte + content[place + 1 :]
    found = decode(joined(parts))
    if found is not None:
        assert found.tolist() == np.asarray(Image.open(BytesIO(joined(parts)))).tolist()


@pytest.mark.parametrize("size", [2**31 - 1, 2**32 - 1, 2**15])
def test_a_header_that_lies_allocates_nothing(size: int) -> None:
    parts = chunks(png(np.zeros((4, 4), np.uint8), Kind(palette=True)))
    header = size.to_bytes(4) * 2 + parts[0][1][8:]
    assert decode(joined([(b"IHDR", header), *parts[1:]])) is None


def test_more_pixels_than_the_header_says_are_none() -> None:
    ids = np.zeros((4, 4), np.uint8)
    whole = png(ids, Kind())
    packed = zlib.compress(bytes(4 * 5), 1)
    assert packed in whole
    start = whole.index(packed) - 4
    longer = zlib.compress(bytes(5 * 5), 1)
    body = b"IDAT" + longer
    chunk = len(longer).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    assert decode(whole[: start - 4] + chunk + whole[start + len(packed) + 8 :]) is None
