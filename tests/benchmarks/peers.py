"""The evaluations that ours is compared with, run as they are: `python peers.py TASK FOLDER ROUNDS`.

VIPBENCH_PEERS names the folder that holds davis2017-evaluation and ATEN; vos_benchmark, cv2 and scikit-image
are installed in the interpreter that runs this. OpenCV uses one thread.
"""

import os
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import clock
import cv2
import numpy as np

PEERS = Path(os.environ["VIPBENCH_PEERS"])
sys.path += [str(PEERS / "davis2017-evaluation"), str(PEERS / "ATEN/evaluate")]
cv2.setNumThreads(1)

import davis2017.evaluation  # noqa: E402
import skimage.morphology  # noqa: E402, F401  (f_measure imports it, and imports are not in the time)
import test_ap as aten_person  # noqa: E402
import test_inst_part_ap as aten_apr  # noqa: E402
import test_parsing as aten_miou  # noqa: E402
import vos_benchmark.benchmark  # noqa: E402


def davis(root: Path, task: str) -> clock.Values:
    """Mean J and F of each object and of the set."""
    found = davis2017.evaluation.DAVISEvaluation(str(root / "DAVIS"), task, "val").evaluate(
        str(root / "preds")
    )
    values = {f"{name}.all": float(np.mean(found[name]["M"])) for name in ("J", "F")}
    for name in ("J", "F"):
        values |= {f"{name}.{obj}": float(mean) for obj, mean in found[name]["M_per_object"].items()}
    return values


def vos(root: Path) -> clock.Values:
    """The same by vos-benchmark, which has percent; it writes into the folder that it scores."""
    with tempfile.TemporaryDirectory() as folder:
        for video in (root / "preds").iterdir():
            (Path(folder) / video.name).symlink_to(video)
        means = vos_benchmark.benchmark.benchmark(
            [str(root / "DAVIS/Annotations/480p")], [folder], num_processes=1
        )
    j, f, objects = means[1][0], means[2][0], means[3][0]
    values = {"J.all": j / 100, "F.all": f / 100}
    for video, found in objects.items():
        for name, of_object in zip(("J", "F"), found, strict=True):
            values |= {f"{name}.{video}_{obj}": float(mean) / 100 for obj, mean in of_object.items()}
    return values


def apr(root: Path) -> clock.Values:
    """AP^r_vol, as the released script's main block computes it."""
    aten_apr.PREDICT_DIR = str(root / "preds")
    aten_apr.INST_PART_GT_DIR = str(root / "VIP/Instance_ids")
    images = [
        [video, name[: name.find(".")]]
        for video in os.listdir(aten_apr.PREDICT_DIR)
        for name in os.listdir(os.path.join(aten_apr.PREDICT_DIR, video, "instance_part"))
        if name[name.find(".") + 1 :] == "txt"
    ]
    rows = [aten_apr.compute_class_ap(images, c, aten_apr.IOU_THRE) for c in range(1, len(aten_apr.CLASSES))]
    return {"APr_vol": float(np.mean(np.mean(rows, axis=0)))}


def miou(root: Path) -> clock.Values:
    """Mean IoU, as the released script prints it."""
    aten_miou.PRE_DIR = str(root / "preds")
    aten_miou.GT_DIR = str(root / "VIP/Category_ids")
    hist: Any = aten_miou.compute_hist(*aten_miou.init_path())
    aten_miou.show_result(hist)
    correct = np.diag(hist)
    with np.errstate(invalid="ignore"):
        return {"mIoU": float(np.nanmean(correct / (hist.sum(1) + hist.sum(0) - correct)))}


def person(root: Path) -> clock.Values:
    """AP^r, which the released script only prints: the mean over thresholds."""
    aten_person.PREDICT_DIR = str(root / "preds")
    aten_person.GT_DIR = str(root / "VIP/Human_ids")
    images = [
        [video, name[name.find("_") + 1 : -4]]
        for video in os.listdir(aten_person.PREDICT_DIR)
        for name in os.listdir(os.path.join(aten_person.PREDICT_DIR, video, "gray"))
        if name[: name.find("_")] == "inst"
    ]
    with redirect_stdout(StringIO()) as printed:
        aten_person.compute_mask_ap(images, aten_person.MASK_IOU_THRE)
    return {"APr": float(printed.getvalue().split("averge mAP:")[1].split()[0])}


TASKS: clock.Tasks = {
    "semi": lambda root: davis(root, "semi-supervised"),
    "unsup": lambda root: davis(root, "unsupervised"),
    "vos": vos,
    "apr": apr,
    "miou": miou,
    "vip": lambda root: person(root) | apr(root) | miou(root),
}

if __name__ == "__main__":
    clock.main(TASKS, warm_up=False)
