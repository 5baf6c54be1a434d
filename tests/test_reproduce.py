"""`vipbench reproduce`: from nothing to a table, going on where it stopped, and what cannot be run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from made_records import made
from tiny import Cli, fails

from vipbench import papers, registry, reproduce
from vipbench.datasets import synth_write
from vipbench.errors import UserError
from vipbench.papers import PaperTable, Row
from vipbench.records import load, states_path
from vipbench.specs import DatasetSpec, MethodSpec

ROWS = {"Copy": ("copy-first", {}), "Empty": ("empty", {}), "CUT": ("cut", {}), "Odd": ("empty", {"l": "4"})}


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables 1 and 2, their rows of methods without a network, one not installed, one of unknown options."""
    short = {number: shortened(papers.table(number)) for number in (1, 2)}
    monkeypatch.setattr(papers, "tables", lambda: short)


def shortened(table: PaperTable) -> PaperTable:
    values = tuple(["50.0"] * len(table.columns))
    return replace(table, rows=tuple(Row(name, *of[:1], values, of[1]) for name, of in ROWS.items()))


@pytest.fixture
def again(cli: Cli, rows: None, davis_root: Path) -> Callable[..., Result]:
    """Reproduce Table 2 on the tiny DAVIS."""
    words = ("reproduce", "--paper-table", 2, "--data", davis_root, "--out", "r")
    return lambda *more: cli(*words, *more)


def states(result: Result) -> dict[str, str]:
    """What became of each row, of the lines on stderr."""
    known = ("measured", "was there", "cannot be run", "failed")
    lines = [line for line in result.stderr.splitlines() if ") " in line]
    return {line.split(" (")[0]: next(k for k in known if f") {k}" in line) for line in lines}


def files(root: Path = Path("r")) -> dict[str, int]:
    """When each file was last written; a lock is opened anew by every run."""
    found = [path for path in root.rglob("*") if path.is_file() and path.name not in ("lock", "table2.txt")]
    return {str(path): path.stat().st_mtime_ns for path in found}


@pytest.mark.parametrize(("number", "dataset"), [(1, "synth"), (2, "synth-davis")])
def test_from_nothing_on_the_embedded_data(
    cli: Cli, rows: None, monkeypatch: pytest.MonkeyPatch, number: int, dataset: str
) -> None:
    monkeypatch.setitem(synth_write.SPLITS, "test", replace(synth_write.SPLITS["test"], count=2))
    result = cli("reproduce", "--paper-table", number, "--dataset", "synth", "--out", "r")
    assert result.exit_code == 0, result.output
    assert states(result) == {
        "Copy": "measured",
        "Empty": "measured",
        "CUT": "cannot be run",
        "Odd": "cannot be run",
    }
    table = Path(f"r/table{number}.txt").read_text()
    assert result.stdout.startswith(table)
    assert f"ours:  {dataset} 1 test, 2 videos" in table
    assert "CUT (cut) cannot be run: no method 'cut' is installed" in result.stdout
    assert f"Odd (empty-l4) cannot be run: {reason('empty', l='4')}" in result.stdout
    assert {path.name for path in Path("r/records").glob("*.json")} == {
        f"copy-first.{dataset}.json",
        f"empty.{dataset}.json",
    }
    assert (Path("r/data") / "synth.json").is_file()


def reason(method: str, **options: str) -> str:
    """Why a method does not take its options."""
    with pytest.raises(UserError) as raised:
        registry.convert(registry.load("methods", method), 1, options)
    return str(raised.value)


def test_a_second_time_writes_nothing_anew(again: Callable[..., Result]) -> None:
    first = again()
    before = files()
    second = again()
    assert files() == before
    assert states(second) == {**states(first), "Copy": "was there", "Empty": "was there"}
    assert second.stdout == first.stdout


def test_only_what_is_missing_is_made(again: Callable[..., Result]) -> None:
    again()
    copied, empty = (Path(f"r/records/{name}.davis.json") for name in ("copy-first", "empty"))
    numbers, before = load(empty).scores, files()
    states_path(empty).unlink()
    gone = Path("r/preds/copy-first/davis/bee/00003.png")
    gone.unlink()
    assert {k: v for k, v in states(again()).items() if k != "CUT"} == {
        "Copy": "measured",
        "Empty": "measured",
        "Odd": "cannot be run",
    }
    assert load(empty).scores == numbers
    assert states_path(empty).is_file()
    written = {path for path, time in files().items() if before.get(path) != time}
    assert {path for path in written if path.endswith(".png")} == {
        str(gone.with_name(f"{t:05d}.png")) for t in range(6)
    }
    assert str(copied) in written  # its timing is another


def test_ground_truth_that_changed_is_scored_anew(again: Callable[..., Result], davis_root: Path) -> None:
    again()
    before = load(Path("r/records/empty.davis.json"))
    truth = davis_root / "Annotations/480p/bee/00003.png"
    truth.write_bytes((davis_root / "Annotations/480p/ant/00000.png").read_bytes())
    assert states(again())["Empty"] == "measured"
    after = load(Path("r/records/empty.davis.json"))
    assert after.provenance.dataset_hash != before.provenance.dataset_hash


def test_predictions_of_other_code_are_never_deleted_unasked(again: Callable[..., Result]) -> None:
    again()
    about = Path("r/preds/empty/davis/.vipbench/run.json")
    about.write_text(json.dumps(json.loads(about.read_text()) | {"source": "other"}))
    refused = again()
    assert refused.exit_code == 1
    assert states(refused)["Empty"] == "failed"
    assert states(refused)["Copy"] == "was there"
    assert "r/preds/empty/davis: was made with other code or weights. Pass --again" in refused.stdout
    mended = again("--again")
    assert mended.exit_code == 0
    assert states(mended) == {**states(refused), "Empty": "measured"}


def test_a_row_that_fails_stops_no_other(again: Callable[..., Result], davis_root: Path) -> None:
    (davis_root / "Annotations/480p/bee/00000.png").write_bytes(b"damaged")
    result = again("--format", "json")
    assert result.exit_code == 1
    found = {row["row"]: row for row in json.loads(result.stdout)["rows"]}
    assert {name: row["state"] for name, row in found.items()} == {
        "Copy": "failed",
        "Empty": "failed",
        "CUT": "cannot",
        "Odd": "cannot",
    }
    assert "bee/00000.png" in found["Copy"]["why"]
    assert "nothing scored yet" in Path("r/table2.txt").read_text()


def test_a_record_of_published_masks_fills_its_row(again: Callable[..., Result], davis_root: Path) -> None:
    record = made("cut", 2, "davis", "val", ["ant", "bee"])
    record.save(Path("r/records/mine.json"))
    result = again()
    assert states(result)["CUT"] == "was there"
    assert "CUT" not in [line.split(" ")[0] for line in result.stdout.splitlines()]


def test_splits_stand_side_by_side(again: Callable[..., Result]) -> None:
    again()
    before = files()
    result = again("--split", "train")
    assert result.exit_code == 0
    assert {path: files()[path] for path in before} == before
    assert load(Path("r/records/empty.davis-train.json")).videos == ("cat",)
    for split, count in (("val", 2), ("train", 1)):
        assert f"davis 2016 480p {split}, {count} videos" in result.stdout


def test_json_says_what_became_of_each_row(again: Callable[..., Result]) -> None:
    found = json.loads(again("--format", "json").stdout)
    assert (found["table"], found["dataset"], found["split"]) == (2, "davis", "val")
    assert [(row["row"], row["method"], row["state"]) for row in found["rows"]] == [
        ("Copy", "copy-first", "ran"),
        ("Empty", "empty", "ran"),
        ("CUT", "cut", "cannot"),
        ("Odd", "empty-l4", "cannot"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--paper-table", 1), ("no root for data set 'vip'", "--dataset synth")),
        (
            ("--paper-table", 2, "--dataset", "vip", "--data", "."),
            ("protocol davis2016", "davis or synth-davis"),
        ),
        (("--paper-table", 2, "-o", "nonsense=1"), ("no method of table 2 has an option 'nonsense'",)),
        (("--paper-table", 4), ("4",)),
        (("--paper-table", 2, "--weights", "nowhere"), ("nowhere",)),
        (("--paper-table", 2, "--dataset", "nothing"), ("unknown dataset 'nothing'",)),
    ],
)
def test_refusals(cli: Cli, words: tuple[object, ...], says: tuple[str, ...]) -> None:
    fails(cli, "reproduce", *words, "--out", "r", says=says)


def test_the_variants_of_the_rows() -> None:
    """Only what sets a row apart, so that the tables share predictions."""
    labels = {n: [reproduce.variant(row).label for row in papers.table(n).rows] for n in (1, 2, 3)}
    assert labels[1] == ["frame", "dff", "fgfa", "aten-unitlstm", "aten-p1", "aten"]
    assert labels[2][4:] == ["dff", "fgfa", "frame", "aten-l5", "aten-l4", "aten"]
    assert labels[3] == ["aten-alignfalse-l4", "aten-l4-unitmean", "aten-l4-unitlstm", "aten-l4"]


def test_what_a_row_does_not_say_is_the_methods_own_default() -> None:
    pytest.importorskip("torch")
    known = registry.parameters(registry.load("methods", "aten"))
    (defaults,) = {tuple(row.defaults.items()) for row in papers.table(3).rows}
    for key, text in defaults:
        if key in known:
            assert papers.meaning(str(known[key].default)) == papers.meaning(text)


def test_weights_of_a_folder_are_those_of_the_variant_then_of_the_method(
    davis_root: Path, tmp_path: Path
) -> None:
    place = reproduce.Place(DatasetSpec.of("davis", davis_root), "val", tmp_path, weights=tmp_path)

    def weights(method: str, **options: str) -> str:
        equipped = reproduce.equipped(
            MethodSpec(method, options), replace(place, options={"preset": "paper-davis"})
        )
        return Path(equipped.options["weights"]).name

    pytest.importorskip("torch")
    with pytest.raises(
        UserError, match=r"has no paper-davis-aten-l4-davis.safetensors or paper-davis-aten-davis"
    ):
        weights("aten", l="4")
    for name in (
        "paper-davis-aten-davis",
        "paper-davis-aten-l4-davis",
        "paper-davis-aten-vip",
        "tiny-frame-davis",
    ):
        (tmp_path / f"{name}.safetensors").touch()
    assert weights("aten", l="4") == "paper-davis-aten-l4-davis.safetensors"
    assert weights("aten", l="5") == "paper-davis-aten-davis.safetensors"
    (tmp_path / "paper-davis-aten-lstm-davis.safetensors").touch()
    assert weights("aten", l="5", unit="lstm") == "paper-davis-aten-lstm-davis.safetensors"
    assert weights("aten", l="5", unit="lstm", p="0") == "paper-davis-aten-davis.safetensors"
    assert weights("aten", l="5", align="false") == "paper-davis-aten-davis.safetensors"
    assert reproduce.equipped(MethodSpec("empty"), place).options == {}


def test_weights_of_a_folder_are_of_the_default_preset(davis_root: Path, tmp_path: Path) -> None:
    """Not of the first one by name, which is paper-davis."""
    pytest.importorskip("torch")
    place = reproduce.Place(DatasetSpec.of("davis", davis_root), "val", tmp_path, weights=tmp_path)
    (tmp_path / "paper-davis-dff-davis.safetensors").touch()
    with pytest.raises(UserError, match=r"has no tiny-dff-davis\.safetensors"):
        reproduce.equipped(MethodSpec("dff"), place)
    (tmp_path / "tiny-dff-davis.safetensors").touch()
    for options, name in (({}, "tiny"), ({"preset": "paper-davis"}, "paper-davis")):
        equipped = reproduce.equipped(MethodSpec("dff", options), place)
        assert Path(equipped.options["weights"]).name == f"{name}-dff-davis.safetensors"


def test_what_has_no_weights_is_trained_first_and_once(davis_root: Path, tmp_path: Path) -> None:
    """The folder is asked for by each row; what is there is left alone by the training itself."""
    pytest.importorskip("torch")
    made: list[tuple[str, str]] = []

    def train(method: str, preset: str, folder: Path, progress: reproduce.Progress) -> None:
        made.append((method, preset))
        progress("train frame", 1, 2)
        (folder / f"{preset}-{method}-davis.safetensors").touch()

    seen: list[tuple[str, int, int]] = []
    data = DatasetSpec.of("davis", davis_root)
    place = reproduce.Place(data, "val", tmp_path, weights=tmp_path, train=train)
    for options in ({"l": "5"}, {"l": "4", "unit": "lstm"}):
        found = reproduce.equipped(MethodSpec("aten", options), place, lambda *of: seen.append(of))
        assert Path(found.options["weights"]).is_file()
    assert made == [("aten", "tiny"), ("aten-lstm", "tiny")]
    assert seen == [("train frame", 1, 2)] * 2


def test_weights_or_training_not_both(cli: Cli, tmp_path: Path) -> None:
    words = ("--paper-table", 2, "--dataset", "synth", "--data", tmp_path / "data", "--split", "test")
    result = cli("reproduce", *words, "--weights", tmp_path, "--train", tmp_path / "new", "--out", "out")
    assert result.exit_code == 1
    assert "give one" in result.output
