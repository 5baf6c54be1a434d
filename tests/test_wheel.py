"""The built wheel in an environment of its own, used from another folder."""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from vipbench.pixels import write_ids

ROOT = Path(__file__).parents[1]


def davis_root(root: Path) -> None:
    """Two sequences of four frames; the object is an 8x8 square that moves right."""
    (root / "ImageSets/2016").mkdir(parents=True)
    (root / "ImageSets/2016/val.txt").write_text("goose\nswan\n")
    for sequence in ("goose", "swan"):
        for t in range(4):
            ids = np.zeros((20, 30), np.uint16)
            ids[4:12, 2 * t : 2 * t + 8] = 255
            write_ids(root / f"Annotations/480p/{sequence}/{t:05d}.png", ids, colours=False)
            write_ids(root.parent / f"preds/{sequence}/{t:05d}.png", ids)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vipbench command of an environment that holds the wheel alone; its dependencies come from here."""
    home = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    source = home / "source"
    for folder in ("vipbench", "metrics", "baselines", "leaderboard"):
        shutil.copytree(ROOT / folder, source / folder)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(home), str(source)]
    subprocess.run(build, check=True)
    venv.create(home / "env", with_pip=False, system_site_packages=False)
    site = next((home / "env/lib").glob("python*/site-packages"))
    (wheel,) = home.glob("vipbench-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    here = next(p for p in sys.path if p.endswith("site-packages"))
    # Not all of them: an editable vipbench may lie beside them.
    for package in ("numpy", "scipy", "PIL", "click", "rich", "pygments", "markdown_it", "mdurl"):
        (site / package).symlink_to(Path(here) / package)
    for libraries in Path(here).glob("*.libs"):
        (site / libraries.name).symlink_to(libraries)
    return home / "env/bin/python"


def test_scores_from_another_folder(installed: Path, tmp_path: Path) -> None:
    davis_root(tmp_path / "DAVIS")
    (tmp_path / "metrics.py").write_text("raise ImportError('a file of the user shadows vipbench.metrics')")
    (tmp_path / "baselines.py").write_text(
        "raise ImportError('a file of the user shadows vipbench.baselines')"
    )
    command = [installed, "-m", "vipbench", "score", "preds", "--dataset", "davis", "--data", "DAVIS"]
    done = subprocess.run(
        [*command, "--out", "record.json", "--format", "json"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    means = {s["measure"]: s["value"] for s in record["scores"] if s["scope"] == "all"}
    assert means["J.mean(frames=inner,objects=foreground)"] == 1.0


def test_wheel_holds_data_and_no_foreign_names(installed: Path) -> None:
    site = next((installed.parents[1] / "lib").glob("python*/site-packages"))
    top = {p.name for p in site.iterdir() if not p.is_symlink() and "dist-info" not in p.name}
    assert top - {"bin", "__pycache__"} == {"vipbench"}
    for name in ("papers/aten2018.toml", "leaderboard/page.html", "py.typed"):
        assert (site / "vipbench" / name).is_file(), name
    for kind in ("baselines/presets/*.toml", "baselines/shipped/*.safetensors"):
        there = {path.name: path.read_bytes() for path in ROOT.glob(kind)}
        packed = {path.name: path.read_bytes() for path in (site / "vipbench").glob(kind)}
        assert there
        assert packed == there
