"""Shared fixtures: tiny data sets in the layouts of the real ones, and the folder of real data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny import Cli, make_davis, make_vip

from vipbench import png, runs
from vipbench.cli import main
from vipbench.metrics import boundary, masks
from vipbench.native import native


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of research data that VIPBENCH_TEST_DATA names; tests skip without it."""
    folder = os.environ.get("VIPBENCH_TEST_DATA")
    if not folder:
        pytest.skip("VIPBENCH_TEST_DATA is not set: it names the folder with DAVIS and published results")
    return Path(folder)


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-home"))


@pytest.fixture(scope="module", params=["compiled", "numpy"])
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """Once with the compiled kernels, once with their definitions."""
    if request.param == "compiled" and native is None:
        pytest.skip("the kernels are not compiled here: install with a C compiler, without VIPBENCH_NATIVE=0")
    with pytest.MonkeyPatch.context() as patch:
        for module in (runs, boundary, masks, png) if request.param == "numpy" else ():
            patch.setattr(module, "native", None)
        yield request.param


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Call `vipbench` in an empty working folder, without any root in the environment."""
    for variable in ("VIPBENCH_COCO", "VIPBENCH_DAVIS", "VIPBENCH_VIP", "VIPBENCH_SYNTH"):
        monkeypatch.delenv(variable, raising=False)
    here = tmp_path / "cwd"
    here.mkdir(exist_ok=True)
    monkeypatch.chdir(here)
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def davis_root(tmp_path: Path) -> Path:
    """DAVIS 2016 with three sequences of six frames, 12x16; "cat" is the train split."""
    return make_davis(tmp_path / "DAVIS")


@pytest.fixture
def vip_root(tmp_path: Path) -> Path:
    """VIP (layout A) with three videos of three annotated frames, 12x16; "videos3" is the train split."""
    return make_vip(tmp_path / "VIP")


@pytest.fixture
def davis_preds(cli: Cli, davis_root: Path, tmp_path: Path) -> Path:
    """The tiny DAVIS val split as predicted by `copy-first`."""
    return _copied(cli, "davis", davis_root, tmp_path / "preds-davis")


@pytest.fixture
def vip_preds(cli: Cli, vip_root: Path, tmp_path: Path) -> Path:
    """The tiny VIP val split as predicted by `copy-first`."""
    return _copied(cli, "vip", vip_root, tmp_path / "preds-vip")


def _copied(cli: Cli, name: str, root: Path, out: Path) -> Path:
    result = cli("run", "--method", "copy-first", "--dataset", name, "--data", root, "--out", out)
    assert result.exit_code == 0, result.stderr
    return out
