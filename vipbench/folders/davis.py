"""The DAVIS layout: `<sequence>/<frame>.png`, one image of object ids a frame."""

from __future__ import annotations

from pathlib import Path

from vipbench.errors import Problem, ProblemError
from vipbench.folders.base import files_in, id_problems, mask_problems, size_problems, subfolders
from vipbench.pixels import home, read_map, write_ids
from vipbench.types import Frame, Parsing


class DavisFolder:
    """Object ids as palette, gray, 16-bit or bilevel PNG; written with the PASCAL palette of DAVIS."""

    name = "davis"
    layers: tuple[str, ...] = ("object",)
    looks = "<sequence>/00000.png"

    def __init__(self, root: Path) -> None:
        self.root = root

    def videos(self) -> list[str]:
        """The sequence folders that are there, sorted."""
        return subfolders(self.root)

    def frames(self, video: str) -> list[str]:
        """The frames that have a PNG, sorted."""
        names = files_in(self.root / video)
        return [name.removesuffix(".png") for name in names if name.endswith(".png")]

    def files(self, video: str, frame: str) -> list[Path]:
        """The PNG of a frame, if it is there."""
        path = self._path(video, frame)
        return [path] if path.is_file() else []

    def read(self, video: str, frame: str) -> Parsing:
        """The object layer, with a row for each id that has pixels. Raises UserError if unreadable."""
        return Parsing(object=read_map(self._path(video, frame)))

    def write(self, video: str, frame: str, parsing: Parsing) -> None:
        """Write the ids of the object layer."""
        write_ids(self._path(video, frame), parsing.layer("object").ids)

    def examine(
        self, frame: Frame, size: tuple[int, int], classes: int
    ) -> tuple[Parsing | None, list[Problem]]:
        """An unreadable image, a wrong size, ids at or above `classes`, values that no mask has."""
        path = self._path(frame.video, frame.name)
        try:
            found = read_map(path)
        except ProblemError as error:
            return None, [error.problem]
        ids = id_problems(path, found, classes) or mask_problems(path, found)
        return Parsing(object=found), size_problems(path, found, size) + ids

    def _path(self, video: str, frame: str) -> Path:
        return home(self.root, video) / f"{frame}.png"
