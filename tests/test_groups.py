"""Numbers of groups, from a data set's tags to the rows: attributes of DAVIS 2016, occlusion in synth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_data import make_davis, square

from vipbench.breakdown import breakdown
from vipbench.datasets.synth import SynthDavis, make
from vipbench.datasets.synth_write import SPLITS, Split
from vipbench.errors import UserError
from vipbench.finish import finish
from vipbench.metrics.proposals import JUnsup
from vipbench.metrics.region import J
from vipbench.records import Record, Score
from vipbench.runner import run
from vipbench.scorer import score
from vipbench.specs import DatasetSpec, MethodSpec
from vipbench.states import VideoWork


def copied(data: DatasetSpec, split: str, out: Path) -> Record:
    """The Record of `copy-first`."""
    run(MethodSpec("copy-first", {}), data, split, out)
    return score(out, data, split)


def found(record: Record, by: str, measure: str) -> dict[str, float]:
    return {row.group: row.value for row in breakdown([record], by, [measure])}


def test_attributes_by_hand(tmp_path: Path) -> None:
    """bear is DEF alone and stands still; camel is CS, DEF, IO, ROT and moves away from where it was."""
    still, moved = [square(255)] * 4, [square(255, at) for at in (0, 4, 4, 0)]
    make_davis(tmp_path / "DAVIS", {"bear": still, "camel": moved, "unknown": moved})
    record = copied(DatasetSpec.of("davis", tmp_path / "DAVIS"), "val", tmp_path / "preds")
    assert found(record, "attribute", "J.mean") == {"CS": 0, "DEF": 0.5, "IO": 0, "ROT": 0}
    rows = breakdown([record], "attribute", ["J.mean"])
    assert {row.group: row.n for row in rows} == {"CS": 1, "DEF": 2, "IO": 1, "ROT": 1}


# Of four sequences, the attributes in https://github.com/fperazzi/davis-2017 data/db_info.yaml.
FOUR = {
    "bmx-trees": "LR SV SC FM CS IO MB DEF OCC HO EA BC",
    "car-shadow": "LR AC EA BC",
    "dance-twirl": "SC CS IO ROT MB DEF HO OV",
    "goat": "CS DEF EA BC",
}


def test_attributes_of_a_published_method(test_data: Path) -> None:
    """Each is the mean of its sequences, of which each is the mean of the published J or F of its frames."""
    published = json.loads((test_data / "davis2016_published/cut_fullprec.json").read_text())["per_frame"]
    data = DatasetSpec.of("davis", test_data / "DAVIS")
    record = score(test_data / "davis2016_predictions/cut", data, "val", tuple(FOUR))
    codes = {code for text in FOUR.values() for code in text.split()}
    for name in ("J", "F"):
        means = {video: float(np.mean(published[video][name])) for video in FOUR}
        expected = {c: np.mean([means[v] for v, text in FOUR.items() if c in text.split()]) for c in codes}
        assert found(record, "attribute", f"{name}.mean") == pytest.approx(expected, rel=0, abs=1e-12)


def test_occlusion_is_of_the_frames_of_a_level(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A level's J is the mean over the videos of the mean of their frames of that level."""
    monkeypatch.setitem(SPLITS, "hard", Split(85, 2, crowd=(3, 5), spread=0.42, blurred=0.46))
    make(tmp_path / "synth", ["hard"], size=(48, 80))
    record = copied(DatasetSpec.of("synth-davis", tmp_path / "synth"), "hard", tmp_path / "preds")
    frames = found(record, "frame", "J.frame")
    levels: dict[str, list[float]] = {}
    for video in SynthDavis(tmp_path / "synth").videos("hard"):
        own: dict[str, list[float]] = {}
        for frame in video.frames[1:-1]:
            (tag,) = frame.tags
            own.setdefault(tag.removeprefix("occlusion:"), []).append(frames[f"{video.id}/{frame.name}"])
        for level, values in own.items():
            levels.setdefault(level, []).append(float(np.mean(values)))
    assert len(levels) > 1
    expected = {level: np.mean(values) for level, values in levels.items()}
    assert found(record, "occlusion", "J.mean") == pytest.approx(expected, rel=0, abs=1e-12)


def test_a_level_has_no_decay_and_no_matching_of_its_own(davis_root: Path, davis_preds: Path) -> None:
    """What is of whole sequences is not of some of their frames; and tags are of known kinds alone."""
    data = DatasetSpec.of("davis", davis_root)
    known = {str(m): m for m in (J(), JUnsup())}
    (video, *_) = data.open().videos("val")

    def tagged(tag: str) -> list[Score]:
        frames = tuple(replace(frame, tags=(tag,) if frame.index < 3 else ()) for frame in video.frames)
        result = VideoWork(data, davis_preds, tuple(known.values()), None)(replace(video, frames=frames))
        finished, _ = finish(known, [result], [replace(video, frames=frames)])
        return [score for scores in finished.values() for score in scores if score.scope == tag]

    names = [score.measure.partition("(")[0] for score in tagged("occlusion:heavy")]
    assert names == ["J.mean", "J.recall"]
    for tag in ("size:small", "class:hat", "weather:rain"):
        with pytest.raises(UserError, match="expected <kind>:<name>, of a kind attribute, occlusion"):
            tagged(tag)
