"""What of a run's time tells the method's speed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vipbench.runner import run
from vipbench.runstate import hash_files
from vipbench.scorer import score
from vipbench.specs import DatasetSpec, MethodSpec
from vipbench.timing import Stopwatch, steady

SEGMENTS = '''
"""Calls a log of its work: 3 frames a segment, of which the first takes all the time."""
import time
from pathlib import Path
import numpy as np
from vipbench.timing import stage
from vipbench.types import Parsing, SegmentMap

class Segments:
    name = "segments"

    def __init__(self, dataset, period: int = 3, margin: int = 0, seconds: float = 0.02):
        self.seconds, self.calls = seconds, 0
        if period:
            self.period = period
        self.margin = margin

    def predict(self, video):
        for i, frame in enumerate(video.annotated):
            self.calls += 1
            Path(__file__).with_name("calls.txt").write_text(str(self.calls))
            if i % 3 == 0:
                with stage("features"):
                    time.sleep(self.seconds + (1 if self.calls == 1 else 0) * 0.3)
            yield frame, Parsing(object=SegmentMap.of(np.ones((12, 16), np.uint16)))
'''


@pytest.fixture
def method(tmp_path: Path) -> str:
    path = tmp_path / "segments.py"
    path.write_text(SEGMENTS)
    return f"{path}:Segments"


@pytest.fixture
def data(davis_root: Path) -> DatasetSpec:
    return DatasetSpec.of("davis", davis_root)


@given(st.integers(0, 60), st.integers(0, 12), st.integers(1, 12))
def test_whole_periods_between_the_margins(frames: int, margin: int, period: int) -> None:
    first, end = steady(frames, margin, period)
    assert (end - first) % period == 0
    if end:
        assert first == margin
        assert end <= frames - margin < end + period
    else:
        assert frames - 2 * margin < period


def test_a_reading_since_another() -> None:
    watch = Stopwatch()
    watch.add("heads", 1.0)
    earlier = watch.read()
    watch.add("heads", 0.5)
    watch.add("write", 2.0)
    assert watch.read().since(earlier).stages == {"heads": 0.5, "write": 2.0}
    assert earlier.stages == {"heads": 1.0}


def test_the_first_calls_and_a_cut_segment_do_not_count(
    method: str, data: DatasetSpec, tmp_path: Path
) -> None:
    """6 frames: periods of 4 leave two of them out, and the slow first call is in no figure."""
    done = run(MethodSpec(method, {"period": "4"}), data, "val", tmp_path / "out")
    assert [line.steady["frames"] for line in done] == [4, 4]
    for line in done:
        assert 0.04 <= line.steady["stages"]["features"] < 0.3
        assert line.steady["seconds"] <= line.seconds
    timing = score(tmp_path / "out", data, "val").timing
    assert timing is not None
    assert timing["frames"] == 8
    work = timing["seconds"] - timing["stages"]["write"]
    assert timing["fps"] == pytest.approx(8 / work)
    assert timing["fps_end_to_end"] == pytest.approx(8 / timing["seconds"])


@pytest.mark.parametrize(("period", "warm"), [("2", 4), ("4", 6), ("0", 0)])
def test_two_periods_are_a_warm_up(
    period: str, warm: int, method: str, data: DatasetSpec, tmp_path: Path
) -> None:
    """Once, and as far as the first video goes, which has 6 frames as has the other."""
    run(MethodSpec(method, {"period": period, "seconds": "0"}), data, "val", tmp_path / "out")
    assert int((tmp_path / "calls.txt").read_text()) == warm + 12


def test_a_method_without_a_period_is_asked_once(method: str, data: DatasetSpec, tmp_path: Path) -> None:
    (bee, ant) = run(MethodSpec(method, {"period": "0"}), data, "val", tmp_path / "out")
    assert bee.steady["stages"]["features"] > 0.3
    assert (bee.steady["frames"], ant.steady["frames"]) == (6, 6)


def test_no_speed_of_videos_that_are_all_ends(method: str, data: DatasetSpec, tmp_path: Path) -> None:
    done = run(MethodSpec(method, {"margin": "3"}), data, "val", tmp_path / "out")
    assert [line.steady["frames"] for line in done] == [0, 0]
    assert done[0].steady["seconds"] == 0
    timing = score(tmp_path / "out", data, "val").timing
    assert timing is not None
    assert "fps" not in timing


def test_a_run_that_noted_less_counts_every_frame(method: str, data: DatasetSpec, tmp_path: Path) -> None:
    run(MethodSpec(method), data, "val", tmp_path / "out")
    said = [
        {"video": video, "frames": 6, "sha256": hash_files(tmp_path / "out" / video), "seconds": 2.0}
        | {"timing": {"write": 0.5}}
        for video in ("bee", "ant")
    ]
    lines = "".join(json.dumps(line) + "\n" for line in said)
    (tmp_path / "out/.vipbench/done.jsonl").write_text(lines)
    timing = score(tmp_path / "out", data, "val").timing
    assert timing is not None
    assert (timing["frames"], timing["fps"], timing["fps_end_to_end"]) == (12, 4.0, 3.0)
