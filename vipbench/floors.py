"""Methods that look at no pixel of the video: what any real method has to beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vipbench.errors import UserError
from vipbench.pixels import probe
from vipbench.types import Dataset, Frame, Ids, Parsing, Segment, SegmentMap, Video

GRID = (120, 160)
"""Height and width of the grid on which ClassPrior counts."""

MOST_FRAMES = 200


class Empty:
    """Predicts background everywhere."""

    name = "empty"

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """Background for every annotated frame."""
        for frame in video.annotated:
            yield frame, Parsing.empty(_size(self.dataset, frame), self.dataset.layers)


class CopyFirst:
    """Predicts the ground truth of the first annotated frame for all frames of its video.

    It sees a label of the very video that it is scored on: a sanity floor, no competitor.
    """

    name = "copy-first"

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """The first frame's layers, unlabelled pixels as background. Raises UserError without a label."""
        if not video.annotated:
            return
        truth = self.dataset.read(video.annotated[0])
        copied = {name: _known(self.dataset, truth, name) for name in self.dataset.layers}
        for frame in video.annotated:
            size = _size(self.dataset, frame)
            yield frame, Parsing.of({name: _resized(layer, size) for name, layer in copied.items()})


class ClassPrior:
    """Predicts what is most frequent at each place of the train split's frames, the same for every frame.

    Parsing: the most frequent class of each pixel, one person where that is no background, and of that
    person one part a class. Objects: one object where more than half of the frames have any. Counted on a
    fixed grid, over at most 200 frames evenly spaced in the split. Raises UserError without a train split.
    """

    name = "class-prior"

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.prior = _layers(dataset, _most_frequent(dataset))

    def predict(self, video: Video) -> Iterator[tuple[Frame, Parsing]]:
        """The prior, brought to each frame's size."""
        for frame in video.annotated:
            size = _size(self.dataset, frame)
            yield frame, Parsing.of({name: _resized(layer, size) for name, layer in self.prior.items()})


def _most_frequent(dataset: Dataset) -> Ids:
    """The most frequent class on the grid, uint16; of objects 1 where most frames have one."""
    layer = "category" if "category" in dataset.layers else "object"
    counts = np.zeros((len(dataset.classes), *GRID), np.int64)
    for frame in _train_frames(dataset):
        known = _resized(_known(dataset, dataset.read(frame), layer), GRID).ids
        kinds = known if layer == "category" else np.minimum(known, 1)
        for kind in np.unique(kinds):
            counts[kind] += kinds == kind
    winner: Ids = counts.argmax(axis=0).astype(np.uint16)
    return winner


def _train_frames(dataset: Dataset) -> list[Frame]:
    wants = f"class-prior counts on split 'train' of {dataset.name}"
    if "train" not in dataset.splits:
        raise UserError(f"{wants}, which has only {', '.join(dataset.splits)}. Choose another method")
    try:
        frames = [frame for video in dataset.videos("train") for frame in video.annotated]
    except UserError as error:
        raise UserError(f"{wants}, which cannot be read: {error}") from None
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames))).round().astype(int))
    return [frames[i] for i in chosen]


def _layers(dataset: Dataset, classes: Ids) -> dict[str, SegmentMap]:
    """All layers of the data set that say what a map of classes says."""
    person = (classes > 0).astype(np.uint16)
    present = [int(c) for c in np.unique(classes) if c > 0]
    rank = np.zeros(max(len(dataset.classes), 2), np.uint16)
    rank[present] = np.arange(1, len(present) + 1)
    rows = tuple(Segment(int(rank[c]), category=c, human=1) for c in present)
    found = {
        "category": SegmentMap(classes),
        "human": SegmentMap.of(person),
        "part": SegmentMap(rank[classes], rows),
        "object": SegmentMap.of(person),
    }
    return {name: found[name] for name in dataset.layers}


def _size(dataset: Dataset, frame: Frame) -> tuple[int, int]:
    """(height, width) of a frame: of its photo, or, where that is not at hand, of its ground truth."""
    if frame.image.is_file():
        return probe(frame.image)[1]
    return dataset.read(frame).layer(dataset.layers[0]).size


def _known(dataset: Dataset, truth: Parsing, name: str) -> SegmentMap:
    """A layer of the ground truth; rows by ascending class.

    Pixels that are unlabelled or of no known class become background.
    """
    layer = truth.layer(name)
    unknown = layer.ids == dataset.void if name in ("category", "object") else np.zeros(layer.size, bool)
    if name == "category":
        unknown |= layer.ids >= len(dataset.classes)
    rows = sorted(layer.segments, key=lambda s: (s.category, s.human, s.id))
    return SegmentMap(np.where(unknown, 0, layer.ids).astype(np.uint16), tuple(rows))


def _places(size: tuple[int, int], target: tuple[int, int]) -> tuple[Ids, Ids]:
    """For every pixel of the target size the row and column of the nearest pixel centre of `size`."""
    rows, columns = (
        ((np.arange(t) + 0.5) * s / t).astype(np.uint16) for s, t in zip(size, target, strict=True)
    )
    return rows[:, None], columns[None, :]


def _resized(layer: SegmentMap, size: tuple[int, int]) -> SegmentMap:
    """Nearest neighbour; rows whose pixels are gone are dropped."""
    if layer.size == size:
        return layer
    ids = layer.ids[_places(layer.size, size)]
    present = set(np.unique(ids).tolist())
    return SegmentMap(ids, tuple(s for s in layer.segments if s.id in present))
