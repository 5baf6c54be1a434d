"""Checkpoints that a method refuses: of another method or preset, cut short, a pickle, HDF5."""

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import made  # noqa: E402

from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten  # noqa: E402
from vipbench.baselines.dff import Dff  # noqa: E402
from vipbench.baselines.fgfa import Fgfa  # noqa: E402
from vipbench.baselines.frame import FrameMethod  # noqa: E402
from vipbench.baselines.network import FgfaNet, FrameNet, GuidedNet  # noqa: E402
from vipbench.baselines.network_aten import AtenNet  # noqa: E402
from vipbench.errors import UserError  # noqa: E402


def saved(net: Any, path: Path, method: str, **about: str) -> Path:
    weights.save(net, path, weights.identity(method, net.preset) | about)
    return path


@pytest.mark.parametrize(
    ("build", "options", "net", "about", "words"),
    [
        (
            Dff,
            {},
            GuidedNet,
            {"method": "aten-mean"},
            'of {"method": "aten-mean"}, expected {"method": "dff"}',
        ),
        (Aten, {"unit": "mean"}, GuidedNet, {"method": "dff"}, 'expected {"method": "aten-mean"}'),
        (Dff, {}, AtenNet, {"method": "aten"}, 'expected {"method": "dff"}'),
        (Aten, {}, FrameNet, {"method": "frame"}, 'of {"method": "frame"}, expected {"method": "aten"}'),
        (Aten, {"p": 0}, GuidedNet, {"method": "unknown"}, 'expected {"method": "aten-p0"}'),
        (Fgfa, {}, FgfaNet, {"method": "fgfax"}, 'expected {"method": "fgfa"}'),
        (
            FrameMethod,
            {},
            FrameNet,
            {"method": "frame", "preset": "paper-davis"},
            'expected {"preset": "tiny"}',
        ),
        (FrameMethod, {}, FrameNet, {"method": "frame", "task": "vip"}, 'expected {"task": "davis"}'),
        (Aten, {}, AtenNet, {"method": "aten-p0", "task": "vip"}, 'of {"task": "vip"}, expected {"task"'),
    ],
)
def test_tensors_that_fit_of_another_method_preset_or_task(
    build: Any, options: dict[str, Any], net: Any, about: dict[str, str], words: str, tmp_path: Path
) -> None:
    file = saved(net(presets.load("tiny", "davis")), tmp_path / "w.safetensors", **about)
    with pytest.raises(UserError, match=re.escape(words) + ".* Use the preset, method"):
        build(made("davis"), weights=file, **options)


def test_without_a_word_of_what_they_are(tmp_path: Path) -> None:
    net, file = FrameNet(presets.load("tiny", "davis")), tmp_path / "w.safetensors"
    for about in ({}, {"format": "pt"}):
        weights.save(net, file, about)
        with pytest.raises(
            UserError, match=r'does not say of which method.*"frame".*vipbench weights import'
        ):
            FrameMethod(made("davis"), weights=file)
    weights.save(net, file, {"method": "frame", "task": "davis"})
    with pytest.raises(UserError, match=r'of {"preset": "unknown"}, expected {"preset": "tiny"}'):
        FrameMethod(made("davis"), weights=file)


def test_of_another_unit(tmp_path: Path) -> None:
    file = saved(AtenNet(presets.load("tiny", "davis"), "lstm"), tmp_path / "w.safetensors", "aten-lstm")
    with pytest.raises(UserError, match=r"aten-lstm.*\(missing gru\.candidate"):
        Aten(made("davis"), weights=file)


def test_cut_short(tmp_path: Path) -> None:
    file = saved(FrameNet(presets.load("tiny", "davis")), tmp_path / "w.safetensors", "frame")
    whole = file.read_bytes()
    for length in (0, 4, 1000, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"w\.safetensors: not a readable safetensors file.*again"):
            FrameMethod(made("davis"), weights=file)


class Code:
    """Runs when a pickle of it is read."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


@pytest.mark.parametrize("write", [torch.save, lambda code, path: path.write_bytes(pickle.dumps(code))])
def test_a_pickle_is_refused_unread_with_a_word_on_why(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Code(), tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"It is a pickle.* refused: to read one is to run what it says"):
        FrameMethod(made("davis"), weights=tmp_path / "w.safetensors")
    assert not (tmp_path / "ran").exists()


def test_keras_files_are_sent_to_the_import(tmp_path: Path) -> None:
    (tmp_path / "aten_p2l3.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(UserError, match="It is HDF5: `vipbench weights import`"):
        FrameMethod(made("davis"), weights=tmp_path / "aten_p2l3.h5")


def test_a_folder_and_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such weights file"):
        FrameMethod(made("davis"), weights=tmp_path / "none")
    with pytest.raises(UserError, match="not a readable safetensors file"):
        FrameMethod(made("davis"), weights=tmp_path)
