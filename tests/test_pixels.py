"""Image files: every kind of label PNG, and every kind of damage."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vipbench import pixels
from vipbench.errors import UserError
from vipbench.native import native
from vipbench.pixels import (
    palette,
    probe,
    read_ids,
    read_image,
    read_map,
    read_photo,
    resized,
    write_ids,
    write_image,
)

RAMP = np.arange(256, dtype=np.uint16).reshape(16, 16)


def save(path: Path, mode: str) -> np.ndarray:
    """A label PNG in a Pillow mode; the ids that it holds."""
    bits = {"1": 1, "L": 8, "P": 8, "I;16": 16}[mode]
    ids = RAMP % 2 if bits == 1 else RAMP if bits == 8 else RAMP * 257
    array = ids.astype(bool) if bits == 1 else ids.astype(np.uint8) if bits == 8 else ids
    image = Image.fromarray(array)
    if mode == "P":
        image.putpalette(np.roll(palette(), 7, axis=0).tobytes())
    image.save(path)
    return ids


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16"])
def test_every_label_mode_reads_as_its_ids(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "ids.png"
    ids = save(path, mode)
    assert probe(path) == (mode, (16, 16))
    found = read_ids(path)
    assert found.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    np.testing.assert_array_equal(found, ids)
    label = read_map(path, void=1)
    assert label.size == found.shape
    assert label.ids.dtype == found.dtype
    np.testing.assert_array_equal(label.ids, ids)
    assert [segment.id for segment in label.segments] == sorted({*ids.ravel().tolist()} - {0, 1})


def test_low_bit_palettes_with_transparency_read_as_their_ids(tmp_path: Path) -> None:
    image = Image.fromarray((RAMP % 4).astype(np.uint8))
    image.putpalette(palette()[:4].tobytes())
    image.save(tmp_path / "ids.png", bits=2, transparency=0)
    np.testing.assert_array_equal(read_ids(tmp_path / "ids.png"), RAMP % 4)


@pytest.mark.parametrize(
    ("top", "colours", "mode"), [(255, True, "P"), (255, False, "L"), (256, True, "I;16")]
)
def test_written_ids_are_read(tmp_path: Path, top: int, colours: bool, mode: str) -> None:
    ids = np.array([[0, 1, top]], np.uint16)
    write_ids(tmp_path / "new/ids.png", ids, colours)
    assert probe(tmp_path / "new/ids.png") == (mode, (1, 3))
    np.testing.assert_array_equal(read_ids(tmp_path / "new/ids.png"), ids)


def test_palette_is_pascals() -> None:
    assert palette()[[1, 2, 15, 19, 255]].tolist() == [
        [128, 0, 0],
        [0, 128, 0],
        [192, 128, 128],
        [128, 192, 0],
        [224, 224, 192],
    ]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_colours_are_no_ids(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "ids.png")
    with pytest.raises(UserError, match=f"ids.png: expected a label PNG .* got mode {mode}. Save the ids"):
        read_ids(tmp_path / "ids.png")


@pytest.mark.parametrize("read", [read_ids, read_image])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_images_are_named(tmp_path: Path, read: object, kept: float) -> None:
    path = tmp_path / "ids.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64))
    write_ids(path, noise.astype(np.uint16))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(UserError, match=r"ids.png: expected a whole image, got a truncated or damaged one"):
        read(path)  # type: ignore[operator]


def test_broken_pixels_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ids.png"
    write_ids(path, RAMP)
    content = bytearray(path.read_bytes())
    start = content.index(b"IDAT") + 8
    content[start : start + 40] = bytes(40)
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="truncated or damaged"):
        read_ids(path)


def test_files_that_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "ids.png").write_text("not an image")
    (tmp_path / "folder.png").mkdir()
    for read in (read_ids, read_image, probe):
        with pytest.raises(UserError, match=r"ids.png: expected an image, got a file that is none"):
            read(tmp_path / "ids.png")
        with pytest.raises(UserError, match="got nothing: no such file"):
            read(tmp_path / "absent.png")
        with pytest.raises(UserError, match="Is a directory"):
            read(tmp_path / "folder.png")


def test_huge_images_are_named(tmp_path: Path) -> None:
    """A header of 30000x30000 pixels, which Pillow takes for an attack."""
    path = tmp_path / "ids.png"
    write_ids(path, RAMP)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 30000, 30000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(bytes(content))
    for read in (read_ids, read_image, probe):
        with pytest.raises(
            UserError, match=r"ids.png: expected an image, got Image size \(900000000 pixels\)"
        ):
            read(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_any_damage_is_named(tmp_path: Path, suffix: str) -> None:
    """Wherever a file is cut or overwritten it reads as an image or as a UserError."""
    rng = np.random.default_rng(0)
    path = tmp_path / f"photo{suffix}"
    write_image(path, rng.integers(0, 256, (16, 16, 3)).astype(np.uint8))
    whole, errors = path.read_bytes(), 0
    for _ in range(400):
        content = bytearray(whole[: rng.integers(len(whole) // 2, len(whole) + 1)])
        start = int(rng.integers(0, min(len(content), 200)))
        content[start : start + 4] = rng.bytes(4)
        path.write_bytes(bytes(content))
        try:
            read_image(path)
        except UserError:
            errors += 1
    assert errors > 200


def test_photos_survive(tmp_path: Path) -> None:
    rgb = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    write_image(tmp_path / "photo.png", rgb)
    np.testing.assert_array_equal(read_image(tmp_path / "photo.png"), rgb)
    write_image(tmp_path / "photo.jpg", rgb)
    assert np.abs(read_image(tmp_path / "photo.jpg").astype(int) - rgb).max() <= 4


SIDES = st.integers(1, 130)


def expected(photo: Image.Image, height: int, width: int) -> np.ndarray:
    """By Pillow, line by line, then column by column."""
    lines = photo.resize((width, photo.height), Image.Resampling.BILINEAR)
    return np.asarray(lines.resize((width, height), Image.Resampling.BILINEAR))


def noise(height: int, width: int, step: int, seed: int) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 255 // step + 1, (height, width, 3)) * step
    return Image.fromarray(values.astype(np.uint8))


@pytest.mark.skipif(native is None, reason="the kernels are not compiled here: Pillow does it")
@settings(max_examples=200)
@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from([1, 51, 255]), st.integers(0, 2**32 - 1))
def test_kernels_resize_to_pillows_bytes(
    h: int, w: int, height: int, width: int, step: int, seed: int
) -> None:
    """step 255: black and white alone, where sums are largest."""
    photo = noise(h, w, step, seed)
    np.testing.assert_array_equal(resized(photo, (height, width)), expected(photo, height, width))


@pytest.mark.parametrize("size", [(90, 160), (252, 448), (480, 854), (504, 896), (1, 1)])
@pytest.mark.parametrize("compiled", [True, False])
def test_photos_are_resized_by_either(
    size: tuple[int, int], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = noise(480, 854, 1, 0)
    wanted = expected(photo, *size)
    if not compiled:
        monkeypatch.setattr(pixels, "native", None)
    found = resized(photo, size)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.skipif(native is None, reason="the kernels are not compiled here: Pillow does it")
@pytest.mark.parametrize(("side", "shown"), [(40, True), (40, False), (2100, True)])
def test_photos_are_resized_where_pillow_holds_them_or_from_a_copy(
    side: int, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one piece it holds up to 16 MiB."""
    monkeypatch.setattr(pixels, "SHOWN", shown and pixels.SHOWN)
    photo = noise(side, side, 1, 0)
    assert isinstance(pixels._held(photo), bytes) == (side == 2100 or not pixels.SHOWN)
    np.testing.assert_array_equal(resized(photo, (5, 7)), expected(photo, 5, 7))


DECODED = {
    ((480, 854), (90, 160)): (240, 427),
    ((480, 854), (120, 213)): (240, 427),
    ((480, 854), (121, 213)): (480, 854),
    ((1080, 1920), (90, 160)): (270, 480),
    ((1080, 1920), (67, 120)): (135, 240),
    ((482, 854), (30, 53)): (241, 427),
    ((481, 854), (90, 160)): (481, 854),
    ((90, 160), (90, 160)): (90, 160),
}
"""How large a JPEG of a size is decoded for a size: at least twice as large, and by a whole divisor."""


@pytest.mark.parametrize(("size", "wanted"), DECODED)
def test_a_jpeg_is_decoded_no_larger_than_it_has_to_be(
    size: tuple[int, int], wanted: tuple[int, int], tmp_path: Path
) -> None:
    for name, decoded in (("photo.jpg", DECODED[size, wanted]), ("photo.png", size)):
        Image.new("RGB", size[::-1], "red").save(tmp_path / name)
        photo = read_photo(tmp_path / name, wanted)
        assert (photo.height, photo.width) == decoded
        assert read_photo(tmp_path / name).size == size[::-1]


@pytest.mark.parametrize("wanted", [(90, 160), (60, 106), (30, 50)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_decoded_smaller_is_the_same_photo_made_smaller(
    mode: str, wanted: tuple[int, int], tmp_path: Path
) -> None:
    """Edges stay where they are, to the last line and column."""
    rows, columns = np.mgrid[:480, :848]
    rgb = np.stack([columns * 255 // 847, rows * 255 // 479, (rows // 60 + columns // 61) % 2 * 255], 2)
    rgb[100:300, 200:333] = 250, 30, 20
    path = tmp_path / "photo.jpg"
    Image.fromarray(rgb.astype(np.uint8)).convert(mode).save(path, quality=95, progressive=mode == "L")
    assert read_photo(path, wanted).height < 480
    whole, part = (resized(read_photo(path, least), wanted).astype(int) for least in (None, wanted))
    difference = abs(whole - part)
    assert difference.max() <= 20  # of 255; half a decoded pixel aside it is 39 or more
    assert difference.mean() < 2


def test_a_jpeg_that_is_cut_is_refused_at_any_size(tmp_path: Path) -> None:
    write_image(path := tmp_path / "photo.jpg", np.asarray(noise(480, 854, 1, 0)))
    path.write_bytes(path.read_bytes()[:-5000])
    for wanted in (None, (90, 160)):
        with pytest.raises(UserError, match=r"photo.jpg: .*truncated"):
            read_photo(path, wanted)


def test_photos_of_other_modes_are_refused() -> None:
    with pytest.raises(ValueError, match="mode CMYK, expected RGB"):
        resized(Image.new("CMYK", (4, 4)), (2, 2))


@pytest.mark.skipif(native is None, reason="the kernels are not compiled here")
def test_the_kernel_refuses_taps_beyond_the_photo() -> None:
    one, weight = np.zeros(1, np.int32), np.full((1, 1), 2**22, np.int32)
    assert native is not None
    assert native.resize(bytes(range(8)), 1, 2, one, weight, one + 1, weight) == bytes([4, 5, 6])
    for columns in (one + 2, one - 1):
        with pytest.raises(ValueError, match="resize"):
            native.resize(bytes(8), 1, 2, one, weight, columns, weight)
    with pytest.raises(ValueError, match="resize"):
        native.resize(bytes(7), 1, 2, one, weight, one, weight)
    gray = Image.new("L", (2, 1)).__arrow_c_array__()[1]
    with pytest.raises(ValueError, match="no list of pixels"):
        native.resize(gray, 1, 2, one, weight, one, weight)
