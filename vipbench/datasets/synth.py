"""`synth` and `synth-davis`: the embedded procedural data set, read from disk as VIP and as DAVIS 2016.

Moving people of 19 parts who cross and hide each other before a moving camera, some frames blurred by
motion or out of focus. Everything is exact: parts, persons (ids hold over time) and flow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from vipbench.datasets import synth_occlusion
from vipbench.datasets.davis import Davis
from vipbench.datasets.synth_layout import vip_name
from vipbench.datasets.synth_manifest import FROZEN, NAME, again, hash_files, read_manifest, settings, version
from vipbench.datasets.synth_write import make, videos_of
from vipbench.datasets.vip import Vip
from vipbench.errors import Problem, UserError
from vipbench.types import Frame, Video

__all__ = ["Synth", "SynthDavis", "frozen", "make"]

ABOUT = """\
synth and synth-davis: moving articulated people with 19 parts, made by vipbench itself, the same bytes
from the same seed. 92 videos of 24 frames, 96x160: train 64, val 8, test 12,
hard 8 (more occlusion and blur). Blurred: the frame was exposed over 1.2 frame times (motion; a slow scene
shows little of it), or it is out of focus.
Where from: vipbench data make synth --out data/synth [--splits test,train]
Licence: MIT, as vipbench. Size: about 20 MB, and 250 MB of exact flow (.flo) with the train split.
synth is the VIP task (ROOT/VIP), synth-davis the same videos with the people as one object (ROOT/DAVIS)."""
SPLITS = ("test", "train", "val", "hard")


def frozen() -> dict[str, Any]:
    """The splits as they were frozen before any training: content hash and statistics of each."""
    found: dict[str, Any] = json.loads(files(__package__ or "").joinpath("synth_splits.json").read_text())
    return found


def _require(root: Path, split: str) -> None:
    """UserError unless the split was made."""
    if split not in SPLITS:
        raise UserError(f"synth has no split {split!r}, only {', '.join(SPLITS)}")
    listed = (root / f"VIP/lists/{split}_id.txt").is_file()
    if not listed or split not in read_manifest(root)["splits"]:
        raise UserError(
            f"{root}: split {split!r} of synth is not there. "
            f"Make it: vipbench data make synth --out {root} --splits {split}"
        )


def _home(root: Path) -> Path:
    """The root. Raises UserError if nothing was made there."""
    if not (Path(root) / NAME).exists():
        raise UserError(f"{root}: synth is not there. Make it: vipbench data make synth --out {root}")
    return Path(root)


def _problems(root: Path, split: str) -> list[Problem]:
    """Where the files of a split are not those that were made, those made not the frozen ones; no levels."""
    found = [*_file_problems(root, split), *_frozen_problems(root, split)]
    return [*found, *synth_occlusion.problems(root, split)]


def _file_problems(root: Path, split: str) -> list[Problem]:
    want = read_manifest(root)["splits"][split]["files"]
    got = hash_files(root, split, videos_of(split))
    return [] if want == got else [Problem(f"{root}, split {split}", f"files {want}", got, again(root))]


def _frozen_problems(root: Path, split: str) -> list[Problem]:
    manifest = read_manifest(root)
    if settings(manifest) != FROZEN:
        return []
    want, got = frozen()[split]["sha256"], manifest["splits"][split]["sha256"]
    mend = "Scores are not comparable: make it again with the vipbench of constraints.txt"
    return [] if want == got else [Problem(f"{root}, split {split}", f"content {want}", got, mend)]


def _flows(root: Path, video: Video) -> list[tuple[Frame, Frame, Path]]:
    by_name = {vip_name(frame.index): frame for frame in video.frames}
    pairs = []
    for path in sorted((root / "Flow" / video.id).glob("*.flo")):
        target, reference = path.stem.split("_")
        pairs.append((by_name[target], by_name[reference], path))
    return pairs


class Synth(Vip):
    """The VIP task of synth at `root`, the folder that `vipbench data make synth` wrote."""

    name = "synth"
    void = None
    splits = SPLITS
    env = "VIPBENCH_SYNTH"
    about = ABOUT

    def __init__(self, root: Path) -> None:
        self.home = _home(root)
        super().__init__(self.home / "VIP")
        self.version = version(self.home)

    def videos(self, split: str) -> Sequence[Video]:
        """As Vip.videos, tagged by occlusion. Raises UserError for a split that was not made."""
        _require(self.home, split)
        return synth_occlusion.tagged(self.home, split, super().videos(split))

    def check(self, split: str) -> list[Problem]:
        """As Vip.check, and whether the files are those made and their content the frozen one."""
        _require(self.home, split)
        return [*super().check(split), *_problems(self.home, split)]

    def flows(self, video: Video) -> list[tuple[Frame, Frame, Path]]:
        """(target, reference, .flo of the backward flow) of a video; only train has any."""
        return _flows(self.home, video)


class SynthDavis(Davis):
    """The foreground task of synth at `root`: the people as one object, DAVIS 2016 layout."""

    name = "synth-davis"
    splits = SPLITS
    env = "VIPBENCH_SYNTH"
    about = ABOUT

    def __init__(self, root: Path) -> None:
        self.home = _home(root)
        super().__init__(self.home / "DAVIS")
        self.version = version(self.home)

    def videos(self, split: str) -> Sequence[Video]:
        """As Davis.videos, tagged by occlusion. Raises UserError for a split that was not made."""
        _require(self.home, split)
        return synth_occlusion.tagged(self.home, split, super().videos(split))

    def check(self, split: str) -> list[Problem]:
        """As Davis.check, and whether the files are those made and their content the frozen one."""
        _require(self.home, split)
        return [*super().check(split), *_problems(self.home, split)]

    def flows(self, video: Video) -> list[tuple[Frame, Frame, Path]]:
        """(target, reference, .flo of the backward flow) of a video; only train has any."""
        return _flows(self.home, video)
