"""Zip files read without unpacking: paths that lead into them."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from lzma import LZMAError
from pathlib import Path, PosixPath

from vipbench.errors import ProblemError, UserError

MOST_BYTES = 2**28
"""A member that says to be larger is no mask, and is not inflated."""

DAMAGE = (zipfile.BadZipFile, zlib.error, LZMAError, struct.error, EOFError, OSError, ValueError)
"""What `zipfile` raises for archives that are cut or broken."""

AGAIN = "Zip the folder again"


class ZipPath(PosixPath):
    """A path that leads into a zip file, `preds.zip/ant/00000.png`; the zip file itself is its top folder.

    It is asked, listed and read as any other path. Writing to it fails, as below a file it does anywhere.
    """

    __slots__ = ()

    def is_file(self) -> bool:
        """Whether there is such a member."""
        archive, name = _located(self)
        return name in archive.members

    def is_dir(self) -> bool:
        """Whether a member lies below it."""
        archive, name = _located(self)
        return name in archive.folders

    def iterdir(self) -> Generator[ZipPath, None, None]:
        """What lies directly below it. Raises FileNotFoundError for no folder."""
        archive, name = _located(self)
        if name not in archive.folders:
            raise FileNotFoundError(2, os.strerror(2), str(self))
        return (self / child for child in archive.folders[name])

    def read_bytes(self) -> bytes:
        """The content of a member.

        Raises FileNotFoundError for none, UserError for one that is damaged, encrypted, or far too large.
        """
        archive, name = _located(self)
        if name not in archive.members:
            raise FileNotFoundError(2, os.strerror(2), str(self))
        return _content(self, archive.file, archive.members[name])

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """The content of a member as text, with line ends as "\\n". Raises as `read_bytes`."""
        text = self.read_bytes().decode(encoding or "utf-8", errors or "strict")
        return text.replace("\r\n", "\n").replace("\r", "\n")


def names(folder: Path) -> list[str]:
    """What lies directly below a folder, in any order; nothing if there is no such folder."""
    if not folder.is_dir():
        return []
    # To make a path of each takes longer than to list them.
    return [path.name for path in folder.iterdir()] if isinstance(folder, ZipPath) else os.listdir(folder)


def opened(path: Path) -> Path:
    """A folder as it is, a zip file as a ZipPath.

    Raises UserError for what is neither, and for an archive that is damaged, holds a file twice, or names one
    outside of itself.
    """
    if path.is_dir():
        return path
    if not path.exists():
        raise UserError(f"{path}: no such folder or zip file. Pass what holds the predictions' video folders")
    found = ZipPath(path)
    _located(found)
    return found


@dataclass(frozen=True)
class _Archive:
    """members, folders: by their path in the archive; the names in a folder, "" the top one."""

    file: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]
    folders: dict[str, list[str]]


def _located(path: ZipPath) -> tuple[_Archive, str]:
    """The archive that a path leads into and the way in it."""
    outer = whole = str(path)
    while not os.path.isfile(outer):
        outer, below = os.path.dirname(outer), outer
        if outer == below:
            raise FileNotFoundError(2, os.strerror(2), whole)
    status = os.stat(outer)
    return _read(outer, status.st_mtime_ns, status.st_size), whole[len(outer) + 1 :]


@lru_cache(maxsize=8)
def _read(path: str, changed: int, size: int) -> _Archive:
    """The archive's table of contents. changed, size: of the file, so that none outlives a change of it."""
    try:
        file = zipfile.ZipFile(path)
    except (*DAMAGE, NotImplementedError) as error:
        expected = "a folder or a zip file of predictions"
        got = f"a file that is neither, or is damaged ({error})"
        raise ProblemError(path, expected, got, f"{AGAIN}, or copy it again") from None
    members: dict[str, zipfile.ZipInfo] = {}
    for info in file.infolist():
        name = _name(path, info.filename)
        if name in members and not info.is_dir():
            raise ProblemError(path, "each file once", f"{name} twice", AGAIN)
        members[name] = info
    folders = _folders(members)
    return _Archive(file, {n: info for n, info in members.items() if n not in folders}, folders)


def _name(path: str, name: str) -> str:
    """A member's name with plain slashes, where some write "\\". Raises UserError if it leads outside."""
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or ".." in parts:
        raise ProblemError(path, "names of files in the archive", f"{name!r}, outside of it", AGAIN)
    return "/".join(part for part in parts if part not in ("", "."))


def _folders(members: dict[str, zipfile.ZipInfo]) -> dict[str, list[str]]:
    """What each folder holds: those with a member of their own, and those that are only named in others."""
    found: dict[str, dict[str, None]] = {"": {}}
    for name, info in members.items():
        if info.is_dir() or info.filename.endswith("\\"):
            found.setdefault(name, {})
        while name:
            name, _, child = name.rpartition("/")
            found.setdefault(name, {})[child] = None
    return {folder: list(children) for folder, children in found.items()}


def _content(path: Path, file: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.flag_bits & 1:
        raise ProblemError(path, "a file that can be read", "an encrypted one", "Zip it without a password")
    if info.file_size > MOST_BYTES:
        got = f"one of {info.file_size} bytes"
        raise ProblemError(path, f"a file of at most {MOST_BYTES} bytes", got, "Take it out of the zip file")
    try:
        return file.read(info)
    except (*DAMAGE, NotImplementedError) as error:
        got = f"a damaged one, or one of another kind of compression ({error})"
        raise ProblemError(path, "a whole file in the zip file", got, f"{AGAIN}, or copy it again") from None
