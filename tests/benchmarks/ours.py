"""What is measured of ours, one process, no cache of states: `python ours.py TASK FOLDER ROUNDS`.

The folders are those of make_multi.py and make_persons.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clock

from vipbench.datasets.vip import Vip
from vipbench.folders import open_folder
from vipbench.metrics.ap import APr, APrVol
from vipbench.metrics.measure import Measure, Pair, label
from vipbench.metrics.miou import MeanIoU
from vipbench.pixels import read_ids
from vipbench.records import Record
from vipbench.rows import read_rows
from vipbench.scorer import score
from vipbench.specs import DatasetSpec
from vipbench.types import Frame, Parsing, Segment, SegmentMap


def davis(root: Path, task: str, jobs: int = 1) -> clock.Values:
    """`vipbench score` of several objects: mean J and F of each and of the set."""
    data = DatasetSpec("davis", root / "DAVIS", {"year": "2017", "task": task})
    record = score(root / "preds", data, "val", jobs=jobs, cache=None)
    return dict(_means(record))


def _means(record: Record) -> Iterator[tuple[str, float]]:
    for found in record.scores:
        name, _, rest = found.measure.partition(".")
        if rest.startswith("mean(") and (found.scope == "all" or "#" in found.scope):
            yield f"{name.removesuffix('_unsup')}.{found.scope.replace('#', '_')}", found.value


def vip(root: Path) -> clock.Values:
    """`vipbench score` of persons: mIoU, AP^r of persons, AP^r_vol of parts, under both protocols."""
    record = score(root / "preds", DatasetSpec("vip", root / "VIP"), "val", cache=None)
    wanted = {"mIoU": label(MeanIoU(), ""), "APr_vol": label(APrVol(), "0.1:0.9")}
    wanted["APr"] = label(APr(), "0.5:0.95")
    return {name: record.value(text) or 0.0 for name, text in wanted.items()}


def apr(root: Path) -> clock.Values:
    """AP^r_vol alone: the part maps and their lists, and no other file."""
    return {"APr_vol": _alone(root, APrVol(), "0.1:0.9")}


def miou(root: Path) -> clock.Values:
    """Mean IoU alone: the class maps and no other file."""
    return {"mIoU": _alone(root, MeanIoU(), "")}


def _alone(root: Path, measure: Measure, key: str) -> float:
    dataset = Vip(root / "VIP")
    read, state = {"part": _parts, "category": _classes}[measure.layer], measure.empty()
    videos = dataset.videos("val")
    for video in videos:
        for t, frame in enumerate(video.annotated):
            gt, pred = read(dataset, root / "preds", frame)
            last = t == len(video.annotated) - 1
            state = state.merge(measure.observe(Pair(video.id, frame.name, t, last, gt, pred)))
    values = measure.finish(state, [video.id for video in videos])
    return next(value.value for value in values if (value.key, value.scope) == (key, "all"))


def _classes(dataset: Vip, preds: Path, frame: Frame) -> tuple[Parsing, Parsing]:
    path = preds / frame.video / f"gray/global_{frame.name}.png"
    gt, pred = dataset.ids("Category_ids", frame), read_ids(path)
    return Parsing(category=SegmentMap(gt)), Parsing(category=SegmentMap(pred))


def _parts(dataset: Vip, preds: Path, frame: Frame) -> tuple[Parsing, Parsing]:
    path = preds / frame.video / f"instance_part/{frame.name}.png"
    rows = read_rows(path.with_suffix(".txt"), "%d %f")
    segments = tuple(Segment(i, int(row[0]), score=row[1]) for i, row in enumerate(rows, 1))
    gt = SegmentMap(dataset.ids("Instance_ids", frame), dataset.parts(frame))
    return Parsing(part=gt), Parsing(part=SegmentMap(read_ids(path), segments))


def reader(root: Path) -> clock.Values:
    """Reading every label PNG below a folder, and nothing else."""
    pixels = sum(read_ids(path).size for path in sorted(root.rglob("*.png")))
    return {"pixels": float(pixels)}


def maps(root: Path) -> clock.Values:
    """Reading as any score must: data set and folder open, every label map with its runs and objects."""
    dataset = DatasetSpec("davis", root / "DAVIS", {"year": "2017", "task": "semi-supervised"}).open()
    folder = open_folder(root / "preds", dataset.layers)
    frames = [frame for video in dataset.videos("val") for frame in video.annotated]
    for frame in frames:
        dataset.read(frame)
        folder.read(frame.video, frame.name)
    return {"frames": float(len(frames))}


TASKS: clock.Tasks = {
    "semi": lambda root: davis(root, "semi-supervised"),
    "unsup": lambda root: davis(root, "unsupervised"),
    "vip": vip,
    "apr": apr,
    "miou": miou,
    "reader": reader,
    "maps": maps,
}

if __name__ == "__main__":
    clock.main(TASKS, warm_up=True)
