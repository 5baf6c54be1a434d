"""Commands: what is wrong is said in one line with exit code 1, and results alone go to stdout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import Cli, tree

from vipbench.pixels import write_ids
from vipbench.records import load


def fails(cli: Cli, *words: object, says: tuple[str, ...]) -> None:
    """The command exits with 1, says all of `says` in one line, and writes nothing."""
    before = sorted(os.walk("."))
    result = cli(*words)
    assert result.exit_code == 1, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for text in says:
        assert text in errors[0]
    assert sorted(os.walk(".")) == before


class TestBadNames:
    @pytest.fixture(autouse=True)
    def _here(self, cli: Cli, davis_root: Path) -> None:
        self.cli, self.davis = cli, ("--dataset", "davis", "--data", davis_root)

    def test_method(self) -> None:
        fails(
            self.cli, "run", "--method", "magic", *self.davis, says=("unknown method 'magic'", "copy-first")
        )

    def test_dataset(self) -> None:
        says = ("unknown dataset 'davos'", "davis", "vip", "synth")
        fails(self.cli, "run", "--method", "empty", "--dataset", "davos", says=says)

    def test_method_option(self) -> None:
        says = ("unknown option 'l' of Empty", "Known options: none")
        fails(self.cli, "run", "--method", "empty", "-o", "l=3", *self.davis, says=says)

    def test_option_without_value(self) -> None:
        fails(self.cli, "run", "--method", "empty", "-o", "l", *self.davis, says=("-o l", "KEY=VALUE"))

    def test_dataset_option(self) -> None:
        says = ("unknown option 'colour' of Davis", "year, resolution, task")
        fails(self.cli, "run", "--method", "empty", *self.davis, "-d", "colour=red", says=says)

    def test_dataset_option_value(self) -> None:
        says = ("option year=new: expected int",)
        fails(self.cli, "run", "--method", "empty", *self.davis, "-d", "year=new", says=says)
        fails(self.cli, "run", "--method", "empty", *self.davis, "--year", "2020", says=("2016 and 2017",))

    def test_command_line_option(self) -> None:
        fails(self.cli, "run", "--methods", "empty", *self.davis, says=("--methods", "--method"))
        fails(self.cli, "run", "--method", "empty", *self.davis, "--jobs", "0", says=("--jobs", "0"))

    def test_split(self) -> None:
        says = ("unknown split 'dev'", "val, train")
        fails(self.cli, "run", "--method", "empty", *self.davis, "--split", "dev", says=says)

    def test_sequence(self) -> None:
        says = ("unknown sequence 'wasp'", "ant, bee")
        fails(self.cli, "run", "--method", "empty", *self.davis, "--sequences", "ant,wasp", says=says)

    def test_missing_root(self, tmp_path: Path) -> None:
        fails(
            self.cli,
            "run",
            "--method",
            "empty",
            "--dataset",
            "davis",
            says=("--data ROOT or VIPBENCH_DAVIS",),
        )
        words = ("run", "--method", "empty", "--dataset", "davis", "--data", tmp_path / "none")
        fails(self.cli, *words, says=("none: no such folder",))


def test_root_comes_from_the_environment(cli: Cli, davis_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIPBENCH_DAVIS", str(davis_root))
    assert cli("run", "--method", "empty", "--dataset", "davis").exit_code == 0


class TestBadDavisFolder:
    @pytest.fixture(autouse=True)
    def _here(self, cli: Cli, davis_root: Path, davis_preds: Path) -> None:
        self.cli, self.folder = cli, davis_preds
        self.words = (davis_preds, "--dataset", "davis", "--data", davis_root)
        self.path = davis_preds / "bee/00002.png"

    def both(self, *says: str) -> None:
        """`score` fails in one line; `check` lists the same as an error."""
        fails(self.cli, "score", *self.words, says=says)
        result = self.cli("check", *self.words)
        assert result.exit_code == 1
        assert any(line.startswith("error: ") and says[0] in line for line in result.stdout.splitlines())

    def test_truncated_png(self) -> None:
        self.path.write_bytes(self.path.read_bytes()[:60])
        self.both("bee/00002.png", "truncated", "again")

    def test_no_png_at_all(self) -> None:
        self.path.write_text("not an image")
        self.both("bee/00002.png", "image")

    def test_rgb_mask(self) -> None:
        Image.new("RGB", (16, 12)).save(self.path)
        self.both("bee/00002.png", "label PNG", "RGB", "Save the ids")

    def test_wrong_size(self) -> None:
        write_ids(self.path, np.zeros((6, 8), np.uint16))
        self.both("bee/00002.png", "16x12", "8x6", "frame's own size")

    def test_empty_folder(self) -> None:
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        fails(self.cli, "score", *self.words, says=("empty", "video folder"))
        fails(self.cli, "check", *self.words, says=("empty", "video folder"))

    def test_no_folder(self) -> None:
        shutil.rmtree(self.folder)
        fails(self.cli, "score", *self.words, says=("no such folder",))

    def test_id_outside_the_range_of_2017(self, davis_root: Path) -> None:
        (davis_root / "ImageSets/2017").symlink_to(davis_root / "ImageSets/2016")
        for path in (davis_root / "Annotations/480p").rglob("*.png"):
            write_ids(path, np.asarray(Image.open(path)).astype(np.uint16) // 255)
        write_ids(self.path, np.full((12, 16), 9, np.uint16))
        fails(self.cli, "score", *self.words, "--year", "2017", says=("bee/00002.png", "ids 0..1", "9"))

    def test_missing_and_extra_are_warnings_unless_strict(self) -> None:
        (self.folder / "wasp").mkdir()
        self.path.rename(self.folder / "wasp/00000.png")
        result = self.cli("check", *self.words)
        assert result.exit_code == 0, result.stdout
        warnings = [line for line in result.stdout.splitlines() if line.startswith("warning: ")]
        assert any("00002" in line for line in warnings)
        assert any("wasp" in line for line in warnings)
        scored = self.cli("score", *self.words)
        assert scored.exit_code == 0
        assert all(line in scored.stderr.splitlines() for line in warnings)
        strict = self.cli("check", *self.words, "--strict-frames")
        assert strict.exit_code == 1
        assert strict.stdout.count("error: ") == 2
        shutil.rmtree("records")
        fails(self.cli, "score", *self.words, "--strict-frames", says=("1 more; `vipbench check` lists all",))

    def test_all_problems_are_listed_at_once(self) -> None:
        Image.new("RGB", (16, 12)).save(self.path)
        write_ids(self.folder / "ant/00001.png", np.zeros((6, 8), np.uint16))
        for jobs in (1, 2):
            result = self.cli("check", *self.words, "--jobs", jobs, "--format", "json")
            assert result.exit_code == 1
            found = json.loads(result.stdout)
            assert found["errors"] == 2
            assert [Path(p["where"]).name for p in found["problems"]] == ["00001.png", "00002.png"]


class TestBadVipFolder:
    @pytest.fixture(autouse=True)
    def _here(self, cli: Cli, vip_root: Path, vip_preds: Path) -> None:
        self.cli, self.folder = cli, vip_preds
        self.words = (vip_preds, "--dataset", "vip", "--data", vip_root)
        self.home = vip_preds / "videos1"

    def test_good_folder(self) -> None:
        result = self.cli("check", *self.words, "--strict-frames", "--format", "json")
        assert result.exit_code == 0
        assert json.loads(result.stdout)["problems"] == []

    def test_class_outside_the_range(self) -> None:
        write_ids(self.home / "gray/global_000000000026.png", np.full((12, 16), 25, np.uint16), colours=False)
        fails(self.cli, "score", *self.words, says=("global_000000000026.png", "ids 0..19", "25"))

    @pytest.mark.parametrize("score", ["high", "nan", ""])
    def test_score_that_is_no_number(self, score: str) -> None:
        path = self.home / "instance_part/000000000026.txt"
        path.write_text(path.read_text().replace("1.000000", score, 1))
        fails(self.cli, "score", *self.words, says=("000000000026.txt:1", "%d %f", "numbers"))

    def test_folder_of_another_data_set(self, davis_preds: Path, davis_root: Path) -> None:
        says = ("another data set", "davis", "--dataset")
        fails(self.cli, "score", davis_preds, *self.words[1:], says=says)
        words = (self.folder, "--dataset", "davis", "--data", davis_root)
        fails(self.cli, "score", *words, says=("another data set", "vip", "--dataset"))
        fails(
            self.cli, "score", *self.words, "--split", "train", says=("another data set or split", "videos3")
        )


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


def test_a_path_that_cannot_be_written_is_one_line(cli: Cli, davis_root: Path) -> None:
    Path("file").write_text("")
    words = ("run", "--method", "empty", "--dataset", "davis", "--data", davis_root)
    fails(cli, *words, "--out", "file/preds", says=("file", "directory"))
    fails(cli, *words, "--out", "file", says=("file: holds files that `run` did not make",))
