"""Every form of a prediction folder is scored as the folder itself, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from forms import FORMS, KINDS, encoded
from hypothesis import given
from hypothesis import strategies as st
from made_png import Kind, png
from PIL import Image
from tiny import make_davis

from vipbench.pixels import read_ids, write_ids
from vipbench.records import Score
from vipbench.scorer import score
from vipbench.specs import DatasetSpec

PUBLISHED = [(method, "zipped folder") for method in ("cut", "lvo", "osvos", "sflu")]
PUBLISHED += [("cut", "first missing"), ("lvo", "nested"), ("osvos", "foreign sequences"), ("sflu", "mixed")]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[DatasetSpec, Path, tuple[Score, ...]]:
    """A tiny DAVIS, predictions for it, and their scores."""
    data = DatasetSpec.of("davis", make_davis(tmp_path_factory.mktemp("DAVIS") / "root"))
    preds = tmp_path_factory.mktemp("preds")
    for path in (data.root / "Annotations/480p").glob("[ab]*/*.png"):  # each frame as the one before
        target = preds / path.parent.name / f"{(int(path.stem) + 1) % 6:05d}.png"
        write_ids(target, read_ids(path))
    return data, preds, score(preds, data, "val").scores


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_files(kind: str, tiny: tuple[DatasetSpec, Path, tuple[Score, ...]], tmp_path: Path) -> None:
    data, preds, expected = tiny
    assert score(encoded(preds, tmp_path / "made", kind), data, "val").scores == expected


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_folders(
    form: str, tiny: tuple[DatasetSpec, Path, tuple[Score, ...]], tmp_path: Path
) -> None:
    data, preds, expected = tiny
    assert score(FORMS[form](preds, tmp_path / "made"), data, "val").scores == expected


@pytest.mark.parametrize(("method", "form"), PUBLISHED)
def test_forms_of_published_methods(method: str, form: str, test_data: Path, tmp_path: Path) -> None:
    """lvo lacks last frames, osvos is bilevel, the others are gray."""
    folder, data = test_data / "davis2016_predictions" / method, DatasetSpec.of("davis", test_data / "DAVIS")
    (tmp_path / "few").mkdir()
    (tmp_path / "few/car-shadow").symlink_to(folder / "car-shadow")
    made = FORMS[form](tmp_path / "few", tmp_path / "made")
    found, expected = (score(path, data, "val", ("car-shadow",)).scores for path in (made, folder))
    assert found == expected
    assert 0.4 < next(s.value for s in found if s.scope == "all" and s.measure.startswith("J.mean")) < 1


@given(
    size=st.tuples(st.integers(1, 17), st.integers(1, 17)),
    bits=st.sampled_from([1, 2, 4, 8, 16]),
    palette=st.booleans(),
    filter_=st.integers(0, 5),
    interlaced=st.booleans(),
    transparent=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_any_png_reads_as_its_ids(
    tmp_path_factory: pytest.TempPathFactory,
    size: tuple[int, int],
    bits: int,
    palette: bool,
    filter_: int,
    interlaced: bool,
    transparent: bool,
    seed: int,
) -> None:
    """As Pillow reads it, which spreads gray of 2 and 4 bits over 0..255."""
    palette = palette and bits <= 8
    ids = np.random.default_rng(seed).integers(0, 2**bits, size)
    path = tmp_path_factory.mktemp("png") / "ids.png"
    path.write_bytes(png(ids, Kind(bits, palette, filter_, interlaced, transparent)))
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image).astype(np.uint16), read_ids(path))
    spread = {2: 85, 4: 17}.get(bits, 1) if not palette else 1
    np.testing.assert_array_equal(read_ids(path), ids * spread)
