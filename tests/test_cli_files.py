"""Where commands write, and what they say where they cannot."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import Cli, fails

from vipbench import runner, scorer
from vipbench.console import result as print_result


def test_a_path_that_cannot_be_written_is_one_line(cli: Cli, davis_root: Path) -> None:
    Path("file").write_text("")
    words = ("run", "--method", "empty", "--dataset", "davis", "--data", davis_root)
    fails(cli, *words, "--out", "file/preds", says=("file", "directory"))
    fails(cli, *words, "--out", "file", says=("file: holds files that `run` did not make",))


@pytest.mark.parametrize("out", ["/dev/null", "folder"])
def test_a_record_replaces_files_alone(
    cli: Cli, davis_preds: Path, davis_root: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    """And says so before any work."""
    Path("folder").mkdir()
    monkeypatch.setattr(scorer, "score", lambda *_: pytest.fail("scored"))
    words = ("score", davis_preds, "--dataset", "davis", "--data", davis_root)
    fails(cli, *words, "--out", out, says=(f"option --out {out}: is", "Name a file to write"))
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_is_one_line(cli: Cli, davis_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))  # as `write` raises it: without a file name

    monkeypatch.setattr(runner, "run", full)
    words = ("run", "--method", "empty", "--dataset", "davis", "--data", davis_root)
    fails(cli, *words, says=("error: No space left on device. Make room",))


@pytest.mark.parametrize(
    ("number", "mend"),
    [(errno.EROFS, "can be written to"), (errno.EACCES, "allow it"), (errno.ENOTDIR, "a folder")],
)
def test_a_place_that_cannot_be_used_is_named_with_a_mend(
    cli: Cli, davis_root: Path, monkeypatch: pytest.MonkeyPatch, number: int, mend: str
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number), "out/place")

    monkeypatch.setattr(runner, "run", refused)
    words = ("run", "--method", "empty", "--dataset", "davis", "--data", davis_root)
    fails(cli, *words, says=(f"error: out/place: {os.strerror(number)}. ", mend))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_one_line() -> None:
    command = [sys.executable, "-m", "vipbench", "methods", "--format", "json"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device. Make room and give the same command again\n"


def test_the_cache_is_the_users(cli: Cli, davis_preds: Path, davis_root: Path) -> None:
    """Not beside the Record; --no-cache writes none."""
    cache = Path(os.environ["XDG_CACHE_HOME"])
    words = ("score", davis_preds, "--dataset", "davis", "--data", davis_root, "--out", "mine.json")
    assert cli(*words, "--no-cache").exit_code == 0
    assert not cache.exists()
    assert cli(*words).exit_code == 0
    assert len(list((cache / "vipbench").glob("*.json"))) == 2
    assert sorted(os.listdir()) == ["mine.json", "mine.states.json.gz"]


def test_without_a_cache_there_is_a_score(
    cli: Cli, davis_preds: Path, davis_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", "file")
    assert cli("score", davis_preds, "--dataset", "davis", "--data", davis_root).exit_code == 0


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_result("json", {"a": [1.5, float("nan")], "b": {"c": float("inf")}, "d": "NaN"}, "")
    found = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert found == {"a": [1.5, None], "b": {"c": None}, "d": "NaN"}
