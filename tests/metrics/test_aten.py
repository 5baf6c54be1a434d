"""Protocol vip-paper equals the released evaluation of ATEN to the last digit that it prints.

On frames without what it leaves undefined: equal scores, classes that are only predicted, missing frames,
other sizes. golden/aten.json holds what HCPLab-SYSU/ATEN evaluate/ of 2024-01-30 gives, made by

    python tests/metrics/aten_reference.py ATEN/evaluate $VIPBENCH_TEST_DATA > tests/metrics/golden/aten.json

with Python 3.11, numpy 2 and Pillow. "made": 160 frames of person_cases.py with 6,438 part instances and 635
persons. "photo": six wrong copies of a photograph's maps. "stray": the same with classes it does not have.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aten_reference import photo, released, write
from pairs import numbers, observed
from peers import peer
from person_cases import SIZE, pairs

from vipbench.folders import VipFolder
from vipbench.metrics.ap import APr, APrVol
from vipbench.metrics.boxes import APb
from vipbench.metrics.measure import Measure, MeasureWarning, Pair
from vipbench.metrics.protocols import PROTOCOLS
from vipbench.parts import CLASSES
from vipbench.types import Parsing

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden/aten.json").read_text())


@pytest.fixture(scope="module")
def made() -> list[Pair]:
    return pairs(7, videos=4, frames=40)


def same(theirs: dict[str, Any], made: Sequence[Pair], measures: Sequence[Measure]) -> None:
    """Each number of ours, printed as theirs, is theirs; of single classes to the last bit."""
    for measure in measures:
        ours = list(numbers(measure, made).values())
        if isinstance(measure, APrVol):
            np.testing.assert_array_equal(by_class(measure, made), theirs["APr_vol"])
        elif isinstance(measure, APr):
            assert [*(f"{value:f}" for value in ours[:-1]), repr(ours[-1])] == theirs[measure.name]
        else:
            assert [repr(value) for value in ours] == theirs[measure.name]


def by_class(measure: APrVol, made: Sequence[Pair]) -> list[list[float]]:
    values = measure.finish(observed(measure, made), list(dict.fromkeys(one.video for one in made)))
    found = {(v.scope, v.key): v.value for v in values}
    return [[found[f"class:{name}", key] for key in measure.keys[:-1]] for name in CLASSES[1:]]


@pytest.mark.parametrize("protocol", ["vip-paper", "vip-paper-compat"])
def test_made_frames(made: list[Pair], protocol: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(GOLDEN["made"], made, [*PROTOCOLS[protocol], APb()])


def test_the_mean_over_classes_is_that_of_the_released_matrix(made: list[Pair]) -> None:
    """As its last line is: numpy's mean over the classes, then over the thresholds."""
    means = np.mean(np.array(GOLDEN["made"]["APr_vol"]), axis=0)
    assert list(numbers(APrVol(), made).values()) == pytest.approx([*means, np.mean(means)], abs=1e-15)


def test_a_photograph(test_data: Path) -> None:
    same(GOLDEN["photo"], photo(test_data), PROTOCOLS["vip-paper"])


def test_a_photograph_with_stray_classes(test_data: Path) -> None:
    """NaN as released in vip-paper-compat; 0, and said so, in vip-paper."""
    made = photo(test_data, stray=True)
    same(GOLDEN["stray"], made, PROTOCOLS["vip-paper-compat"])
    means = np.mean(np.array(GOLDEN["stray"]["APr_vol"]), axis=0)
    compat = PROTOCOLS["vip-paper-compat"][5]
    np.testing.assert_array_equal(list(numbers(compat, made).values()), [*means, np.mean(means)])
    assert np.isnan(means).all()
    with pytest.warns(MeasureWarning, match="detections but no ground truth of hat"):
        paper = numbers(APrVol(), made)["0.5"]
    assert paper == pytest.approx(np.nansum(np.array(GOLDEN["stray"]["APr_vol"])[:, 4]) / 19)


def test_side_by_side(tmp_path: Path) -> None:
    """Both on the same files; the last frame's are missing, which the released scripts do not notice."""
    evaluate = peer("ATEN/evaluate")
    *made, last = pairs(11, videos=2, frames=8)
    write(tmp_path, made)
    folder = VipFolder(tmp_path / "results")
    read = [
        Pair(one.video, one.frame, one.position, one.last, one.gt, folder.read(one.video, one.frame))
        for one in made
    ]
    nothing = Parsing.empty(SIZE, ("category", "human", "part"))
    read.append(Pair(last.video, last.frame, last.position, True, last.gt, nothing, missing=True))
    same(released(evaluate, tmp_path, made), read, PROTOCOLS["vip-paper-compat"])
