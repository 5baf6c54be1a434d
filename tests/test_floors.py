"""The floors on tiny data sets, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vipbench.datasets.davis import Davis
from vipbench.datasets.vip import Vip
from vipbench.errors import UserError
from vipbench.floors import GRID, ClassPrior, CopyFirst, Empty
from vipbench.types import Dataset, Method, Parsing

SIZE = (12, 16)


def predict(method: Method, dataset: Dataset) -> list[Parsing]:
    video = dataset.videos("val")[0]
    found = list(method.predict(video))
    assert [frame for frame, _ in found] == list(video.annotated)
    return [parsing for _, parsing in found]


def test_empty_is_background_at_the_frames_size(vip_root: Path) -> None:
    for parsing in predict(Empty(Vip(vip_root)), Vip(vip_root)):
        for name in ("category", "human", "part"):
            assert parsing.layer(name).size == SIZE
            assert not parsing.layer(name).ids.any()


def test_size_comes_from_the_label_where_there_is_no_photo(davis_root: Path) -> None:
    (davis_root / "JPEGImages/480p/bee/00003.jpg").unlink()
    assert predict(Empty(Davis(davis_root)), Davis(davis_root))[3].layer("object").size == SIZE


def test_copy_first_repeats_the_first_label(vip_root: Path) -> None:
    dataset = Vip(vip_root)
    first = dataset.read(dataset.videos("val")[0].annotated[0])
    for parsing in predict(CopyFirst(dataset), dataset):
        for name in ("category", "human", "part"):
            assert np.array_equal(parsing.layer(name).ids, first.layer(name).ids)
        assert [s.category for s in parsing.layer("part").segments] == [2, 2, 5, 5]
        assert [s.score for s in parsing.layer("part").segments] == [1.0] * 4


def test_copy_first_leaves_out_unlabelled_pixels(vip_root: Path) -> None:
    dataset = Vip(vip_root)
    truth = dataset.read(dataset.videos("val")[0].annotated[0]).layer("category").ids.copy()
    truth[0, :3] = 255
    from vipbench.pixels import write_ids

    frame = dataset.videos("val")[0].annotated[0]
    write_ids(vip_root / "Category_ids" / frame.video / f"{frame.name}.png", truth, colours=False)
    copied = predict(CopyFirst(dataset), dataset)[1].layer("category").ids
    assert not copied[0, :3].any()
    assert np.array_equal(copied[1:], truth[1:])


def test_prior_of_objects_is_where_most_train_masks_are(davis_root: Path) -> None:
    """The train square covers rows 5..8 and, in at least four of six frames, columns 5..9."""
    prior = predict(ClassPrior(Davis(davis_root)), Davis(davis_root))[0].layer("object")
    expected = np.zeros(SIZE, np.uint16)
    expected[5:9, 5:10] = 1
    expected[5:9, 4] = expected[5:9, 10] = 0  # in three of six: no majority
    assert np.array_equal(prior.ids, expected)
    assert [s.id for s in prior.segments] == [1]


def test_prior_of_parts_is_one_person_with_a_part_a_class(vip_root: Path) -> None:
    parsing = predict(ClassPrior(Vip(vip_root)), Vip(vip_root))[0]
    category, human, part = (parsing.layer(name) for name in ("category", "human", "part"))
    assert set(np.unique(category.ids)) == {0, 2, 5}
    assert np.array_equal(human.ids, category.ids > 0)
    assert [(s.id, s.category, s.human, s.score) for s in part.segments] == [(1, 2, 1, 1.0), (2, 5, 1, 1.0)]
    assert np.array_equal(part.ids == 2, category.ids == 5)


def test_prior_needs_the_train_split(davis_root: Path) -> None:
    (davis_root / "ImageSets/2016/train.txt").unlink()
    with pytest.raises(UserError, match=r"split 'train' of davis, which cannot be read: .*train\.txt"):
        ClassPrior(Davis(davis_root))


def test_prior_is_counted_on_the_grid(davis_root: Path) -> None:
    assert ClassPrior(Davis(davis_root)).prior["object"].size == GRID
