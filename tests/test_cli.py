"""Commands: results alone go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import Cli, fails, tree

from vipbench.pixels import write_ids
from vipbench.records import load


def test_score_prints_numbers_layout_and_the_record(cli: Cli, davis_preds: Path, davis_root: Path) -> None:
    words = ("score", davis_preds, "--dataset", "davis", "--data", davis_root)
    result = cli(*words)
    assert result.exit_code == 0
    assert "layout davis" in result.stdout
    assert "J.mean(frames=inner,objects=foreground)" in result.stdout
    assert "record: records/copy-first.davis.val.json" in result.stderr
    record = load(Path("records/copy-first.davis.val.json"))
    assert f"{record.value('J.mean(frames=inner,objects=foreground)'):.6f}" in result.stdout
    alone = cli(*words, "--format", "json", "--method", "mine", "--no-cache", "--out", "mine.json")
    assert json.loads(alone.stdout)["method"] == "mine"
    assert load(Path("mine.json")).scores == record.scores


def test_score_prints_the_thresholds_of_the_paper_only(cli: Cli, vip_preds: Path, vip_root: Path) -> None:
    result = cli("score", vip_preds, "--dataset", "vip", "--data", vip_root)
    assert "APr@0.5(" in result.stdout
    assert "APr@0.5:0.95(" in result.stdout
    assert "APr@0.55(" not in result.stdout
    assert "APr_vol@0.4(" not in result.stdout
    assert "more thresholds are in the Record" in result.stdout


def test_a_part_of_the_videos_does_not_replace_the_whole_record(
    cli: Cli, davis_preds: Path, davis_root: Path
) -> None:
    words = ("score", davis_preds, "--dataset", "davis", "--data", davis_root)
    for extra in ((), ("--sequences", "ant"), ("--sequences", "bee")):
        assert cli(*words, *extra).exit_code == 0
    assert len(list(Path("records").glob("*.json"))) == 3


def test_score_writes_what_made_it(cli: Cli, davis_preds: Path, davis_root: Path) -> None:
    cli("score", davis_preds, "--dataset", "davis", "--data", davis_root)
    found = json.loads(Path("records/copy-first.davis.val.json").read_text())["provenance"]
    assert found["version"]
    assert found["dataset_version"] == "2016 480p"
    assert len(found["dataset_hash"]) == len(found["prediction_hash"]) == 64
    assert found["device"]["cpu"]
    assert found["run"]["method"] == "copy-first"
    assert found["created"].endswith("+00:00")


@pytest.mark.parametrize("command", ["methods", "datasets"])
def test_lists(cli: Cli, command: str) -> None:
    result = cli(command, "--format", "json")
    names = [row["name"] for row in json.loads(result.stdout)]
    assert {"methods": "copy-first", "datasets": "davis"}[command] in names
    assert all(name in cli(command).stdout for name in names)


def test_data_info_needs_no_root(cli: Cli) -> None:
    result = cli("data", "info", "davis")
    assert result.exit_code == 0
    assert "VIPBENCH_DAVIS" in result.stdout
    fails(cli, "data", "info", "davos", says=("unknown dataset 'davos'",))
    fails(cli, "data", "make", "davis", says=("cannot be made", "data info davis"))
    fails(cli, "data", "make", "synth", "--size", "big", says=("--size big", "96x160"))


def test_data_check(cli: Cli, davis_root: Path) -> None:
    words = ("data", "check", "davis", "--data", davis_root)
    good = cli(*words)
    assert good.exit_code == 0, good.output
    (davis_root / "Annotations/480p/ant/00003.png").unlink()
    bad = cli(*words)
    assert bad.exit_code == 1
    assert "ant/00003" in bad.stdout


def test_table_without_records_is_the_paper_alone(cli: Cli) -> None:
    result = cli("table", "--paper-table", 2, "--format", "csv")
    assert result.exit_code == 0, result.output
    assert "no Records in records" in result.stderr
    fails(cli, "table", "--paper-table", 2, "--records", "nowhere", says=("nowhere: no such folder",))
    fails(cli, "table", "--paper-table", 9, says=("--paper-table", "9"))


def test_run_score_table(cli: Cli, davis_root: Path) -> None:
    data = ("--dataset", "davis", "--data", davis_root)
    assert cli("run", "--method", "empty", *data).exit_code == 0
    assert cli("score", "preds/empty/davis", *data).exit_code == 0
    result = cli("table", "--paper-table", 2, "--format", "json")
    assert result.exit_code == 0, result.output
    assert "empty" in result.stdout


def test_missing_torch_is_one_line(cli: Cli, davis_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("vipbench.baselines")]:
        monkeypatch.delitem(sys.modules, name)
    says = ("torch", "pip install 'vipbench[baselines]'")
    data = ("--dataset", "davis", "--data", davis_root)
    fails(cli, "run", "--method", "aten", *data, says=says)
    fails(cli, "train", "--method", "aten", *data, says=says)


def test_help_imports_nothing_heavy() -> None:
    heavy = "[m for m in ('torch', 'scipy', 'pandas', 'matplotlib', 'rich') if m in sys.modules]"
    code = (
        "import sys; from click.testing import CliRunner; from vipbench.cli import main;"
        f" assert CliRunner().invoke(main, ['--help']).exit_code == 0; print({heavy})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_resumed_run_prints_json_alone(cli: Cli, davis_root: Path) -> None:
    words = ("run", "--method", "empty", "--dataset", "davis", "--data", davis_root, "--format", "json")
    first, second = cli(*words), cli(*words)
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert len(tree(Path("preds"))) == 12 + 3


BARE = """
class Bare:
    name, layers, splits = "bare", ("object",), ("val",)

    def __init__(self, root):
        pass
"""


def test_a_data_set_without_check_is_named(cli: Cli, davis_root: Path) -> None:
    Path("bare.py").write_text(BARE)
    says = ("'./bare.py:Bare'", "no `check(split)`")
    fails(cli, "data", "check", "./bare.py:Bare", "--data", davis_root, says=says)


def test_a_wrong_year_says_that_it_found_nothing(cli: Cli, davis_preds: Path, davis_root: Path) -> None:
    """DAVIS 2016 is 0 and 255, and 255 is no object of 2017."""
    (davis_root / "ImageSets/2017").symlink_to(davis_root / "ImageSets/2016")
    for path in davis_preds.rglob("*.png"):
        path.unlink() if path.name != "00002.png" else write_ids(path, np.zeros((12, 16), np.uint16))
    words = ("score", davis_preds, "--dataset", "davis", "--data", davis_root, "--year", "2017")
    fails(cli, *words, says=("truth of ant", "an object in some frame, got background alone", "which year"))
