"""Label maps as runs: against a walk over the pixels, whatever the type and the kernels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vipbench.runs import Runs

pytestmark = pytest.mark.usefixtures("kernels")
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 40))
IDS = np.ndarray[tuple[int, int], np.dtype[np.uint16]]


def test_by_hand() -> None:
    found = Runs.of(np.array([[7, 7, 0], [0, 0, 0], [300, 7, 7]], np.uint16))
    assert found.size == (3, 3)
    assert found.starts.tolist() == [0, 2, 3, 6, 7]  # a run ends with its line
    assert found.values.tolist() == [7, 0, 0, 300, 7]
    assert found.ids.tolist() == [0, 7, 300]
    assert found.lengths.tolist() == [2, 1, 3, 1, 2]


@given(arrays(np.uint16, SHAPES, elements=st.sampled_from([0, 1, 2, 255, 256, 65535]), fill=st.just(0)))
def test_they_are_the_map(ids: IDS) -> None:
    found = Runs.of(ids)
    assert np.repeat(found.values, found.lengths).reshape(ids.shape).tolist() == ids.tolist()
    inside = found.starts[1:] % ids.shape[1] > 0
    assert (found.values[1:] != found.values[:-1])[inside].all()
    assert found.ids.tolist() == sorted(set(ids.ravel().tolist()))


@given(arrays(np.uint8, SHAPES, elements=st.integers(0, 3), fill=st.just(0)))
def test_the_type_of_the_ids_changes_nothing(ids: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> None:
    narrow, wide = Runs.of(ids), Runs.of(ids.astype(np.uint16))
    strided = Runs.of(np.repeat(ids, 2, axis=1)[:, ::2])
    for other in (wide, strided):
        assert narrow.starts.tolist() == other.starts.tolist()
        assert narrow.values.tolist() == other.values.tolist()
        assert narrow.digest == other.digest


@given(arrays(np.uint8, SHAPES, elements=st.integers(0, 3), fill=st.just(0)))
def test_a_byte_before_each_line_changes_nothing(
    lines: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
) -> None:
    ids = lines[:, 1:]
    if ids.size:
        found, other = Runs.of_lines(lines.tobytes(), ids.shape), Runs.of(ids)
        assert found.same(other)
        assert found.ids.tolist() == other.ids.tolist()
        assert found.pixels.tolist() == ids.tolist()


@pytest.mark.parametrize("length", [0, 11, 13, 16])
def test_lines_of_another_length_are_none(length: int) -> None:
    with pytest.raises(ValueError, match=r"size|reshape"):
        Runs.of_lines(bytes(length), (3, 3))


def test_maps_are_the_same_by_size_and_pixels() -> None:
    ids = np.array([[1, 1, 2], [0, 0, 1]], np.uint8)
    others = ids.reshape(3, 2), ids + np.uint8(1), np.array([[1, 2, 2], [0, 0, 1]], np.uint8)
    assert Runs.of(ids).same(Runs.of(ids.astype(np.uint16)))
    assert not any(Runs.of(ids).same(Runs.of(other)) for other in others)


def test_the_digest_tells_maps_apart() -> None:
    maps = [np.zeros((2, 3)), np.zeros((3, 2)), np.ones((2, 3)), np.eye(2, 3)]
    assert len({Runs.of(ids.astype(np.uint8)).digest for ids in maps}) == 4
