"""Run davis2017-evaluation on the made cases, in its own interpreter, and print its figures as JSON.

    python tests/metrics/davis2017_cases.py ROOT
    PYTHONPATH=.../davis2017-evaluation python tests/metrics/davis2017_reference.py ROOT

Per task: of each object, as the reference names it, [mean, recall, decay] of J and of F; "all" is the mean
over the objects as evaluation_method.py takes it. "series": `db_statistics` of made series of a length.
"""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

TASKS = ("semi-supervised", "unsupervised")
LENGTHS = (1, 2, 3, 5, 8, 48, 127, 255, 257, 300, 400, 500, 1500)


def figures(root: Path, task: str) -> dict[str, Any]:
    """{"J" or "F": {object or "all": [mean, recall, decay]}} of one task."""
    from davis2017.evaluation import DAVISEvaluation

    found = DAVISEvaluation(str(root / "DAVIS"), task, "val").evaluate(str(root / task))
    return {name: {"all": _means(found[name]), **_objects(found[name])} for name in ("J", "F")}


def _objects(found: dict[str, Any]) -> dict[str, list[float]]:
    columns = zip(found["M"], found["R"], found["D"], strict=True)
    rows = ([float(value) for value in row] for row in columns)
    return dict(zip(found["M_per_object"], rows, strict=True))


def _means(found: dict[str, Any]) -> list[float]:
    return [float(np.mean(found[key])) for key in ("M", "R", "D")]


def series(n: int) -> np.ndarray:
    """A series of n values that falls by about 1."""
    return 1 - np.arange(n) / n + (np.arange(n) * 37 % 101 - 50) / 400


def statistics(n: int) -> list[float | None]:
    """[mean, recall, decay] of a made series, NaN as None."""
    from davis2017.utils import db_statistics

    values = map(float, db_statistics(series(n)))
    return [None if math.isnan(value) else value for value in values]


if __name__ == "__main__":
    made = Path(sys.argv[1])
    golden: dict[str, Any] = {"digest": (made / "digest.txt").read_text()}
    golden |= {task: figures(made, task) for task in TASKS}
    golden["series"] = {str(n): statistics(n) for n in LENGTHS}
    text = json.dumps(golden, indent=1)
    print(re.sub(r"\[\s+(.*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text, flags=re.DOTALL))
