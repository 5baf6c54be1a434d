"""Every method on real frames: the first dozen of three DAVIS sequences are run, checked and scored."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from tiny import Cli

from vipbench.baselines import weights
from vipbench.pixels import read_ids
from vipbench.records import load

SEQUENCES, FRAMES = ("blackswan", "car-shadow", "libby"), 12
METHODS = {
    "frame": ("frame",),
    "dff": ("dff",),
    "fgfa": ("fgfa",),
    "aten": ("aten",),
    "aten-lstm": ("aten", "-o", "unit=lstm"),
    "aten-mean": ("aten", "-o", "unit=mean"),
    "aten-unaligned": ("aten", "-o", "align=false"),
    "aten-p0": ("aten", "-o", "p=0"),
    "aten-all": ("aten", "-o", "offset=all"),
}
UNLENT = ("fgfa", "aten-lstm")  # which weights of others cannot fill


@pytest.fixture(scope="module")
def root(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAVIS root of its own with the beginnings of the sequences."""
    home = tmp_path_factory.mktemp("DAVIS")
    for kind, end in (("JPEGImages/480p", "jpg"), ("Annotations/480p", "png")):
        for sequence in SEQUENCES:
            (home / kind / sequence).mkdir(parents=True)
            for frame in range(FRAMES):
                name = f"{kind}/{sequence}/{frame:05d}.{end}"
                shutil.copyfile(test_data / "DAVIS" / name, home / name)
    (home / "ImageSets/2016").mkdir(parents=True)
    (home / "ImageSets/2016/val.txt").write_text("\n".join(SEQUENCES))
    return home


def lacking(variant: str) -> bool:
    """Whether no weights come with vipbench that a variant runs with."""
    return variant in UNLENT and not weights.shipped(variant, "davis", "tiny")


@pytest.mark.parametrize("variant", METHODS)
def test_real_frames_are_run_checked_and_scored(variant: str, root: Path, cli: Cli, tmp_path: Path) -> None:
    data, out = ("--dataset", "davis", "--data", root), tmp_path / "preds"
    options = ("-o", "weights=random") if lacking(variant) else ()
    for words in (
        ("run", "--method", *METHODS[variant], *options, *data, "--out", out),
        ("check", out, *data, "--strict-frames"),
        ("score", out, *data, "--out", tmp_path / "record.json"),
    ):
        result = cli(*words)
        assert result.exit_code == 0, result.output
    maps = sorted(out.glob("*/*.png"))
    assert [m.relative_to(out) for m in maps] == [
        Path(f"{sequence}/{frame:05d}.png") for sequence in SEQUENCES for frame in range(FRAMES)
    ]
    assert all(read_ids(m).shape == (480, 854) for m in maps)
    record = load(tmp_path / "record.json")
    assert record.videos == SEQUENCES
    assert record.provenance.warnings == ()
    values = {label: record.value(label) or 0 for _, label in record.totals}
    assert {label.split("(")[0] for label in values} == {
        f"{measure}.{key}" for measure in ("J", "F", "JF") for key in ("mean", "recall", "decay")
    }
    assert all(abs(value) <= 1 for value in values.values())
