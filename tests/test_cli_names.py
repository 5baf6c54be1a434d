"""Names that are not known, and options that are none: one line and exit code 1."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import Cli, fails


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


@pytest.mark.parametrize("names", ["", " , "])
def test_an_empty_list_is_no_choice(cli: Cli, davis_root: Path, names: str) -> None:
    data = ("--dataset", "davis", "--data", davis_root)
    says = ("option --sequences", "expected names")
    fails(cli, "run", "--method", "empty", *data, "--sequences", names, says=says)
    fails(cli, "data", "make", "synth", "--splits", names, says=("option --splits", "expected names"))


def test_commands(cli: Cli) -> None:
    fails(cli, "scores", says=("unknown command 'scores'", "run, score, table"))
    fails(cli, "data", "get", says=("unknown command 'get'", "check, info, make"))
    fails(cli, "methods", "all", says=("unexpected extra argument (all)",))
    assert "make" in cli("data").output
