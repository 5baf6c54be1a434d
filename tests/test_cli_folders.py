"""Faulty prediction folders: `score` says one line, `check` lists all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import Cli, fails

from vipbench.pixels import write_ids


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

    def test_many_faults_that_are_alike_are_counted(self) -> None:
        for path in self.folder.glob("*/*.png"):
            Image.new("RGB", (16, 12)).save(path)
        lines = self.cli("check", *self.words).stdout.splitlines()
        assert sum(line.startswith("error: ") for line in lines) == 10
        assert "... and 2 more of: expected a label PNG (palette, gray or bilevel), got mode RGB" in lines[10]
        assert "12 errors" in lines[11]
        found = json.loads(self.cli("check", *self.words, "--format", "json").stdout)
        assert len(found["problems"]) == 12

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

    def test_a_stray_picture_does_not_make_it_another_data_set(self) -> None:
        Image.new("L", (16, 12)).save(self.home / "preview.png")
        result = self.cli("check", *self.words)
        assert result.exit_code == 0, result.output
        assert "layout vip" in result.stdout
