"""What a prediction folder knows of its making: `<folder>/.vipbench/run.json` and `done.jsonl`."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vipbench import provenance
from vipbench.atomic import write_text
from vipbench.errors import UserError
from vipbench.specs import DatasetSpec, MethodSpec
from vipbench.types import Dataset, Method, Video
from vipbench.version import __version__

STATE = ".vipbench"
COMPARED = (
    "method",
    "options",
    "source",
    "dataset",
    "dataset_options",
    "dataset_version",
    "data",
    "split",
    "version",
)
NOTHING = hashlib.sha256().hexdigest()
"""What `hash_files` says of a folder that is not there."""


@dataclass(frozen=True)
class Done:
    """A finished video. frames: how many were predicted. sha256: over its files' names and bytes.

    seconds: wall time from first frame to last. timing: of it, seconds by stage. input: `hash_input` of the
    video, "" where the run did not note it. steady: "frames", "seconds" and "stages" of the frames that tell
    the method's speed; empty where the run did not note them.
    """

    video: str
    frames: int
    sha256: str
    seconds: float
    timing: dict[str, float]
    input: str = ""
    steady: dict[str, Any] = field(default_factory=dict)


def settings(
    method: MethodSpec, data: DatasetSpec, dataset: Dataset, split: str, built: Method
) -> dict[str, Any]:
    """The content of run.json: what decides the predictions (COMPARED) and where they were made."""
    return {
        "method": method.name,
        "options": method.options,
        "source": method.source(),
        "dataset": data.name,
        "dataset_options": data.options,
        "dataset_version": dataset.version,
        "split": split,
        "version": __version__,
        "data": str(data.root.resolve()),
        "git": provenance.git_commit(),
        "command": provenance.command(),
        "created": provenance.now(),
        "about": getattr(built, "about", ""),
        "cost": asdict(built.cost()) if hasattr(built, "cost") else None,
        "device": provenance.device(str(getattr(built, "device", "")) or None),
    }


def read_settings(folder: Path) -> dict[str, Any] | None:
    """The content of run.json, None if `run` did not make the folder. Raises UserError if damaged."""
    path = folder / STATE / "run.json"
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path}: damaged ({error}). Delete {folder / STATE}, or make the folder again"
        ) from None
    return dict(found)


@contextmanager
def claimed(out: Path, wanted: dict[str, Any]) -> Iterator[None]:
    """Hold the folder `out` for a run with these settings; the kernel lets go of it if the process dies.

    Raises UserError, and writes nothing, if another run works on it, or it holds something else.
    """
    _agree(out, wanted)
    state = out / STATE
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read()
            raise UserError(f"{out}: another run ({owner}) works on it. Choose another --out") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        _agree(out, wanted)
        shutil.rmtree(state / "tmp", ignore_errors=True)
        if not (state / "run.json").exists():
            write_text(state / "run.json", json.dumps(wanted, indent=1) + "\n")
        try:
            yield
        finally:
            shutil.rmtree(state / "tmp", ignore_errors=True)


def _agree(out: Path, wanted: dict[str, Any]) -> None:
    found = read_settings(out)
    if found is None:
        strangers = [path for path in out.iterdir() if path.name != STATE] if out.is_dir() else []
        if strangers or (out.exists() and not out.is_dir()):
            raise UserError(f"{out}: holds files that `run` did not make. Choose another --out")
        return
    other = outdated(out, wanted)
    if other:
        raise UserError(f"{out}: was made with {other}. Delete the folder, or choose another --out")


def outdated(folder: Path, wanted: dict[str, Any]) -> str:
    """With what else the folder was made, as words, "" where a run with these settings may go on."""
    found = read_settings(folder) or wanted
    for key in COMPARED:
        if found.get(key) != wanted[key]:
            hashed = key == "source"  # two hashes tell nobody anything
            return "other code or weights" if hashed else f"{key} {found.get(key)!r}, not {wanted[key]!r}"
    return ""


def finished(folder: Path, videos: Sequence[Video]) -> dict[str, Done]:
    """The videos that need not be predicted again: their images and files are still what they were.

    A last line cut by a kill does not count.
    """
    said = {done.video: done for done in lines(folder)}
    stale = changed(folder, videos)
    known = [video for video in videos if video.id in said and video.id not in stale]
    return {v.id: said[v.id] for v in known if said[v.id].input == hash_input(v)}


def changed(folder: Path, videos: Sequence[Video]) -> list[str]:
    """The videos whose files are not those that a run wrote last, or of which there was no run at all."""
    said = {done.video: done.sha256 for done in lines(folder)}
    return [v.id for v in videos if hash_files(folder / v.id) != said.get(v.id, NOTHING)]


def lines(folder: Path) -> list[Done]:
    """The finished videos as done.jsonl has them, the last line of each."""
    path = folder / STATE / "done.jsonl"
    found: dict[str, Done] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            done = Done(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found[done.video] = done
    return list(found.values())


def publish(folder: Path, done: Done) -> None:
    """Rename a video's folder into place, then say that it is done."""
    os.replace(temporary(folder) / done.video, folder / done.video)
    path = folder / STATE / "done.jsonl"
    whole = "".join(json.dumps(asdict(line)) + "\n" for line in [*lines(folder), done])
    write_text(path, whole)


def temporary(folder: Path) -> Path:
    """Where videos are written that are not whole yet."""
    return folder / STATE / "tmp"


def hash_input(video: Video) -> str:
    """sha256 over a video's frame names, which of them are annotated, and the bytes of their images.

    What else a method may read (labels, other splits) is known by the root and version of the data set, which
    `settings` compares.
    """
    digest = hashlib.sha256()
    for frame in video.frames:
        image = frame.image.read_bytes() if frame.image.is_file() else b""
        digest.update(f"{frame.name} {frame.annotated} {hashlib.sha256(image).hexdigest()}\n".encode())
    return digest.hexdigest()


def hash_files(folder: Path) -> str:
    """sha256 over the relative paths and bytes of all files below a folder; of nothing if it is not there."""
    digest = hashlib.sha256()
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder, which may lie in a zip file."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_file():
            yield path
        elif not path.is_symlink():
            yield from _files(path)
