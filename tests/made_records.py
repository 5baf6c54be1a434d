"""Records made by hand, with the measures of a table of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vipbench import papers
from vipbench.records import Provenance, Record, Score

VERSIONS = {"vip": "2018", "davis": "2016 480p"}
DAVIS_VAL = [f"sequence{i:02}" for i in range(20)]


def made(
    method: str,
    number: int = 1,
    dataset: str = "synth",
    split: str = "test",
    videos: Sequence[str] = ("walk", "cross"),
    value: float = 0.5,
    options: dict[str, str] | None = None,
    created: str = "2026-01-02T03:04:05+00:00",
    version: str | None = None,
    truth: str = "d" * 64,
    **timing: Any,
) -> Record:
    """A Record whose k-th measure of table `number` is value + k/1000, and of each video `value`."""
    table = papers.table(number)
    labels = [c.measure for c in table.columns if c.measure]
    scores = [Score(label, "all", value + k / 1000, len(videos)) for k, label in enumerate(labels)]
    scores += [Score(label, video, value, 1) for label in labels for video in videos]
    device = {"platform": "Linux", "python": "3.11", "cpu": "a processor"}
    return Record(
        method=method,
        options=options or {},
        dataset=dataset,
        split=split,
        protocols={table.protocol: labels},
        scores=tuple(scores),
        timing={"frames": 10, "stages": {}, **timing} if timing else None,
        provenance=Provenance(
            version="0.1.0",
            git="0123abcd",
            command=f"vipbench score preds/{method}",
            created=created,
            dataset_version=version or VERSIONS.get(dataset, "1"),
            dataset_hash=truth,
            prediction_hash="e" * 64,
            device=device,
            layout="vip",
            warnings=("warning: walk: expected 10 frames, got 9.",),
            run={
                "method": method,
                "options": {},
                "about": "preset tiny, w.safetensors",
                "device": {**device, "torch": "cpu"},
            },
        ),
    )
