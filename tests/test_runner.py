"""Runs: streaming, resumed after a kill to the byte, never half a video, one at a time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny import Cli, tree

from vipbench import runstate
from vipbench.errors import UserError
from vipbench.runner import run
from vipbench.specs import DatasetSpec, MethodSpec

SLOW = """
import time
from pathlib import Path
import numpy as np
from vipbench import Parsing, SegmentMap
from vipbench.timing import stage

class Slow:
    name = "slow"

    def __init__(self, dataset, seconds: float = 0.0, device: str = "cpu"):
        self.dataset, self.seconds, self.device = dataset, seconds, device

    def predict(self, video):
        for t, frame in enumerate(video.annotated):
            with stage("heads"):
                time.sleep(self.seconds)
            ids = np.full((12, 16), len(video.id) + t, np.uint16)
            yield frame, Parsing(object=SegmentMap.of(ids))
"""


@pytest.fixture
def slow(tmp_path: Path) -> str:
    (tmp_path / "slow.py").write_text(SLOW)
    return f"{tmp_path}/slow.py:Slow"


@pytest.fixture
def data(davis_root: Path) -> DatasetSpec:
    return DatasetSpec.of("davis", davis_root)


def wait_for(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def start(slow: str, root: Path, out: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vipbench", "run", "--method", slow, "--dataset", "davis"]
    command += ["--data", str(root), "--out", str(out), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_killed_in_the_middle_of_a_video_it_ends_with_the_same_bytes(
    tmp_path: Path, slow: str, davis_root: Path, jobs: str
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    words = ("-o", "seconds=0.15", "--jobs", jobs)
    assert start(slow, davis_root, whole, *words).wait() == 0
    process = start(slow, davis_root, killed, *words)
    unfinished = killed / ".vipbench/tmp"
    wait_for(lambda: (unfinished / "ant/00002.png").is_file())
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "ant").exists()
    again = start(slow, davis_root, killed, *words)
    _, messages = again.communicate()
    assert again.returncode == 0, messages.decode()
    assert tree(killed) == tree(whole)
    assert len(tree(whole)) == 12
    assert not unfinished.exists()


def test_finished_videos_are_kept_and_damaged_ones_made_again(
    tmp_path: Path, slow: str, data: DatasetSpec
) -> None:
    out = tmp_path / "out"
    run(MethodSpec(slow), data, "val", out)
    first = tree(out)
    kept = (out / "ant/00000.png").stat().st_mtime_ns
    (out / "bee/00003.png").write_bytes(b"damaged")
    (out / "bee/00009.png").write_bytes(b"too much")
    calls: list[tuple[str, int, int]] = []
    run(MethodSpec(slow), data, "val", out, progress=lambda *call: calls.append(call))
    assert tree(out) == first
    assert (out / "ant/00000.png").stat().st_mtime_ns == kept
    assert calls[0] == ("resumed", 6, 12)
    assert calls[-1] == ("bee", 12, 12)


def test_a_torn_line_does_not_count(tmp_path: Path, slow: str, data: DatasetSpec) -> None:
    out = tmp_path / "out"
    run(MethodSpec(slow), data, "val", out)
    first, path = tree(out), out / ".vipbench/done.jsonl"
    path.write_text(path.read_text()[:-40])
    videos = data.open().videos("val")
    assert list(runstate.finished(out, videos)) == ["bee"]
    run(MethodSpec(slow), data, "val", out)
    assert tree(out) == first
    assert list(runstate.finished(out, videos)) == ["bee", "ant"]


def test_changed_images_are_predicted_again(
    tmp_path: Path, slow: str, data: DatasetSpec, davis_root: Path
) -> None:
    out = tmp_path / "out"
    run(MethodSpec(slow), data, "val", out)
    photo = davis_root / "JPEGImages/480p/bee/00003.jpg"
    photo.write_bytes((davis_root / "JPEGImages/480p/bee/00000.jpg").read_bytes())
    calls: list[tuple[str, int, int]] = []
    run(MethodSpec(slow), data, "val", out, progress=lambda *call: calls.append(call))
    assert [call for call in calls if call[0] == "bee"]
    assert not [call for call in calls if call[0] == "ant"]


def test_data_of_another_root_do_not_mix(tmp_path: Path, data: DatasetSpec, davis_root: Path) -> None:
    """Same names, and labels that copy-first reads but nothing else tells apart."""
    out, other = tmp_path / "out", tmp_path / "other"
    run(MethodSpec("copy-first"), data, "val", out)
    shutil.copytree(davis_root, other)
    with pytest.raises(UserError, match=r"made with data '.*DAVIS', not '.*other'"):
        run(MethodSpec("copy-first"), DatasetSpec.of("davis", other), "val", out)


def test_jobs_give_the_same_bytes_and_lines(tmp_path: Path, slow: str, data: DatasetSpec) -> None:
    one = run(MethodSpec(slow), data, "val", tmp_path / "one")
    two = run(MethodSpec(slow), data, "val", tmp_path / "two", jobs=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert [(d.video, d.frames, d.sha256) for d in one] == [(d.video, d.frames, d.sha256) for d in two]
    assert [d.video for d in one] == ["bee", "ant"]


def test_stages_are_timed(tmp_path: Path, slow: str, data: DatasetSpec) -> None:
    method = MethodSpec(slow, {"seconds": "0.01"})
    done = run(method, data, "val", tmp_path / "out", sequences=("ant",))[0]
    assert done.timing["heads"] >= 0.06
    assert done.timing["write"] > 0
    assert done.seconds >= sum(done.timing.values())


def test_run_json_says_how_the_folder_was_made(tmp_path: Path, slow: str, data: DatasetSpec) -> None:
    run(MethodSpec(slow, {"device": "cpu"}), data, "val", tmp_path / "out")
    found = json.loads((tmp_path / "out/.vipbench/run.json").read_text())
    assert found["method"] == slow
    assert found["options"] == {"device": "cpu"}
    assert (found["dataset"], found["split"], found["dataset_version"]) == ("davis", "val", "2016 480p")
    assert found["device"]["torch"] == "cpu"


def test_two_runs_on_one_folder_are_one_too_many(tmp_path: Path, slow: str, davis_root: Path) -> None:
    out = tmp_path / "out"
    first = start(slow, davis_root, out, "-o", "seconds=30")
    try:
        wait_for(lambda: (out / ".vipbench/run.json").is_file())
        second = start(slow, davis_root, out, "-o", "seconds=30")
        _, messages = second.communicate()
        assert second.returncode == 1
        assert f"another run (process {first.pid}) works on it" in messages.decode()
    finally:
        first.kill()
        first.communicate()


def test_other_settings_do_not_mix(tmp_path: Path, slow: str, data: DatasetSpec) -> None:
    out = tmp_path / "out"
    run(MethodSpec(slow), data, "val", out)
    before = tree(out)
    with pytest.raises(UserError, match=r"made with options \{\}, not \{'seconds': '0.01'\}"):
        run(MethodSpec(slow, {"seconds": "0.01"}), data, "val", out)
    with pytest.raises(UserError, match="made with split 'val', not 'train'"):
        run(MethodSpec(slow), data, "train", out)
    assert tree(out) == before


def test_changed_code_does_not_resume(tmp_path: Path, slow: str, data: DatasetSpec) -> None:
    run(MethodSpec(slow), data, "val", tmp_path / "out")
    (tmp_path / "slow.py").write_text(SLOW + "\n# changed\n")
    with pytest.raises(UserError, match="made with other code or weights"):
        run(MethodSpec(slow), data, "val", tmp_path / "out")


def test_a_folder_of_others_is_left_alone(tmp_path: Path, data: DatasetSpec) -> None:
    out = tmp_path / "out"
    (out / "bee").mkdir(parents=True)
    (out / "bee/00000.png").write_bytes(b"mine")
    with pytest.raises(UserError, match="holds files that `run` did not make"):
        run(MethodSpec("empty"), data, "val", out)
    assert os.listdir(out) == ["bee"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return iter(())", "ended before frame 00000 of bee"),
        ("yield video.frames[1], make(12, 16)", "frame 00000 of bee is due, it yielded 00001"),
        (
            "yield from ((f, make(12, 15)) for f in video.frames)",
            r"layer 'object': expected the frame's size \(12, 16\)",
        ),
        (
            "yield from ((f, Parsing()) for f in video.frames)",
            "layer 'object': expected a SegmentMap, got None",
        ),
    ],
)
def test_methods_that_break_the_contract_are_named(
    tmp_path: Path, data: DatasetSpec, body: str, message: str
) -> None:
    (tmp_path / "bad.py").write_text(
        "from vipbench import Parsing\n"
        "def make(h, w):\n    return Parsing.empty((h, w), ('object',))\n"
        "class Bad:\n    def __init__(self, dataset):\n        pass\n"
        f"    def predict(self, video):\n        {body}\n"
    )
    with pytest.raises(UserError, match=message):
        run(MethodSpec(f"{tmp_path}/bad.py:Bad"), data, "val", tmp_path / "out")
    assert tree(tmp_path / "out") == {}


PLUGIN = """
from vipbench import Frame, Video
from vipbench.datasets.davis import Davis

class Odd(Davis):
    def videos(self, split):
        first = super().videos(split)[0].frames[0]
        frame = Frame({video!r}, {frame!r}, 0, first.image)
        return [Video({video!r}, split, (frame,))]
"""


@pytest.mark.parametrize(
    ("video", "frame"),
    [("../victim", "00000"), ("..", "00000"), ("bee", "../../victim/x"), (".vipbench", "0")],
)
def test_names_that_lead_out_of_the_folder_are_refused(
    tmp_path: Path, davis_root: Path, video: str, frame: str
) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/precious").write_text("")
    (tmp_path / "odd.py").write_text(PLUGIN.format(video=video, frame=frame))
    data = DatasetSpec(f"{tmp_path}/odd.py:Odd", davis_root)
    with pytest.raises(UserError, match="cannot name a file"):
        run(MethodSpec("empty"), data, "val", tmp_path / "out")
    assert (tmp_path / "victim/precious").exists()
    assert not (tmp_path / "out").exists()


def test_default_folder_is_named_after_method_and_data_set(cli: Cli, davis_root: Path) -> None:
    words = ("run", "--method", "empty", "--dataset", "davis", "--data", davis_root, "--format", "json")
    result = cli(*words, "--year", "2016", "--sequences", "ant")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["out"] == "preds/empty/davis"
    assert len(list(Path("preds/empty/davis/ant").iterdir())) == 6
