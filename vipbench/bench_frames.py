"""The frames that `vipbench bench` measures on: a rendered video, or videos of a data set."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vipbench import registry
from vipbench.bench import Place
from vipbench.datasets.synth_write import write_clip
from vipbench.errors import UserError
from vipbench.reproduce import EMBEDDED, make_embedded
from vipbench.specs import DEFAULT_ROOTS, DatasetSpec, select, split_of

TASKS = {"vip": ("vip", "VIP"), "davis": ("davis", "DAVIS")}
"""Task -> the data set that reads a rendered video, and its folder below the root."""


@contextmanager
def rendered(task: str, size: tuple[int, int], frames: int, options: Mapping[str, str]) -> Iterator[Place]:
    """A new video of walking people, as `synth` has them, deleted at the end of the block.

    task: vip or davis. size: (height, width) of the frames. Raises UserError as `write_clip`.
    """
    name, folder = TASKS[task]
    with tempfile.TemporaryDirectory(prefix="vipbench-bench-") as root:
        write_clip(Path(root), size, frames)
        data = DatasetSpec(name, Path(root) / folder)
        about = f"{frames} rendered frames of {size[0]}x{size[1]}, task {task}"
        embedded = EMBEDDED[0] if task == "vip" else EMBEDDED[1]
        yield Place(data, tuple(data.open().videos("val")), embedded, about, options)


def chosen(
    name: str,
    root: Path | None,
    split: str | None,
    sequences: tuple[str, ...] | None,
    options: Mapping[str, str],
    progress: Callable[[str, int, int], None],
) -> Place:
    """Videos of a data set, by default the first one; the embedded data set is made where it is missing.

    Raises UserError for unknown names and for a video that is not annotated in every frame: methods may look
    at frames that they do not yield, and a gap ends a segment.
    """
    factory = registry.load("datasets", name)
    if name in EMBEDDED and root is None:
        root = Path(os.environ.get(factory.env) or DEFAULT_ROOTS[factory.env])
        make_embedded(root, split or factory.splits[0], progress)
    data = DatasetSpec.of(name, root)
    dataset = data.open()
    split = split_of(dataset, split)
    videos = select(dataset, split, sequences)[: None if sequences else 1]
    for video in videos:
        length = video.frames[-1].index - video.frames[0].index + 1
        if len(video.annotated) < length:
            raise UserError(
                f"{name} {split}: {video.id} is annotated in {len(video.annotated)} of {length} frames, "
                "which tells no speed. Name another one by --sequences, or leave out --dataset"
            )
    named = ", ".join(video.id for video in videos)
    return Place(data, tuple(videos), name, f"{name} {split}, {named}", options)
