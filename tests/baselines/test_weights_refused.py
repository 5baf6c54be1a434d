"""Checkpoints that a method refuses: of another method or preset, cut short, a pickle, HDF5."""

import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from made_video import made  # noqa: E402

from vipbench.baselines import presets, weights  # noqa: E402
from vipbench.baselines.aten import Aten  # noqa: E402
from vipbench.baselines.frame import FrameMethod  # noqa: E402
from vipbench.baselines.network import AtenNet, FrameNet  # noqa: E402
from vipbench.errors import UserError  # noqa: E402


def saved(net: Any, path: Path, **about: str) -> Path:
    weights.save(net, path, about)
    return path


def test_of_another_method_preset_or_unit(tmp_path: Path) -> None:
    sizes, file = presets.load("tiny", "davis"), tmp_path / "w.safetensors"
    saved(FrameNet(sizes), file, method="frame")
    with pytest.raises(UserError, match=r'"method": "frame".* missing flow\.conv1.* Use the preset, method'):
        Aten(made("davis"), weights=file)
    saved(AtenNet(sizes, "lstm"), file, method="aten-lstm")
    with pytest.raises(UserError, match=r"aten-lstm.*\(missing gru\.candidate"):
        Aten(made("davis"), weights=file)
    with pytest.raises(UserError, match=r"unexpected flow\."):
        FrameMethod(made("davis"), weights=file)
    saved(FrameNet(presets.load("tiny-released", "davis")), file, preset="tiny-released")
    with pytest.raises(UserError, match=r'"tiny-released".*features\.low\.weight is \[24, 16, 1, 1\]'):
        FrameMethod(made("davis"), weights=file)


def test_cut_short(tmp_path: Path) -> None:
    file = saved(FrameNet(presets.load("tiny", "davis")), tmp_path / "w.safetensors")
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
