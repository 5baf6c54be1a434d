"""`vipbench bench`: turns, numbers that follow from the seconds, what fails, and the picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_records import made
from tiny import Cli, fails

from vipbench import papers
from vipbench.bench_figures import Bench, Measured, Round, Spread
from vipbench.bench_picture import draw, points, published
from vipbench.bench_text import grids, to_markdown
from vipbench.costs import Cost
from vipbench.datasets import synth_write
from vipbench.errors import UserError
from vipbench.specs import MethodSpec

TOYS = '''
"""Methods that note their turns in a file."""
import time
from pathlib import Path
from vipbench.errors import UserError
from vipbench.timing import stage
from vipbench.types import Parsing

class Toy:
    name, period, about, seconds = "toy", 3, "no weights", 0.001
    def __init__(self, dataset, preset: str = "tiny"):
        self.layers, self.calls = dataset.layers, 0
    def predict(self, video):
        self.calls += 1
        with open("turns.txt", "a") as file:
            print(type(self).__name__, file=file)
        for frame in video.annotated:
            with stage("features"):
                time.sleep(self.seconds)
            self.spoil()
            yield frame, Parsing.empty((32, 48), self.layers)
    def spoil(self):
        pass

class Slow(Toy):
    seconds = 0.004

class Late(Toy):
    def spoil(self):
        if self.calls == 3:  # after a warm-up and a round
            raise RuntimeError("out of memory\\\\nof the device")

class Stopped(Toy):
    def spoil(self):
        raise KeyboardInterrupt

class Long(Toy):
    period = 40

class Absent(Toy):
    def __init__(self, dataset):
        raise UserError("is not here")
'''
FRAMES = ("--size", "32x48", "--task", "davis")


@pytest.fixture
def toys(cli: Cli) -> Path:
    path = Path("toys.py")
    path.write_text(TOYS.replace("\\\\n", "\\n"))
    return path


def named(*names: str) -> str:
    return ",".join(f"./toys.py:{name}" for name in names)


def test_methods_take_turns(cli: Cli, toys: Path) -> None:
    result = cli("bench", "--methods", named("Toy", "Slow"), "--rounds", 3, "--frames", 6, *FRAMES)
    assert result.exit_code == 0, result.output
    warm = ["Toy", "Toy", "Slow", "Slow"]  # the first turn of each comes after its warm-up
    assert Path("turns.txt").read_text().split() == warm + ["Toy", "Slow"] * 2
    assert "No r measured" in result.stdout
    assert sorted(path.name for path in Path().iterdir()) == ["toys.py", "turns.txt"]


def test_json_is_consistent(cli: Cli, toys: Path) -> None:
    words = ("--methods", named("Toy", "Slow"), "--rounds", 2, "--frames", 7, *FRAMES)
    result = cli("bench", *words, "--out", "b.json", "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(Path("b.json").read_text())
    assert found == json.loads(result.stdout)
    assert found["data"] == {
        "dataset": "synth-davis",
        "frames": "7 rendered frames of 32x48, task davis",
        "rounds": 2,
    }
    assert {"cpu", "cores", "python", "load"} <= set(found["device"])
    assert found["command"]
    assert "numpy" in found["versions"]
    for method in found["methods"]:
        assert sum(method["share"].values()) == pytest.approx(1)
        assert method["ratio"] == {"measured": None}
        for r in method["rounds"]:
            assert r["frames"] == 6  # two whole segments
            assert r["fps_end_to_end"] == pytest.approx(r["frames"] / r["seconds"])
            alone = r["seconds"] - sum(r["stages"].get(n, 0) for n in ("decode", "check", "write"))
            assert r["fps"] == pytest.approx(r["frames"] / alone)
        assert method["ms"]["features"]["q1"] <= method["ms"]["features"]["median"]
    toy, slow = found["methods"]
    assert slow["ms"]["features"]["q1"] >= 4
    assert toy["ms"]["features"]["q1"] >= 1


def test_a_method_that_fails_is_named_and_the_rest_measured(cli: Cli, toys: Path) -> None:
    names = named("Absent", "Late", "Long", "Toy")
    result = cli("bench", "--methods", names, "--rounds", 2, "--frames", 6, *FRAMES, "--out", "b.json")
    assert result.exit_code == 1
    found = json.loads(Path("b.json").read_text())
    assert found["failed"]["Absent"] == "is not here"
    assert found["failed"]["Late"] == "RuntimeError: out of memory"
    assert "no whole segment" in found["failed"]["Long"]
    assert [(m["name"], len(m["rounds"])) for m in found["methods"]] == [("Toy", 2)]
    assert "Late failed: RuntimeError: out of memory" in result.stdout


def test_an_interrupted_one_leaves_nothing(cli: Cli, toys: Path) -> None:
    result = cli("bench", "--methods", named("Toy", "Stopped"), *FRAMES, "--frames", 6, "--out", "b.json")
    assert result.exit_code == 130
    assert "nothing was written" in result.stderr
    assert not Path("b.json").exists()


def test_frames_of_a_data_set(cli: Cli, davis_root: Path) -> None:
    words = ("bench", "--methods", "empty", "--rounds", 1)
    result = cli(*words, "--dataset", "davis", "--data", davis_root, "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["data"]["frames"] == "davis val, bee"
    assert found["methods"][0]["rounds"][0]["frames"] == 6


def test_sparse_annotation_tells_no_speed(cli: Cli, vip_root: Path) -> None:
    words = ("--dataset", "vip", "--data", vip_root, "--split", "val")
    fails(cli, "bench", "--methods", "empty", *words, says=("videos2 is annotated in 3 of 51 frames",))


def test_the_embedded_data_set_is_made(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(synth_write.SPLITS, "test", replace(synth_write.SPLITS["test"], count=1))
    words = (
        "--methods",
        "empty,copy-first",
        "--rounds",
        1,
        "--dataset",
        "synth-davis",
        "--format",
        "markdown",
    )
    result = cli("bench", *words)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("- synth-davis test, videos73; 1 rounds")
    assert Path("data/synth/synth.json").is_file()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--methods", "empty,empty"), "empty is named twice"),
        (("--methods", ","), "no method is named"),
        (("--methods", "emty"), "unknown method 'emty'"),
        (("--methods", "empty-l5"), "expected options as in aten-l5, got 'l5'"),
        (("--size", "32"), "expected HEIGHTxWIDTH"),
        (("--size", "8x8"), "expected 32 to 4096 pixels a side"),
        (("--dataset", "davis", "--frames", 3), "Leave them out with --dataset"),
        (("--sequences", "bee"), "Name it by --dataset"),
        (("--picture", "a.png"), "Name a folder of Records by --records"),
        (("--out", "."), "is a folder"),
    ],
)
def test_bad_words(cli: Cli, words: tuple[object, ...], says: str) -> None:
    given = words if "--methods" in words else ("--methods", "empty", *words)
    fails(cli, "bench", *given, says=(says,))


@pytest.mark.parametrize("number", papers.tables())
def test_labels_name_the_methods_of_the_paper(number: int) -> None:
    pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")
    for row in papers.table(number).rows:
        if row.method in ("frame", "dff", "fgfa", "aten"):
            spec = MethodSpec(row.method, row.options)
            assert MethodSpec.of(spec.label) == spec


def test_a_label_with_a_dash_in_a_value() -> None:
    pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")
    spec = MethodSpec("aten", {"flow_input": "half", "l": "5", "preset": "paper-vip-released"})
    assert MethodSpec.of(spec.label) == spec
    with pytest.raises(UserError, match="option l=x"):
        MethodSpec.of("aten-lx")


MODULES = {"features": 6, "heads": 4, "flow": 2, "warp": 0, "temporal": 5}


def turn(fps: float) -> Round:
    seconds = {"features": 6 / fps, "heads": 2 / fps, "decode": 4 / fps}
    return Round(10, 15 / fps, seconds, fps * 10 / 11, fps * 10 / 15)


def measured() -> Bench:
    """frame at 11, 22 and 33 fps, aten at half of it, a third and a quarter."""
    said = Cost(MODULES, {"features": 1, "heads": 1}, 1)
    frame = Measured("frame", "frame", {}, "preset tiny, w", said, tuple(map(turn, (11, 22, 33))))
    more = Cost(MODULES, {"features": 1, "flow": 4, "warp": 4, "temporal": 3, "heads": 3}, 3, 2)
    slower = tuple(turn(fps) for fps in (11 / 2, 22 / 3, 33 / 4))
    aten = Measured(
        "aten", "aten", {"weights": "random", "device": "cuda"}, "preset tiny, random", more, slower
    )
    data = {"dataset": "synth", "frames": "30 frames", "rounds": 3}
    machine = {"cpu": "a processor", "cores": "2", "torch": "cpu", "load": "0.0", "python": "3.11"}
    versions = {"numpy": "2.0"}
    return Bench(
        (frame, aten), {"dff": "no memory"}, data, machine, versions, "2026-01-02T03:04:05+00:00", "vipbench"
    )


def test_ratios_are_of_the_same_round() -> None:
    found = measured()
    frame, aten = found.as_json()["methods"]
    assert frame["fps"] == {"median": pytest.approx(20), "q1": pytest.approx(15), "q3": pytest.approx(25)}
    measured_ratio = {"median": pytest.approx(3), "q1": pytest.approx(2.5), "q3": pytest.approx(3.5)}
    assert aten["ratio"]["measured"] == measured_ratio
    assert frame["ratio"]["measured"]["median"] == 1
    assert (frame["ratio"]["exact"], frame["ratio"]["eq9"]) == (1, None)
    assert aten["ratio"]["exact"] == pytest.approx((6 + 4 * 2 + 3 * 5 + 3 * 4) / (3 * 10))
    assert aten["ratio"]["eq9"] == pytest.approx(5 * 2 / (3 * 6) + 1 / 3)
    assert aten["multiplies"]["sum"] == pytest.approx(41 / 3)
    assert frame["ms"]["other"]["median"] == pytest.approx(1000 * 3 / 220)
    assert frame["share"] == pytest.approx(
        {n: s / 15 for n, s in zip(frame["share"], (6, 2, 4, 3), strict=True)}
    )


def test_tables_and_markdown() -> None:
    fast, time, count = grids(measured())
    assert fast.rows[1][1:5] == ["6.67", "5.83-7.08", "4.89", "4.28-5.19"]
    assert fast.rows[1][5:] == ["0.89", "1.43", "1.37", "3.00", "2.50-3.50"]
    assert time.rows[0][1] == "27.3 (40%)"
    assert count.headings[1] == "features G"
    text = to_markdown(measured())
    assert "| frame | 20.00 | 15.00-25.00 |" in text
    assert "- dff failed: no memory" in text
    assert "- aten: preset tiny, random" in text
    assert [len(list(grids(Bench((), {}, {}, {}, {}, "", ""))))] == [0]


def test_quartiles_of_one_round() -> None:
    assert Spread.of([2.0]) == Spread(2.0, 2.0, 2.0)


def test_points_come_from_records_of_the_same_method() -> None:
    table = papers.table(1)
    records = [
        made("aten", value=0.3, created="2025-01-01T00:00:00+00:00"),
        made("aten", value=0.4, options={"weights": "w", "l": "3"}),  # newer, and l=3 is the default
        made("aten", value=0.9, options={"l": "5"}),
        made("frame", value=0.9, options={"preset": "paper-vip"}),
        made("frame", value=0.8, dataset="vip"),
        made("dff", value=0.7),
    ]
    (aten,) = points(measured(), records, table)
    assert (aten.name, aten.score, aten.fps.median) == ("aten", pytest.approx(40), pytest.approx(20 / 3))
    with pytest.raises(UserError, match="no Record holds mIoU of frame, aten on synth"):
        points(measured(), [], table)


def test_the_papers_points() -> None:
    found = {point.name: (point.fps.median, point.score) for point in published(papers.table(1))}
    assert found == {
        "DFF": (8.2, 35.3),
        "FGFA": (0.8, 37.5),
        "ATEN-LSTM": (3.5, 37.9),
        "ATEN-p1": (4.1, 37.3),
        "ATEN": (3.8, 37.9),
    }
    assert published(papers.table(2)) == []


def test_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'vipbench[plots]'")
    draw(tmp_path / "p.png", measured(), [made("aten"), made("frame")], 1)
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.glob("*p.png*")] == ["p.png"]


def test_networks_without_weights_run_with_random_ones(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")
    from vipbench.baselines import weights

    shipped = weights.shipped
    monkeypatch.setattr(
        weights, "shipped", lambda method, *of: shipped(method, *of) if method == "frame" else None
    )
    words = ("--methods", "frame,fgfa-window2", "--frames", 4, "--rounds", 1, *FRAMES, "--format", "json")
    result = cli("bench", *words, "--preset", "tiny", "--device", "cpu")
    assert result.exit_code == 0, result.output
    frame, fgfa = json.loads(result.stdout)["methods"]
    assert frame["about"].startswith("preset tiny, the weights that come with vipbench")
    assert fgfa["about"] == "preset tiny, random weights"
    assert (frame["rounds"][0]["frames"], fgfa["rounds"][0]["frames"]) == (4, 2)
    assert fgfa["ratio"]["measured"]["median"] == frame["fps"]["median"] / fgfa["fps"]["median"]
    assert sum(fgfa["multiplies"][n] for n in fgfa["cost"]["calls"]) == fgfa["multiplies"]["sum"]
