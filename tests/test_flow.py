"""The Middlebury .flo format: its bytes, round trips, real files, faults."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from vipbench.errors import UserError
from vipbench.flow import read_flow, write_flow
from vipbench.pixels import read_image

PIEH = b"PIEH"


def flo(width: int, height: int, *values: float) -> bytes:
    return PIEH + struct.pack("<ii", width, height) + struct.pack(f"<{len(values)}f", *values)


def test_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    flow = np.array([[[1, 2], [3, 4], [5, 6]]], np.float32)
    write_flow(tmp_path / "a.flo", flow)
    assert (tmp_path / "a.flo").read_bytes() == flo(3, 1, 1, 2, 3, 4, 5, 6)


def test_reads_u_then_v_row_by_row(tmp_path: Path) -> None:
    (tmp_path / "a.flo").write_bytes(flo(1, 2, 0.5, -1, 7, 8))
    flow = read_flow(tmp_path / "a.flo")
    assert flow.dtype == np.float32
    assert flow.tolist() == [[[0.5, -1]], [[7, 8]]]


shapes = st.tuples(st.integers(1, 7), st.integers(1, 7), st.just(2))


@given(flow=hnp.arrays(np.float32, shapes, elements=st.floats(width=32, allow_nan=False)))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, flow: NDArray[np.float32]) -> None:
    path = tmp_path_factory.mktemp("flow") / "new" / "a.flo"
    write_flow(path, flow)
    assert read_flow(path).tobytes() == flow.tobytes()
    assert [p.name for p in path.parent.iterdir()] == ["a.flo"]


def test_any_memory_order_and_precision(tmp_path: Path) -> None:
    flow = np.arange(12, dtype=np.float64).reshape(2, 2, 3).transpose(2, 1, 0)
    write_flow(tmp_path / "a.flo", flow)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.flo"), flow)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "No such file"),
        (b"", "PIEH"),
        (b"PIEH\1\0\0\0", "PIEH"),
        (b"HEIP" + flo(1, 1, 0, 0)[4:], "HEIP"),
        (flo(2, 1, 0, 0), "2 x 1 and 20 bytes"),
        (flo(1, 1, 0, 0) + b"\0", "21 bytes"),
        (flo(0, 1), "0 x 1"),
        (flo(-1, -1, 0, 0), "-1 x -1"),
    ],
    ids=["missing", "empty", "header cut", "magic", "truncated", "too long", "no width", "negative"],
)
def test_faults_name_the_file(tmp_path: Path, data: bytes | None, says: str) -> None:
    path = tmp_path / "a.flo"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError) as error:
        read_flow(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (1, 2, 3, 2)])
def test_write_wants_two_channels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[H, W, 2\]"):
        write_flow(tmp_path / "a.flo", np.zeros(shape, np.float32))
    assert list(tmp_path.iterdir()) == []


def fetched(image: NDArray[np.float64], flow: NDArray[np.float64]) -> NDArray[np.float64]:
    y, x = np.indices(image.shape[:2], float)
    at = [y + flow[..., 1], x + flow[..., 0]]
    return np.stack([map_coordinates(image[..., c], at, order=1, mode="nearest") for c in range(3)], -1)


@pytest.mark.parametrize("number", ["0000000", "0000002", "0000006"])
def test_flow_of_flying_chairs_explains_the_images(test_data: Path, number: str, tmp_path: Path) -> None:
    """Image 1 fetched along the flow of Dosovitskiy et al. 2015 is like image 0; against it, least of all."""
    stem = test_data / "flow/FlyingChairs_examples" / number
    flow = read_flow(stem.with_name(f"{number}-gt.flo"))
    first, second = (read_image(stem.with_name(f"{number}-img{i}.ppm")).astype(float) for i in (0, 1))
    assert flow.shape == (*first.shape[:2], 2) == (384, 512, 2)
    along, unmoved, against = (np.abs(fetched(second, k * flow) - first).mean() for k in (1, 0, -1))
    assert along < 0.7 * unmoved < unmoved < against
    write_flow(tmp_path / "a.flo", flow)
    assert (tmp_path / "a.flo").read_bytes() == stem.with_name(f"{number}-gt.flo").read_bytes()
