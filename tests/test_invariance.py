"""The same scores, bit for bit, whatever processor, number of processes or order of files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vipbench.scorer import score
from vipbench.specs import DatasetSpec
from vipbench.states import Scored, VideoWork
from vipbench.types import Video
from vipbench.wanted import protocols

SCORE = """
import sys
from pathlib import Path
from vipbench.scorer import score
from vipbench.specs import DatasetSpec
name, root, preds = sys.argv[1:]
for score in score(Path(preds), DatasetSpec.of(name, Path(root)), "val", jobs=1).scores:
    print(score.measure, score.scope, score.value.hex(), score.n)
"""


def scored(name: str, root: Path, preds: Path, **env: str) -> str:
    command = [sys.executable, "-c", SCORE, name, str(root), str(preds)]
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def tied(vip_preds: Path) -> Path:
    """Every score the same: the order of ties decides."""
    for path in vip_preds.glob("*/instance_part/*.txt"):
        path.write_text("".join(f"{line.split()[0]} 0.5\n" for line in path.read_text().splitlines()))
    return vip_preds


def test_of_simd(davis_root: Path, davis_preds: Path, vip_root: Path, tied: Path) -> None:
    """NumPy picks its loops by the processor, and orders ties by them when it sorts."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    off = " ".join(feature for feature in __cpu_dispatch__ if __cpu_features__.get(feature))
    for name, root, preds in (("davis", davis_root, davis_preds), ("vip", vip_root, tied)):
        usual = scored(name, root, preds)
        assert len(usual.splitlines()) > 20
        assert scored(name, root, preds, NPY_DISABLE_CPU_FEATURES=off) == usual


def test_of_the_kernels(davis_root: Path, davis_preds: Path, vip_root: Path, tied: Path) -> None:
    for name, root, preds in (("davis", davis_root, davis_preds), ("vip", vip_root, tied)):
        assert scored(name, root, preds, VIPBENCH_NATIVE="0") == scored(name, root, preds)


def test_of_threads(davis_root: Path, davis_preds: Path) -> None:
    """The kernels let other threads run; eight at a time score what one does."""
    data = DatasetSpec.of("davis", davis_root)
    dataset = data.open()
    known = tuple(measure for measures in protocols(dataset).values() for measure in measures)
    videos = [*dataset.videos("val")] * 16

    def scored_alone(video: Video) -> Scored:
        return VideoWork(data, davis_preds, known, None)(video)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(scored_alone, videos)) == [scored_alone(video) for video in videos]


def test_of_processes_and_of_the_order_of_files(
    vip_root: Path, tied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DatasetSpec.of("vip", vip_root)
    usual = score(tied, data, "val")
    assert score(tied, data, "val", jobs=2).scores == usual.scores
    iterdir = Path.iterdir

    def backwards(path: Path) -> Iterator[Path]:
        return iter(sorted(iterdir(path), reverse=True))

    monkeypatch.setattr(Path, "iterdir", backwards)
    assert score(tied, data, "val").scores == usual.scores
