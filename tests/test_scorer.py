"""Folder -> Record: by hand, against published figures, and the same however it is computed."""

from __future__ import annotations

import csv
import importlib.util
import json
import linecache
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from tiny import Cli

from vipbench import records, registry, states
from vipbench.datasets.davis import Davis
from vipbench.errors import UserError
from vipbench.metrics.measure import Pair
from vipbench.metrics.region import areas
from vipbench.metrics.series import Series
from vipbench.pixels import write_ids
from vipbench.records import Record
from vipbench.runner import run
from vipbench.runstate import hash_files
from vipbench.scorer import file_name, score
from vipbench.specs import DatasetSpec, MethodSpec
from vipbench.wanted import protocols

PLUGIN = """
from dataclasses import dataclass
from vipbench.metrics.series import Series


@dataclass(frozen=True)
class Constant(Series):
    name = "Constant"

    def values(self, pair, objects):
        return [{} for _ in objects]
"""
J = "J.{}(frames=inner,objects=foreground)"
F = "F.{}(frames=inner,objects=foreground,tolerance=0.008)"


@pytest.fixture
def data(davis_root: Path) -> DatasetSpec:
    return DatasetSpec.of("davis", davis_root)


def test_copy_first_by_hand(davis_preds: Path, data: DatasetSpec) -> None:
    """The square is 6 wide and moves a pixel a frame: at frame t the copy shares 6 - t of 6 + t columns."""
    record = score(davis_preds, data, "val")
    expected = [(6 - t) / (6 + t) for t in (1, 2, 3, 4)]
    for t, value in zip((1, 2, 3, 4), expected, strict=True):
        assert record.value(J.format("frame"), f"bee/{t:05d}") == pytest.approx(value, abs=1e-15)
    assert record.value(J.format("frame"), "bee/00000") is None
    assert record.value(J.format("frame"), "bee/00005") is None
    assert record.value(J.format("mean"), "bee") == pytest.approx(np.mean(expected), abs=1e-15)
    assert record.value(J.format("mean")) == pytest.approx(np.mean(expected), abs=1e-15)
    assert record.value(J.format("recall"), "ant") == 0.25  # 5/7 alone is above .5, for 4/8 is not
    assert record.method == "copy-first"
    assert (record.dataset, record.split, record.provenance.layout) == ("davis", "val", "davis")
    assert record.provenance.warnings == ()
    assert record.timing is not None
    assert record.timing["frames"] == 12
    assert record.timing["fps"] > record.timing["fps_end_to_end"] > 0


def test_timing_leaves_out_decoding_and_writing(davis_preds: Path, data: DatasetSpec) -> None:
    lines = [
        {"seconds": 3.0, "timing": {"decode": 0.5, "heads": 1.0, "write": 0.5}, "video": "bee"},
        {"seconds": 2.0, "timing": {"heads": 1.0, "write": 1.0}, "video": "ant"},
    ]
    said = [{"frames": 6, "sha256": hash_files(davis_preds / str(line["video"])), **line} for line in lines]
    (davis_preds / ".vipbench/done.jsonl").write_text("".join(json.dumps(line) + "\n" for line in said))
    timing = score(davis_preds, data, "val").timing
    stages = {"decode": 0.5, "heads": 2.0, "write": 1.5}
    fps = {"fps": 4.0, "fps_end_to_end": 2.4}
    assert timing == {"frames": 12, "seconds": 5.0, "stages": stages, **fps}


def test_replaced_predictions_are_not_the_runs(davis_preds: Path, data: DatasetSpec) -> None:
    """Another method's files in the folder of a run get neither its name nor its speed."""
    write_ids(davis_preds / "bee/00002.png", np.ones((12, 16), np.uint16))
    record = score(davis_preds, data, "val")
    assert (record.method, record.options, record.timing) == ("preds-davis", {}, None)
    assert record.provenance.run is None
    (warning,) = record.provenance.warnings
    assert "not as `run` left it (bee)" in warning
    untouched = score(davis_preds, data, "val", sequences=("ant",))
    assert untouched.method == "copy-first"
    assert untouched.timing is not None


def test_a_run_that_was_stopped_keeps_its_name(davis_root: Path, data: DatasetSpec, tmp_path: Path) -> None:
    run(MethodSpec("copy-first"), data, "val", tmp_path / "out", sequences=("ant",))
    record = score(tmp_path / "out", data, "val")
    assert (record.method, record.timing) == ("copy-first", None)


def test_no_timing_where_the_folder_does_not_say(davis_preds: Path, data: DatasetSpec) -> None:
    (davis_preds / ".vipbench/done.jsonl").unlink()
    assert score(davis_preds, data, "val").timing is None


def test_vip_has_no_fps_since_not_all_frames_are_predicted(vip_preds: Path, vip_root: Path) -> None:
    frame = vip_root / "adjacent_frames/videos1/000000000001/000000000002.jpg"
    frame.parent.mkdir(parents=True)
    frame.write_bytes((vip_root / "Images/videos1/000000000001.jpg").read_bytes())
    timing = score(vip_preds, DatasetSpec.of("vip", vip_root), "val").timing
    assert timing is not None
    assert "fps" not in timing


def test_perfect_vip_folder_scores_one(vip_root: Path, tmp_path: Path) -> None:
    from vipbench.datasets.vip import Vip
    from vipbench.folders import VipFolder

    dataset = Vip(vip_root)
    for video in dataset.videos("val"):
        for frame in video.annotated:
            VipFolder(tmp_path / "perfect").write(video.id, frame.name, dataset.read(frame))
    record = score(tmp_path / "perfect", DatasetSpec.of("vip", vip_root), "val")
    assert set(record.protocols) == {"vip-paper", "vip-strict"}
    assert record.value("mIoU(absent=skip,frames=all)") == 1.0
    strict = [s for s in record.scores if s.scope == "all" and "matching=once" in s.measure]
    assert len(strict) > 5
    assert all(s.value == 1.0 for s in strict)
    assert record.method == "perfect"


def test_a_missing_frame_scores_as_empty_and_is_listed(davis_preds: Path, data: DatasetSpec) -> None:
    (davis_preds / "bee/00002.png").unlink()
    (davis_preds / "bee/00005.png").unlink()  # not scored: may be missing
    (davis_preds / "bee/00007.png").write_bytes((davis_preds / "bee/00001.png").read_bytes())
    record = score(davis_preds, data, "val")
    assert record.value(J.format("frame"), "bee/00002") == 0.0
    assert record.value(J.format("frame"), "bee/00001") == pytest.approx(5 / 7)
    listed = "\n".join(record.provenance.warnings)
    assert "00002" in listed
    assert "00007" in listed
    assert "00005" not in listed
    with pytest.raises(UserError, match=r"00002.*1 more"):
        score(davis_preds, data, "val", strict_frames=True)


@pytest.mark.parametrize("kind", ["davis", "vip"])
def test_jobs_and_cache_do_not_change_a_bit(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    preds, root = request.getfixturevalue(f"{kind}_preds"), request.getfixturevalue(f"{kind}_root")
    data, cache = DatasetSpec.of(kind, root), tmp_path / "cache"
    plain = score(preds, data, "val")
    assert score(preds, data, "val", jobs=2).scores == plain.scores
    assert score(preds, data, "val", jobs=2, cache=cache).scores == plain.scores
    cached = score(preds, data, "val", cache=cache)
    assert cached.scores == plain.scores
    assert cached.provenance.prediction_hash == plain.provenance.prediction_hash


def test_parts_have_the_numbers_of_the_whole(davis_preds: Path, data: DatasetSpec) -> None:
    whole = score(davis_preds, data, "val")
    for video in ("ant", "bee"):
        part = score(davis_preds, data, "val", sequences=(video,))
        own = [s for s in part.scores if s.scope != "all"]
        assert len(own) > 8
        assert own == [s for s in whole.scores if s.scope.partition("/")[0] == video]


@pytest.mark.parametrize("kind", ["davis", "vip"])
def test_states_merge_in_any_partition(request: pytest.FixtureRequest, kind: str) -> None:
    preds, root = request.getfixturevalue(f"{kind}_preds"), request.getfixturevalue(f"{kind}_root")
    data = DatasetSpec.of(kind, root)
    dataset = data.open()
    videos = [*dataset.videos("val"), *dataset.videos("train")]  # train has no prediction: all missing
    known = {str(m): m for measures in protocols(dataset).values() for m in measures}
    work = states.VideoWork(data, preds, tuple(known.values()), None)
    results = [work(video) for video in videos]
    order = [video.id for video in videos]
    for text, measure in known.items():
        a, b, c = (type(measure.empty()).from_json(result.states[text]) for result in results)
        expected = measure.finish(a.merge(b).merge(c), order)
        assert measure.finish(c.merge(a.merge(b)), order) == expected
        assert measure.finish(b.merge(measure.empty()).merge(c.merge(a)), order) == expected


class TestCache:
    @pytest.fixture(autouse=True)
    def _first(self, davis_preds: Path, data: DatasetSpec, tmp_path: Path) -> None:
        self.preds, self.data, self.cache = davis_preds, data, tmp_path / "cache"
        self.first = self.score()

    def score(self) -> Record:
        return score(self.preds, self.data, "val", cache=self.cache)

    def test_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(states, "write_text", lambda *_: pytest.fail("measured again"))
        assert self.score().scores == self.first.scores

    def test_changed_prediction_is_seen(self) -> None:
        write_ids(self.preds / "bee/00002.png", np.zeros((12, 16), np.uint16))
        assert self.score().value(J.format("frame"), "bee/00002") == 0.0
        assert self.score().value(J.format("frame"), "bee/00002") == 0.0

    def test_changed_ground_truth_is_seen(self) -> None:
        path = self.data.root / "Annotations/480p/bee/00002.png"
        write_ids(path, np.ones((12, 16), np.uint16))
        changed = self.score()
        assert changed.value(J.format("frame"), "bee/00002") == pytest.approx(30 / 192)
        assert changed.provenance.dataset_hash != self.first.provenance.dataset_hash
        assert changed.provenance.prediction_hash == self.first.provenance.prediction_hash

    def test_deleted_prediction_is_seen(self) -> None:
        (self.preds / "bee/00002.png").unlink()
        assert self.score().value(J.format("frame"), "bee/00002") == 0.0

    def test_damaged_file_is_made_again(self) -> None:
        for path in self.cache.iterdir():
            path.write_text(path.read_text()[:50])
        assert self.score().scores == self.first.scores


def test_a_version_without_protocol_is_named(
    davis_root: Path, davis_preds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bare(Davis):
        def __init__(self, root: Path) -> None:
            super().__init__(root)
            self.protocols = ()

    monkeypatch.setattr(DatasetSpec, "open", lambda self: Bare(davis_root))
    with pytest.raises(UserError, match="no protocol scores"):
        score(davis_preds, DatasetSpec.of("davis", davis_root), "val")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("davis2018", r"protocol 'davis2018'\. Did you mean davis2016\? Known: .*; or a measure, as F\("),
        ("G(tolerance=1)", "unknown measure 'G'"),
        ("davis2017-semi", "not for davis 2016 480p, which davis2016 scores"),
        ("vip-paper", "looks at the layer 'category', expected one of davis: object"),
    ],
)
def test_what_is_asked_for_must_fit(davis_root: Path, davis_preds: Path, asked: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        score(davis_preds, DatasetSpec.of("davis", davis_root), "val", asked=(asked,))


def test_protocols_and_measures_on_demand(davis_root: Path, davis_preds: Path) -> None:
    asked = ("davis2016", "F(tolerance=0.15)", "F(tolerance=3)", "J")
    record = score(davis_preds, DatasetSpec.of("davis", davis_root), "val", asked=asked)
    assert list(record.protocols) == ["davis2016", "asked"]
    label = "F.mean(frames=inner,objects=foreground,tolerance={})"
    pixels, share = (record.value(label.format(t)) for t in (3.0, 0.15))  # of the diagonal of 12x16, 20
    assert pixels == share
    assert file_name(record, DatasetSpec.of("davis", davis_root), None, asked[:2]) == (
        "copy-first.davis.val.davis2016.F_tolerance=0.15.json"
    )


def test_a_changed_plug_in_is_measured_anew(davis_root: Path, davis_preds: Path, tmp_path: Path) -> None:
    """Its code is part of what names a state in the cache."""
    plugin, work = tmp_path / "plugin.py", []
    for body in ("1.0", "0.5"):
        plugin.write_text(PLUGIN.format(body))
        linecache.clearcache()
        sys.modules.pop("plugin", None)
        spec = importlib.util.spec_from_file_location("plugin", plugin)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["plugin"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        states._hash.cache_clear()
        data = DatasetSpec.of("davis", davis_root)
        scoring = states.VideoWork(data, davis_preds, (module.Constant(),), tmp_path / "cache")
        work.append(scoring(data.open().videos("val")[0]).states)
    assert work[0] != work[1]


def test_a_failing_plug_in_is_named(davis_root: Path, davis_preds: Path) -> None:
    class Failing(Dice):
        def values(self, pair: Pair, objects: tuple[int, ...]) -> list[float]:
            return [1 / 0]

    data = DatasetSpec.of("davis", davis_root)
    scoring = states.VideoWork(data, davis_preds, (Failing(),), None)
    with pytest.raises(UserError, match=r"ant, frame 00001: the measure Dice\(.*ZeroDivisionError"):
        scoring(next(video for video in data.open().videos("val") if video.id == "ant"))


def test_published_figures_of_davis_2016(cli: Cli, test_data: Path, tmp_path: Path) -> None:
    """`cut` through the command line; summary to six decimals, every frame and global to 1e-12."""
    published = test_data / "davis2016_published"
    folder, root = test_data / "davis2016_predictions/cut", test_data / "DAVIS"
    words = (
        "--dataset",
        "davis",
        "--data",
        root,
        "--year",
        "2016",
        "--jobs",
        2,
        "--out",
        tmp_path / "cut.json",
    )
    result = cli("score", folder, *words, "--format", "json")
    assert result.exit_code == 0, result.stderr
    record = Record.from_json(result.stdout)
    assert record == records.load(tmp_path / "cut.json")
    full = json.loads((published / "cut_fullprec.json").read_text())
    for measure, letter in ((J, "J"), (F, "F")):
        for key in ("mean", "recall", "decay"):
            found = record.value(measure.format(key))
            assert found == pytest.approx(full["global"][f"{letter}{key}"], abs=1e-12, rel=0)
        for video, values in full["per_frame"].items():
            for frame, value in enumerate(values[letter], 1):
                found = record.value(measure.format("frame"), f"{video}/{frame:05d}")
                assert found is not None, (video, frame)
                assert math.isclose(found, value, rel_tol=0, abs_tol=1e-12)
    with (published / "val_summary.csv").open() as file:
        summary = next(row for row in csv.DictReader(file) if row["method"] == "cut")
    for column, label in (("Jmean", J.format("mean")), ("Fdecay", F.format("decay"))):
        assert f"{record.value(label):.6f}" == summary[column]


def test_real_folder_gives_the_same_with_and_without_jobs(test_data: Path) -> None:
    data = DatasetSpec.of("davis", test_data / "DAVIS")
    folder, few = test_data / "davis2016_predictions/lvo", ("libby", "blackswan", "soapbox")
    one, two = (score(folder, data, "val", few, jobs) for jobs in (1, 2))
    assert one.scores == two.scores
    assert one.provenance.warnings == ()  # lvo lacks the last frames, which are not scored


@dataclass(frozen=True)
class Dice(Series):
    """The example of CONTRIBUTING.md."""

    name: ClassVar[str] = "Dice"

    def values(self, pair: Pair, objects: tuple[int, ...]) -> list[float]:
        shared, gt, pred = areas(pair, objects, objects)
        both = zip(2 * shared.diagonal(), gt + pred, strict=True)
        return [float(common / total) if total else 1.0 for common, total in both]


def test_a_measure_plug_in_is_scored_where_its_layer_is(
    davis_root: Path, davis_preds: Path, vip_root: Path, vip_preds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, load = registry.names, registry.load
    monkeypatch.setattr(registry, "names", lambda group: [*names(group), *["Dice"] * (group == "measures")])
    monkeypatch.setattr(registry, "load", lambda group, name: Dice if name == "Dice" else load(group, name))
    record = score(davis_preds, DatasetSpec.of("davis", davis_root), "val")
    (label,) = (m for m in record.protocols["plug-ins"] if m.startswith("Dice.mean"))
    dice, jaccard = record.value(label), record.value(label.replace("Dice", "J"))
    assert dice is not None
    assert jaccard is not None
    assert jaccard < dice <= 2 * jaccard / (1 + jaccard) + 1e-12  # concave: the mean's Dice bounds it
    assert "plug-ins" not in score(vip_preds, DatasetSpec.of("vip", vip_root), "val").protocols
