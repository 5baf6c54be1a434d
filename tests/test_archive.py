"""Paths that lead into zip files: as any folder's, and every fault of an archive named."""

import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny import Cli

from vipbench import archive
from vipbench.archive import ZipPath, opened
from vipbench.errors import UserError
from vipbench.folders import open_folder
from vipbench.records import load
from vipbench.rows import read_lines


def packed(path: Path, **members: bytes) -> Path:
    """A zip file; in the names "__" stands for "/"."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/"), content)
    return path


def test_it_is_asked_listed_and_read_as_a_folder(tmp_path: Path) -> None:
    root = opened(packed(tmp_path / "p.zip", top__a__x=b"1\r\n2\n", top__b=b"\xff", empty__=b""))
    assert sorted(path.name for path in root.iterdir()) == ["empty", "top"]
    assert list((root / "empty").iterdir()) == []
    path = root / "top/a/x"
    assert (root.is_dir(), path.is_file(), path.is_dir()) == (True, True, False)
    assert not (root / "top/c").is_file()
    assert not (root / "top/c").is_dir()
    assert str(path) == f"{tmp_path}/p.zip/top/a/x"
    assert path.read_bytes() == b"1\r\n2\n"
    assert read_lines(path) == ["1", "2"]
    assert pickle.loads(pickle.dumps(path)).read_bytes() == b"1\r\n2\n"
    with pytest.raises(UserError, match=r"p.zip/top/c: expected a text file, got nothing: no such file"):
        read_lines(root / "top/c")
    with pytest.raises(UserError, match=r"p.zip/top/b: expected a text file"):
        read_lines(root / "top/b")
    with pytest.raises(FileNotFoundError):
        (root / "top/c").iterdir()
    with pytest.raises(NotADirectoryError):
        path.write_bytes(b"")


def test_folders_are_left_as_they_are(tmp_path: Path) -> None:
    assert opened(tmp_path) is tmp_path
    with pytest.raises(UserError, match="no such folder or zip file"):
        opened(tmp_path / "absent.zip")


def test_a_changed_archive_is_read_anew(tmp_path: Path) -> None:
    path = packed(tmp_path / "p.zip", a=b"1")
    assert (opened(path) / "a").read_bytes() == b"1"
    packed(path, a=b"22")
    assert (opened(path) / "a").read_bytes() == b"22"
    path.unlink()
    with pytest.raises(FileNotFoundError):
        (ZipPath(path) / "a").read_bytes()


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "..\\a", "\\a"])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "p.zip", **{name: b""})
    with pytest.raises(
        UserError, match=r"p.zip: expected names of files in the archive, got .*, outside of it"
    ):
        opened(path)


def test_names_with_backslashes_and_dots_are_mended(tmp_path: Path) -> None:
    """As old Windows programs write them."""
    root = opened(packed(tmp_path / "p.zip", **{"a\\": b"", "a\\x": b"1", "./b//y": b"2"}))
    assert [(root / name).read_bytes() for name in ("a/x", "b/y")] == [b"1", b"2"]
    assert (root / "a").is_dir()


def test_a_file_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/x", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("a/x", "2")
    with pytest.raises(UserError, match=r"p.zip: expected each file once, got a/x twice. Zip"):
        opened(path)


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = packed(tmp_path / "p.zip", x=b"1")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"p.zip/x: .* got an encrypted one. Zip it without a password"):
        (opened(path) / "x").read_bytes()


def test_a_huge_member_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 99)
    root = opened(packed(tmp_path / "p.zip", fits=bytes(99), x=bytes(100)))
    assert (root / "fits").read_bytes() == bytes(99)
    with pytest.raises(UserError, match=r"p.zip/x: expected a file of at most 99 bytes, got one of 100"):
        (root / "x").read_bytes()


@pytest.mark.parametrize(
    "kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_any_damage_is_named(tmp_path: Path, kind: int) -> None:
    """Wherever an archive is cut or overwritten, it reads, or is a UserError that names it."""
    noise = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", kind) as file:
        for i in range(3):
            file.writestr(f"a/{i}.png", noise.bytes(100))
    whole = (tmp_path / "whole.zip").read_bytes()
    said = []
    for case in range(300):
        content = bytearray(whole)
        start = int(noise.integers(0, len(content)))
        content[start : start + 4] = noise.bytes(4) if case % 3 else b""
        path = tmp_path / "p.zip"
        path.write_bytes(content if case % 5 else content[:start])
        os.utime(path, ns=(case, case))
        try:
            read_all(opened(path))
        except UserError as error:
            said.append(str(error))
    assert len(said) > 100
    assert all(str(tmp_path / "p.zip") in text for text in said)


def test_commands_take_a_zip_file_for_the_folder(
    cli: Cli, davis_root: Path, davis_preds: Path, tmp_path: Path
) -> None:
    """And know who made it, as long as nothing in it has changed."""
    data = ("--dataset", "davis", "--data", davis_root)
    packs = [davis_preds, Path(shutil.make_archive(str(tmp_path / "upload"), "zip", davis_preds))]
    first, second = (cli("score", pack, *data, "--out", f"{pack.stem}.json") for pack in packs)
    assert (first.exit_code, second.exit_code) == (0, 0), second.output
    found = [load(Path(f"{pack.stem}.json")) for pack in packs]
    assert found[0].scores == found[1].scores
    assert [record.method for record in found] == ["copy-first"] * 2
    assert found[0].timing is not None
    assert found[1].timing == found[0].timing
    assert cli("check", packs[1], *data, "--strict-frames").exit_code == 0
    assert cli("overlay", packs[1], *data, "--out", "drawn").exit_code == 0
    assert len(list(Path("drawn").glob("*/*.png"))) == 12
    (davis_preds / "bee/00001.png").write_bytes((davis_preds / "ant/00001.png").read_bytes())
    shutil.make_archive(str(tmp_path / "upload"), "zip", davis_preds)
    changed = cli("score", packs[1], *data, "--out", "changed.json")
    assert "not as `run` left it (bee)" in changed.stderr
    assert load(Path("changed.json")).method == "upload"


def test_rows_and_maps_of_vip_are_read_from_a_zip_file(vip_preds: Path, tmp_path: Path) -> None:
    whole = open_folder(vip_preds)
    found = open_folder(Path(shutil.make_archive(str(tmp_path / "p"), "zip", tmp_path, "preds-vip")))
    assert (found.name, found.videos()) == ("vip", whole.videos())
    for video, frame in ((v, f) for v in whole.videos() for f in whole.frames(v)):
        assert found.frames(video) == whole.frames(video)
        assert [p.name for p in found.files(video, frame)] == [p.name for p in whole.files(video, frame)]
        for layer in whole.layers:
            here, there = (folder.read(video, frame).layer(layer) for folder in (whole, found))
            np.testing.assert_array_equal(here.ids, there.ids)
            assert here.segments == there.segments


def read_all(folder: Path) -> None:
    for path in folder.iterdir():
        read_all(path) if path.is_dir() else path.read_bytes()
