"""Folders in which each file is fine, but which cannot be meant: nothing to score, or nothing predicted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from vipbench.errors import Problem, ProblemError
from vipbench.folders import Folder
from vipbench.types import Dataset, Frame, Video

COMPARED = ("category", "object")
"""Layers whose ids say the same in every file; persons and parts are numbered anew in each."""


def empty_truth(dataset: Dataset, video: Video) -> list[Problem]:
    """Ground truth without any object, of which an empty prediction would be perfect."""
    frames = video.annotated if "object" in dataset.layers else ()
    try:
        if not frames or any(dataset.read(frame).layer("object").segments for frame in frames):
            return []
    except ProblemError:  # a split without labels, or a damaged one
        return []
    mend = "Say which year or task it is, if it is another, or leave the video out by --sequences"
    where = f"the ground truth of {video.id}"
    return [Problem(where, "an object in some frame", "background alone", mend)]


def too_short(video: Video, unscored: Callable[[int], set[int]]) -> list[Problem]:
    """A video of which no frame counts. unscored: the positions that no protocol scores in so many frames."""
    frames = len(video.annotated)
    if not frames or set(range(frames)) - unscored(frames):
        return []
    mend = "It is left out of the mean; nothing to mend if this is meant"
    got = f"{frames}, none of which is scored"
    return [Problem(f"video {video.id}", "a frame that counts", got, mend, warning=True)]


def truth_itself(folder: Folder, dataset: Dataset, videos: Sequence[Video]) -> list[Problem]:
    """The ground truth given as its own prediction. Of other folders, it reads little more than a frame."""
    layer = dataset.layers[0]
    if layer not in COMPARED or not any(_same(folder, dataset, video, layer) for video in videos):
        return []
    got = "the ground truth itself: every pixel of a video is right"
    mend = "Pass the folder of a method, unless you mean to see perfect scores"
    return [Problem(str(folder.root), "predictions", got, mend, warning=True)]


def _same(folder: Folder, dataset: Dataset, video: Video, layer: str) -> bool:
    """Whether all frames of a video have predictions that equal its ground truth."""
    return bool(video.annotated) and all(_equal(folder, dataset, frame, layer) for frame in video.annotated)


def _equal(folder: Folder, dataset: Dataset, frame: Frame, layer: str) -> bool:
    try:
        found = folder.read(frame.video, frame.name).layer(layer)
        truth = dataset.read(frame).layer(layer)
    except ProblemError:  # missing or damaged
        return False
    if "davis2016" in dataset.protocols:  # any value is the object
        return np.array_equal(found.ids != 0, truth.ids != 0)
    return found.runs.same(truth.runs)


def shifted(where: str, names: Collection[str], present: Collection[str]) -> list[Problem]:
    """Frames that are all there, but each numbered one too high or too low.

    names: of the annotated frames; present: of the predicted ones.
    """
    if len(names) != len(present) or not all(name.isdecimal() for name in (*names, *present)):
        return []
    steps = {int(found) - int(name) for name, found in zip(sorted(names), sorted(present), strict=True)}
    if steps not in ({1}, {-1}):
        return []
    got = f"{min(present)} to {max(present)}, each number one too {'high' if steps == {1} else 'low'}"
    mend = f"Number them from {int(min(names))}, as the data set does"
    return [Problem(where, f"frames {min(names)} to {max(names)}", got, mend)]
