"""Everything wrong with a prediction folder, at once: format faults, missing frames, what is too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from vipbench.errors import Problem, ProblemError, gathered
from vipbench.folders import Folder
from vipbench.folders.base import MOST_OBJECTS, files_in, some
from vipbench.instances import strangers
from vipbench.pixels import probe
from vipbench.plausible import empty_truth, shifted, too_short, truth_itself
from vipbench.specs import select
from vipbench.types import Dataset, Frame, Video

ANY_ID = 65536


def check(
    folder: Folder,
    dataset: Dataset,
    split: str,
    sequences: tuple[str, ...] | None = None,
    strict_frames: bool = False,
    unscored: Callable[[int], set[int]] = lambda length: set(),
    contents: bool = True,
) -> list[Problem]:
    """The problems of a prediction folder for a split, or for the named videos of it alone.

    Missing frames (which score as empty) and extra frames or videos are warnings, errors with
    strict_frames; of the rest what can be scored all the same is a warning. unscored: the positions that no
    protocol scores in a video of so many annotated frames; they may be missing. contents: look into all
    files. Raises UserError for unknown sequences.
    """
    videos = select(dataset, split, sequences)
    known = {video.id for video in (dataset.videos(split) if sequences else videos)}
    present = folder.videos()
    foreign = _foreign(folder, dataset, split, known)
    if foreign:
        return foreign
    problems = _extra(f"{folder.root}", f"videos of {dataset.name} {split} alone", set(present) - known)
    if not getattr(folder, "sparse", False):
        problems += _missing_videos(folder, [video.id for video in videos if video.id not in present])
    here = [video for video in videos if video.id in present]
    problems += [problem for video in here for problem in _frames(folder, video, unscored)]
    problems = [replace(problem, warning=problem.warning and not strict_frames) for problem in problems]
    problems += [problem for video in videos for problem in too_short(video, unscored)]
    if contents:
        problems += [
            problem
            for video in videos
            for problem in doubts(folder if video.id in present else None, dataset, video)
        ]
        problems += [problem for video in here for problem in _faults(folder, dataset, video)]
    return problems


def doubts(folder: Folder | None, dataset: Dataset, video: Video) -> list[Problem]:
    """A ground truth that is empty, or given as its own prediction. folder: None without the video."""
    same = truth_itself(folder, dataset, [video]) if folder else []
    return same + empty_truth(dataset, video)


def _foreign(folder: Folder, dataset: Dataset, split: str, known: set[str]) -> list[Problem]:
    """A folder of another data set: another layout, or no video in common."""
    mend = "Pass this data set's predictions, or the --dataset and --split that these were made for"
    if set(folder.layers) != set(dataset.layers):
        got = f"a folder of another data set, in the layout {folder.name}"
        return [Problem(f"{folder.root}", f"predictions for {dataset.name} ({dataset.layout})", got, mend)]
    if getattr(folder, "sparse", False) and not folder.videos():
        mend = "Every frame scores as empty; see whether this is the right file"
        return [Problem(f"{folder.root}", "results", "none", mend, warning=True)]
    if not known.intersection(folder.videos()):
        expected = f"videos of {dataset.name} {split} ({some(sorted(known))})"
        got = f"a folder of another data set or split, with {some(folder.videos())}"
        return [Problem(f"{folder.root}", expected, got, mend)]
    return []


def _missing_videos(folder: Folder, missing: list[str]) -> list[Problem]:
    mend = "Its frames score as empty; predict it, or leave it out by --sequences"
    return [
        Problem(f"{folder.root / video}", "predictions for this video", "none", mend, warning=True)
        for video in missing
    ]


def _frames(folder: Folder, video: Video, unscored: Callable[[int], set[int]]) -> list[Problem]:
    """Scored frames that have no prediction, and predictions that no annotated frame asks for."""
    names = [frame.name for frame in video.annotated]
    where, present = f"{folder.root / video.id}", set(folder.frames(video.id))
    free = unscored(len(names))
    scored = [name for position, name in enumerate(names) if position not in free]
    missing = [name for name in scored if name not in present]
    problems = _extra(where, f"frames named as in the data set ({some(names)}) alone", present - set(names))
    if shifted(where, names, present):
        return shifted(where, names, present)
    if missing and not present.intersection(names):
        files = some(sorted(present) or files_in(folder.root / video.id))
        got = f"none of them, but {files or 'an empty folder'}"
        return [Problem(where, f"frames named {some(names)}", got, "Name them as in the data set")]
    if missing:
        got = f"{len(missing)} missing: {some(missing)}"
        mend = "They score as empty; predict them"
        problems.append(Problem(where, f"{len(scored)} scored frames", got, mend, warning=True))
    return problems


def _extra(where: str, expected: str, extra: set[str]) -> list[Problem]:
    if not extra:
        return []
    got = f"{len(extra)} more: {some(sorted(extra))}"
    return [Problem(where, expected, got, "They are not scored; remove or rename them", warning=True)]


def _faults(folder: Folder, dataset: Dataset, video: Video) -> list[Problem]:
    """The format faults of the annotated frames that have a prediction."""
    present = set(folder.frames(video.id))
    frames = [frame for frame in video.annotated if frame.name in present]
    classes = classes_of(dataset, video)
    problems: list[Problem] = []
    for frame in frames:
        found, faults = folder.examine(frame, _size(dataset, frame), classes)
        problems += faults
        if found is not None and found.instances is not None:
            problems += strangers(f"{folder.root}: image {frame.name}", dataset.read(frame), found)
    return gathered(problems)


def classes_of(dataset: Dataset, video: Video) -> int:
    """What ids must be below.

    DAVIS 2017 knows the objects of the first frame, and without supervision takes that many proposals; 2016
    takes any nonzero id.
    """
    if "object" not in dataset.layers:
        return len(dataset.classes)
    if "davis2017-unsup" in dataset.protocols:
        return MOST_OBJECTS + 1
    if "davis2017-semi" not in dataset.protocols:
        return ANY_ID
    objects = dataset.read(video.annotated[0]).layer("object").segments
    return 1 + max((segment.id for segment in objects), default=0)


def _size(dataset: Dataset, frame: Frame) -> tuple[int, int]:
    """(height, width) of a frame: its ground truth's, or its image's where that is not public."""
    try:
        return dataset.read(frame).size
    except ProblemError:
        if not frame.image.is_file():
            raise
        return probe(frame.image)[1]
