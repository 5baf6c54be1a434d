"""Run Parsing-R-CNN's evaluation of persons on frames, without files.

    python tests/metrics/parsing_rcnn_reference.py Parsing-R-CNN/utils/data/evaluation

It needs types that numpy 2 no longer has, and of its imports an index of annotations and a reader of gray
images: these are given to it, of the frames in memory.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from person_cases import Array, pairs

from vipbench.metrics.measure import Pair
from vipbench.types import Parsing, Segment, SegmentMap

THRESHOLD = 0.001
NUMPY = {"int": int, "float": float}


def person_map(parsing: Parsing, person: int) -> Array:
    """The class of each pixel of one person, uint8, 0 elsewhere."""
    part = parsing.layer("part")
    classes = np.zeros(65536, np.uint8)
    for segment in part.segments:
        if segment.human == person:
            classes[segment.id] = segment.category
    return classes[part.ids]


class Annotations:
    """What the reference asks of pycocotools' COCO; annotation ids are the names of the maps."""

    def __init__(self, made: Sequence[Pair]) -> None:
        self.images = [
            [f"{image}-{s.id}" for s in one.gt.layer("human").segments] for image, one in enumerate(made)
        ]
        self.maps = {
            f"{image}-{s.id}": person_map(one.gt, s.id)
            for image, one in enumerate(made)
            for s in one.gt.layer("human").segments
        }

    def getImgIds(self) -> list[int]:  # noqa: N802
        return list(range(len(self.images)))

    def getAnnIds(self, imgIds: int, iscrowd: None) -> list[str]:  # noqa: N802
        return self.images[imgIds]

    def loadAnns(self, names: list[str]) -> list[dict[str, str]]:  # noqa: N802
        return [{"parsing": name} for name in names]


def script(evaluation: Path, known: Annotations) -> ModuleType:
    """The reference's module, whose ground truth is in `known`."""
    spec = importlib.util.spec_from_file_location("parsing_eval", evaluation / "parsing_eval.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    stubs = {
        "cv2": SimpleNamespace(imread=lambda path, _: known.maps[Path(path).name]),
        "tqdm": SimpleNamespace(tqdm=None, trange=lambda n, desc: range(n)),
        "pycocotools": SimpleNamespace(),
        "pycocotools.coco": SimpleNamespace(COCO=lambda _: known),
        "utils": SimpleNamespace(),
        "utils.misc": SimpleNamespace(logging_rank=print),
    }
    with patch.dict(sys.modules, stubs):  # type: ignore[arg-type]
        spec.loader.exec_module(module)
    return module


def reference(evaluation: Path, made: Sequence[Pair], threshold: float = THRESHOLD) -> dict[str, list[float]]:
    """AP^p and PCP at t = .1 .. .9."""
    module = script(evaluation, Annotations(made))
    people = [one.pred.layer("human").segments for one in made]
    maps = [[person_map(one.pred, s.id) for s in own] for one, own in zip(made, people, strict=True)]
    scores = [[s.score for s in own] for own in people]
    with patch.multiple(np, create=True, **NUMPY), np.errstate(all="ignore"):
        aps, pcps = module.eval_parsing_ap(maps, scores, threshold, "img", "", 20)
    return {"APp": [float(ap) for ap in aps], "PCP": [float(pcp) for pcp in pcps]}


def cases() -> list[Pair]:
    """Made frames, half of them nearly right.

    Three of the detections score below the threshold, and a true person has no part.
    """
    worse = [replace(one, video="worse") for one in pairs(6, 1, 12, most=5, wrong=0.6)]
    first, *rest = [*pairs(5, 2, 6, most=5, wrong=0.1), *worse]
    low = [_rescored(one, k / 10000) for k, one in enumerate(rest[:3], 1)]
    return [_bare(first), *low, *rest[3:]]


def _rescored(one: Pair, score: float) -> Pair:
    human = one.pred.layer("human")
    first = Segment(1, score=score)
    pred = replace(one.pred, human=SegmentMap(human.ids, (first, *human.segments[1:])))
    return replace(one, pred=pred)


def _bare(one: Pair) -> Pair:
    part = one.gt.layer("part")
    kept = [s for s in part.segments if s.human != 1]
    ids = np.where(np.isin(part.ids, [s.id for s in kept]), part.ids, 0).astype(np.uint16)
    return replace(one, gt=replace(one.gt, part=SegmentMap(ids, tuple(kept))))


def main(evaluation: Path) -> dict[str, Any]:
    """With the reference's threshold of the scores, and with none."""
    return {
        "scores=>=0.001": reference(evaluation, cases()),
        "scores=all": reference(evaluation, cases(), 0.0),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])), indent=1))
