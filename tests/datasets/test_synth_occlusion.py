"""Levels of occlusion of synth's frames: what they mean, and roots that lack them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scenes import FULL, SIZE, scene_of

from vipbench.datasets.synth import Synth, SynthDavis, make
from vipbench.datasets.synth_occlusion import level
from vipbench.datasets.synth_write import LENGTH, SPLITS, Split, least_seen
from vipbench.errors import UserError

BOTH = pytest.mark.parametrize("factory", [Synth, SynthDavis])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A split of one crowded video."""
    monkeypatch.setitem(SPLITS, "hard", Split(85, 1, crowd=(3, 5), spread=0.42, blurred=0.46))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """synth with its hard split, one video of 48x80."""
    make(tmp_path / "synth", ["hard"], size=SIZE)
    return tmp_path / "synth"


def edit(root: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change what synth.json says of the split."""
    path = root / "synth.json"
    manifest = json.loads(path.read_text())
    change(manifest["splits"]["hard"])
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("share", "expected"),
    [(1.0, "none"), (0.71, "none"), (0.7, "some"), (0.31, "some"), (0.3, "heavy"), (0.0, "heavy")],
)
def test_the_limits(share: float, expected: str) -> None:
    assert level(share) == expected


def test_the_share_is_that_of_the_most_hidden_person() -> None:
    """Of each person rendered alone, how many of its pixels are its own in the whole scene."""
    content = scene_of(0, "hard", SIZE)
    shares = least_seen("hard", 0, SIZE)["videos85"]
    assert len(shares) == LENGTH
    for t in range(0, LENGTH, 6):
        human, seen = content.render(t).human, []
        for number, who in enumerate(content.people):
            alone = replace(content, people=(who,)).render(t).human > 0
            if alone.any():
                seen.append(np.count_nonzero(alone & (human == number + 1)) / np.count_nonzero(alone))
        assert shares[t] == min(seen)


@BOTH
def test_frames_carry_their_level(root: Path, factory: Callable[[Path], Synth]) -> None:
    (video,) = factory(root).videos("hard")
    shares = least_seen("hard", 0, SIZE)["videos85"]
    assert [f.tags for f in video.frames] == [(f"occlusion:{level(share)}",) for share in shares]
    assert video.tags == ()
    assert len({f.tags for f in video.frames}) > 1


def test_frames_between_annotated_ones_have_their_own_level(tmp_path: Path) -> None:
    make(tmp_path, ["hard"], size=SIZE, every=5)
    (video,) = Synth(tmp_path).videos("hard")
    shares = least_seen("hard", 0, SIZE)["videos85"]
    assert [f.tags[0] for f in video.annotated] == [f"occlusion:{level(s)}" for s in shares[::5]]


def test_levels_of_the_frozen_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its 288 frames; all levels have enough of them for a number."""
    shares = least_seen("test", 0, FULL)
    assert list(shares) == [f"videos{n}" for n in range(73, 85)]
    assert Counter(level(s) for row in shares.values() for s in row) == {"none": 162, "some": 90, "heavy": 36}


# Roots made before there were levels


@BOTH
def test_a_root_without_levels_has_no_tags_and_check_says_how_to_add_them(
    root: Path, factory: Callable[[Path], Synth]
) -> None:
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    edit(root, lambda facts: facts.pop("least_seen"))
    assert not any(f.tags for f in factory(root).videos("hard")[0].frames)
    (problem,) = factory(root).check("hard")
    assert problem.warning
    assert (
        f"vipbench data make synth --out {root} --splits hard --seed 0 --size 48x80 --every 1" in problem.mend
    )
    make(root, ["hard"], size=SIZE)
    assert factory(root).check("hard") == []
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_a_frame_that_was_not_made_has_no_level(root: Path) -> None:
    edit(root, lambda facts: facts.update(least_seen={"videos85": [1.0, 0.2]}))
    frames = Synth(root).videos("hard")[0].frames
    assert [f.tags for f in frames[:3]] == [("occlusion:none",), ("occlusion:heavy",), ()]


@pytest.mark.parametrize("damage", [[], {"videos85": 1}, {"videos85": ["1"]}])
def test_damaged_shares_are_a_damaged_manifest(root: Path, damage: object) -> None:
    edit(root, lambda facts: facts.update(least_seen=damage))
    with pytest.raises(UserError, match=r"synth\.json: .*'least_seen' of split 'hard'"):
        Synth(root)
