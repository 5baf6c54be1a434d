"""Prediction folder x measures -> Record.

Per video: ground truth and prediction, frame by frame, into the states of every measure. States are kept in
a cache under the hash of all that they depend on; merged in data-set order they give the same numbers to the
bit, however the videos were distributed over processes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from vipbench import provenance, registry
from vipbench.check import check
from vipbench.checking import in_order
from vipbench.errors import gathered, raise_first
from vipbench.finish import finish, labels
from vipbench.folders import open_folder
from vipbench.metrics.protocols import unscored
from vipbench.origin import origin
from vipbench.parallel import each
from vipbench.records import Provenance, Record
from vipbench.specs import DatasetSpec, select
from vipbench.states import Scored, VideoWork
from vipbench.types import Dataset, Video
from vipbench.version import __version__
from vipbench.wanted import protocols

Progress = Callable[[str, int, int], None]
"""Called with what is being done ("check", then videos), how much is, and of how much."""


def score(
    root: Path,
    data: DatasetSpec,
    split: str,
    sequences: tuple[str, ...] | None = None,
    jobs: int = 1,
    cache: Path | None = None,
    method: str | None = None,
    strict_frames: bool = False,
    progress: Progress | None = None,
    asked: Sequence[str] = (),
) -> Record:
    """Score the prediction folder `root` by the protocols of its data set, or by those asked for.

    A frame without a prediction scores as an empty one and is listed in the Record's warnings. cache: a
    folder for the states of single videos, None for no cache. method: its name in the Record, by default what
    `run` noted of files that are still the same, else the folder's name. asked: see `wanted.protocols`.
    Raises UserError for a faulty folder.
    """
    dataset = data.open()
    videos = select(dataset, split, sequences)
    groups = protocols(dataset, asked)
    known = {str(measure): measure for measures in groups.values() for measure in measures}
    counting = partial(unscored, known.values())
    folder = open_folder(root, dataset.layers)
    listed = in_order(check(folder, dataset, split, sequences, strict_frames, counting, contents=False))
    raise_first(listed)
    results = _observe(VideoWork(data, root, tuple(known.values()), cache), videos, jobs, progress)
    problems = in_order([*listed, *(p for result in results for p in gathered(result.problems))])
    raise_first(problems)
    finished, notes = finish(known, results, videos)
    made = origin(root, videos)
    return Record(
        method=made.method if method is None else method,
        options=made.options if method is None else {},
        dataset=dataset.name,
        split=split,
        protocols=labels(groups, finished),
        scores=tuple(chain.from_iterable(finished.values())),
        timing=made.timing,
        provenance=_provenance(
            dataset, folder.name, results, (*map(str, problems), *made.warnings, *notes), made.run
        ),
        states={text: {result.video: result.states[text] for result in results} for text in known},
    )


def _provenance(
    dataset: Dataset, layout: str, results: list[Scored], notes: tuple[str, ...], run: dict[str, Any] | None
) -> Provenance:
    return Provenance(
        version=__version__,
        git=provenance.git_commit(),
        command=provenance.command(),
        created=provenance.now(),
        dataset_version=dataset.version,
        dataset_hash=_joined(f"{result.video} {result.truth}" for result in results),
        prediction_hash=_joined(f"{result.video} {result.prediction}" for result in results),
        device=provenance.device(),
        layout=layout,
        warnings=notes,
        run=run,
    )


def _observe(work: VideoWork, videos: list[Video], jobs: int, progress: Progress | None) -> list[Scored]:
    """The states of all videos, in data-set order."""
    scored: dict[str, Scored] = {}
    for result in each(work, videos, jobs):
        scored[result.video] = result
        if progress is not None:
            progress(result.video, len(scored), len(videos))
    return [scored[video.id] for video in videos]


def file_name(
    record: Record, data: DatasetSpec, sequences: tuple[str, ...] | None, asked: Sequence[str] = ()
) -> str:
    """The Record's usual file name, <method>.<dataset>.<split>.json.

    For some of the videos, or for what was asked for in place of the data set's protocols, another.
    """
    part = "" if sequences is None else f".{len(sequences)}-{_joined(sorted(sequences))[:8]}"
    part += "".join(f".{re.sub('[^a-zA-Z0-9.=-]+', '_', text).strip('_')}" for text in asked)
    return f"{registry.label(record.method, record.options)}.{data.label}.{record.split}{part}.json"


def _joined(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
