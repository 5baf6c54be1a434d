"""Run the released evaluation of ATEN on frames, written in its layout.

    python tests/metrics/aten_reference.py ATEN/evaluate DATA > golden/aten.json

DATA is the folder of research data, for the frames "photo" and "stray"; what is stored are scores alone. What
the scripts need of cv2, reading a gray image, is given to them by Pillow.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from person_cases import pairs, parsing, predicted, rescored
from PIL import Image

from vipbench.folders import VipFolder
from vipbench.metrics.measure import Pair
from vipbench.pixels import read_ids, write_ids

NUMBER = r"(\d\S*)"


def write(root: Path, made: Sequence[Pair]) -> None:
    """Ground truth below root/VIP, predictions below root/results."""
    folder = VipFolder(root / "results")
    for one in made:
        folder.write(one.video, one.frame, one.pred)
        names = {"Category_ids": "category", "Human_ids": "human", "Instance_ids": "part"}
        for kind, layer in names.items():
            write_ids(
                root / "VIP" / kind / one.video / f"{one.frame}.png", one.gt.layer(layer).ids, colours=False
            )
        rows = "".join(f"{s.id} {s.category} {s.human}\n" for s in one.gt.layer("part").segments)
        (root / "VIP/Instance_ids" / one.video / f"{one.frame}.txt").write_text(rows)


def script(evaluate: Path, name: str) -> ModuleType:
    """A module of the released evaluation."""
    spec = importlib.util.spec_from_file_location(name, evaluate / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    cv2 = SimpleNamespace(imread=lambda path, _: np.array(Image.open(path)))
    with patch.dict(sys.modules, {"cv2": cv2}):
        spec.loader.exec_module(module)
    return module


def released(evaluate: Path, root: Path, made: Sequence[Pair]) -> dict[str, Any]:
    """What it prints, as text, of APr, APb and the confusion matrix; APr_vol as full doubles by class."""
    vip, results = root / "VIP", str(root / "results")
    listed = [[one.video, one.frame] for one in made]
    person, part, pixel = (script(evaluate, f"test_{name}") for name in ("ap", "inst_part_ap", "parsing"))
    vars(person).update(PREDICT_DIR=results, GT_DIR=str(vip / "Human_ids"))
    vars(part).update(PREDICT_DIR=results, INST_PART_GT_DIR=str(vip / "Instance_ids"))
    vars(pixel).update(PRE_DIR=results, GT_DIR=str(vip / "Category_ids"))
    found: dict[str, Any] = {}
    for name, of in (("APr", person.compute_mask_ap), ("APb", person.compute_bbox_ap)):
        text = _printed(lambda of=of: of(listed, person.MASK_IOU_THRE))
        found[name] = re.findall(rf"mAP:{NUMBER}", text) + re.findall(rf"averge mAP: {NUMBER}", text)
    text = _printed(pixel.main)
    names = {"pAcc": "overall accuracy", "mAcc": "mean accuracy", "mIoU": "mean IU", "fwIoU": "fwavacc"}
    found |= {ours: re.findall(rf"{theirs} {NUMBER}", text) for ours, theirs in names.items()}
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        found["APr_vol"] = [part.compute_class_ap(listed, c, part.IOU_THRE).tolist() for c in range(1, 20)]
    return found


def _printed(call: Any) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), np.errstate(all="ignore"):
        call()
    return out.getvalue()


def photo(data: Path, stray: bool = False) -> list[Pair]:
    """A published parser's maps of a photograph as ground truth, and six copies of them, a little wrong.

    stray: with detections of classes that are not in the ground truth.
    """
    names = ("global_human_parsing", "instance_human_mask")
    category, human = (read_ids(data / f"schp_triple/demo_{n}.png").astype(int) for n in names)
    rng = np.random.RandomState(1)
    classes = range(1, 20) if stray else np.unique(category[category > 0]).tolist()
    gt = parsing(human, category)
    frames = [parsing(*predicted(rng, human, category, classes)) for _ in range(6)]
    made = [Pair("demo", f"{t:012d}", t, t == 5, gt, pred) for t, pred in enumerate(frames)]
    return list(rescored(made, rng))


def main(evaluate: Path, data: Path) -> dict[str, Any]:
    """The released numbers of the three sets of frames."""
    frames = {
        "made": pairs(7, videos=4, frames=40),
        "photo": photo(data),
        "stray": photo(data, stray=True),
    }
    found = {}
    for name, made in frames.items():
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), made)
            found[name] = released(evaluate, Path(folder), made)
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2])), indent=1))
