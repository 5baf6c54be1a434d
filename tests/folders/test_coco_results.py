"""COCO's result files: what is in them, what is wrong with them, and the published numbers from the shell."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_coco import Row, data, mask, results, write
from tiny import Cli, fails

from vipbench.errors import UserError
from vipbench.folders import CocoResults, open_folder
from vipbench.records import load
from vipbench.types import Parsing

KEYS = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "instances_val.json", data())


def scored(cli: Cli, *words: object) -> dict[str, float]:
    """The numbers over all images by label."""
    result = cli("score", *words, "--format", "json", "--no-cache")
    assert result.exit_code == 0, result.stderr
    return {s["measure"]: s["value"] for s in json.loads(result.stdout)["scores"] if s["scope"] == "all"}


def test_a_json_file_is_opened(tmp_path: Path) -> None:
    folder = open_folder(write(tmp_path / "results.json", results()), ("instances",))
    assert (type(folder), folder.videos(), folder.frames("9"), folder.frames("2")) == (
        CocoResults,
        ["10", "9"],
        ["9"],
        [],
    )
    found = folder.read("10", "10").instances
    assert found is not None
    assert found.size == (12, 16)
    assert [(one.category, one.score, one.box) for one in found.rows] == [(1, 0.8, None)]
    with pytest.raises(UserError, match="read, not written"):
        folder.write("9", "9", Parsing())


def test_scored_by_hand(cli: Cli, root: Path, tmp_path: Path) -> None:
    """Two cats, one found exactly, one at IoU .5: AP50 is 1; at the other thresholds 51 of 101 recalls."""
    got = scored(cli, write(tmp_path / "r.json", results()), "--dataset", "coco", "--data", root)
    assert got["COCO.AP50(kind=segm)"] == pytest.approx(1)
    assert got["COCO.AP(kind=segm)"] == pytest.approx((1 + 9 * 51 / 101) / 10)
    assert got["COCO.AP(kind=bbox)"] == pytest.approx((1 + 9 * 51 / 101) / 10)
    assert got["COCO.AR1(kind=segm)"] == pytest.approx(0.55)
    assert got["COCO.APl(kind=segm)"] is None  # NaN: there is no large one


def test_images_without_a_result_are_empty_not_missing(cli: Cli, root: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "r.json", results()[:1])
    result = cli("check", file, "--dataset", "coco", "--data", root, "--strict-frames")
    assert (result.exit_code, "0 errors, 0 warnings" in result.stdout) == (0, True), result.output
    got = scored(cli, file, "--dataset", "coco", "--data", root)
    assert got["COCO.AP(kind=segm)"] == pytest.approx(51 / 101)


def test_boxes_alone(cli: Cli, root: Path, tmp_path: Path) -> None:
    """Boxes that equal the masks: as masks they are filled, which is said."""
    rows = [{k: v for k, v in row.items() if k != "segmentation"} for row in results()]
    for row, box in zip(rows, ([1, 1, 4, 4], [2, 2, 6, 3]), strict=True):
        row["bbox"] = box
    file = write(tmp_path / "r.json", rows)
    got = scored(cli, file, "--dataset", "coco", "--data", root)
    assert got["COCO.AP(kind=segm)"] == got["COCO.AP(kind=bbox)"] == pytest.approx((1 + 9 * 51 / 101) / 10)
    result = cli("check", file, "--dataset", "coco", "--data", root)
    assert (result.exit_code, result.stdout.count("2 results with a box alone")) == (0, 1)


def test_any_number_of_processes_and_the_cache_give_the_same(cli: Cli, root: Path, tmp_path: Path) -> None:
    words = (
        "score",
        write(tmp_path / "r.json", results()),
        "--dataset",
        "coco",
        "--data",
        root,
        "--format",
        "json",
    )
    found = [
        json.loads(cli(*words, *more).stdout)["scores"] for more in ((), (), ("--jobs", "2", "--no-cache"))
    ]
    assert found[0] == found[1] == found[2]


FAULTS: list[tuple[Callable[[Row], object], str]] = [
    (lambda row: row.pop("score"), "result 0, image 9: expected a finite score, got none"),
    (lambda row: row.update(score=float("nan")), "result 0, image 9: expected a finite score, got nan"),
    (lambda row: row.update(score="0.5"), "expected a finite score, got '0.5'"),
    (lambda row: row.update(category_id=2), "image 9: category 2: expected one of 2 categories"),
    (lambda row: row.update(category_id=90), "image 9: category 90: expected one of 2 categories"),
    (lambda row: row.update(category_id="cat"), "expected a category_id, got 'cat'"),
    (lambda row: row.pop("segmentation"), 'expected a "segmentation" or a "bbox", got neither'),
    (lambda row: row.update(bbox=[0, 0, -1, 3]), 'expected a "bbox" [x, y, width, height]'),
    (lambda row: row.update(segmentation=[[0, 0, 4, 0, 4, 4]]), "expected run lengths"),
    (lambda row: row["segmentation"].update(counts="0!"), "expected run lengths of 12 x 16 pixels"),
    (
        lambda row: row.update(segmentation=mask(1, 1, 4, 4, (16, 12))),
        "result 0, image 9: expected a mask of [12, 16] (height, width), got [16, 12]",
    ),
]


@pytest.mark.parametrize(("change", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_faults_are_named(
    cli: Cli, root: Path, tmp_path: Path, change: Callable[[Row], object], said: str
) -> None:
    rows = results()
    change(rows[0])
    file = write(tmp_path / "r.json", rows)
    result = cli("check", file, "--dataset", "coco", "--data", root)
    assert (result.exit_code, "Traceback" in result.output) == (1, False)
    assert f"error: {file}" in result.stdout
    assert said in result.stdout
    assert "1 errors" in result.stdout
    fails(cli, "score", file, "--dataset", "coco", "--data", root, says=(said,))


def test_files_of_another_kind(cli: Cli, root: Path, tmp_path: Path) -> None:
    given = ("--dataset", "coco", "--data", root)
    (tmp_path / "no.json").write_text("[{")
    for content, said in [
        ({"a": 1}, "expected a JSON list of objects with image_id"),
        ([1], "expected a JSON list"),
        ([{"image_id": 77} | results()[0] | {"image_id": 77}], "expected videos of coco val (10, 2, 9)"),
    ]:
        file = write(tmp_path / "r.json", content)
        for command in ("check", "score"):
            result = cli(command, file, *given)
            assert (result.exit_code, "Traceback" in result.output) == (1, False), result.output
            assert said in result.output
    fails(cli, "score", tmp_path / "no.json", *given, says=("expected a JSON file",))
    fails(cli, "score", tmp_path / "none.json", *given, says=("no such",))


def test_no_result_at_all_scores_as_nothing_found(cli: Cli, root: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "r.json", [])
    result = cli("check", file, "--dataset", "coco", "--data", root)
    assert (result.exit_code, "expected results, got none" in result.stdout) == (0, True)
    result = cli("score", file, "--dataset", "coco", "--data", root, "--out", tmp_path / "record.json")
    assert result.exit_code == 0, result.stderr
    assert load(tmp_path / "record.json").value("COCO.AP(kind=segm)") == 0.0


def test_unknown_images_and_too_many_detections_are_warnings(cli: Cli, root: Path, tmp_path: Path) -> None:
    rows = [*results(), results()[0] | {"image_id": 77}, *([results()[1]] * 100)]
    file = write(tmp_path / "r.json", rows)
    result = cli("check", file, "--dataset", "coco", "--data", root)
    assert result.exit_code == 0
    assert "expected videos of coco val alone, got 1 more: 77" in result.stdout
    assert "image 10, category 1: expected at most 100 detections, got 101" in result.stdout


def test_commands_for_label_maps_decline(cli: Cli, root: Path, tmp_path: Path) -> None:
    given = ("--dataset", "coco", "--data", root)
    fails(
        cli,
        "run",
        "--method",
        "empty",
        *given,
        says=("coco: its predictions are a file", "`run` cannot write"),
    )
    file = write(tmp_path / "r.json", results())
    fails(cli, "overlay", file, *given, "--out", tmp_path / "o", says=("coco has no label maps to draw",))
    fails(cli, "score", file, *given, "--protocol", "vip-coco", says=("looks at the layer 'human'",))


def test_persons_of_label_maps(cli: Cli, vip_root: Path, vip_preds: Path) -> None:
    """Persons of 4 x 10 pixels, found 0, 1 and 2 pixels off: IoU 1, .6 (at three thresholds enough), 1/3."""
    got = scored(cli, vip_preds, "--dataset", "vip", "--data", vip_root, "--protocol", "vip-coco")
    assert got["COCO_human.AR100(kind=segm)"] == pytest.approx((3 * 4 / 6 + 7 * 2 / 6) / 10)
    assert got["COCO_human.APs(kind=segm)"] == got["COCO_human.AP(kind=segm)"]


def test_without_pycocotools_one_line_says_how_to_get_it(
    cli: Cli, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.split(".")[0] == "pycocotools":
            raise ModuleNotFoundError("No module named 'pycocotools'", name="pycocotools")
        return real(name, *more)

    file = write(tmp_path / "r.json", results())
    monkeypatch.setattr(builtins, "__import__", without)
    fails(
        cli,
        "score",
        file,
        "--dataset",
        "coco",
        "--data",
        root,
        says=("needs pycocotools", "'vipbench[coco]'"),
    )


@pytest.mark.parametrize("kind", ["segm", "bbox"])
def test_published_numbers(cli: Cli, test_data: Path, kind: str) -> None:
    """100 images of val2014 with cocoapi's fake results: what it prints, and all digits of a run of it."""
    folder = test_data / "coco100"
    got = scored(
        cli,
        folder / f"instances_val2014_fake{kind}100_results.json",
        *("--dataset", "coco", "--data", folder / "instances_val2014_100.json"),
    )
    numbers = [got[f"COCO.{key}(kind={kind})"] for key in KEYS]
    assert numbers == pytest.approx(json.loads((folder / f"coco100_{kind}.json").read_text()), abs=1e-12)
    text = (folder / "val2014_fake_eval_res.txt").read_text()
    printed = re.search(rf"type={kind}\n(.*?)(---|\Z)", text, re.DOTALL)
    assert printed is not None
    assert [f"{n:.3f}" for n in numbers] == re.findall(r"\] = (\S+)", printed[1])
    expected = {"segm": (0.319545, 0.562288, 0.298927), "bbox": (0.504581,)}[kind]
    assert [round(n, 6) for n in numbers[: len(expected)]] == list(expected)
