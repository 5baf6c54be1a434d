"""The two layouts of VIP predictions: a class map, a person map and a part instance map a frame.

Line i of a text file describes id i of its image. HCPLab-SYSU/ATEN evaluate/ and the VIP challenge's rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from vipbench.errors import Problem, ProblemError, raise_first
from vipbench.folders.base import files_in, id_problems, size_problems, some, subfolders
from vipbench.pixels import read_ids, write_ids
from vipbench.rows import read_rows
from vipbench.segments import row_problems
from vipbench.types import Box, Frame, Parsing, Segment, SegmentMap


class VipFolder:
    """The layout that the released code writes and its three scripts read."""

    name = "vip"
    layers: tuple[str, ...] = ("category", "human", "part")
    looks = "<video>/gray/global_000000000001.png"
    images: tuple[str, ...] = ("gray/global_{}.png", "gray/inst_{}.png", "instance_part/{}.png")
    texts: tuple[str, ...] = ("gray/scores_{}.txt", "instance_part/{}.txt")

    def __init__(self, root: Path) -> None:
        self.root = root

    def videos(self) -> list[str]:
        """The video folders that are there, sorted."""
        return subfolders(self.root)

    def frames(self, video: str) -> list[str]:
        """The frames that have any of their five files, sorted."""
        found = {name for form in (*self.images, *self.texts) for name in _names(self.root / video, form)}
        return sorted(found)

    def files(self, video: str, frame: str) -> list[Path]:
        """Those of a frame's five files that are there."""
        paths = [self._path(form, video, frame) for form in (*self.images, *self.texts)]
        return [path for path in paths if path.is_file()]

    def read(self, video: str, frame: str) -> Parsing:
        """The three layers of a frame; a part's person is the one that owns most of its pixels.

        Raises UserError for a missing or damaged file, a row that is not numbers, rows that do not match
        the pixels, and layers of different sizes.
        """
        layers = {name: read(video, frame) for name, read in self._readers().items()}
        category, human, part = layers.values()
        raise_first([problem for name in layers for problem in self._faults(video, frame, layers, name)])
        return Parsing(category, human, _with_persons(part, human))

    def _faults(self, video: str, frame: str, layers: dict[str, SegmentMap], name: str) -> list[Problem]:
        path = self._path(self.images[self.layers.index(name)], video, frame)
        rows = [] if name == "category" else row_problems(str(path), layers[name])
        return size_problems(path, layers[name], layers["category"].size) + rows

    def _readers(self) -> dict[str, Callable[[str, str], SegmentMap]]:
        return {"category": self._category, "human": self._human, "part": self._part}

    def _category(self, video: str, frame: str) -> SegmentMap:
        return SegmentMap(read_ids(self._path(self.images[0], video, frame)))

    def _human(self, video: str, frame: str) -> SegmentMap:
        rows = read_rows(self._path(self.texts[0], video, frame), "%f %d %d %d %d", "%f")
        segments = (Segment(i, score=row[0], box=_box(row[1:])) for i, row in enumerate(rows, 1))
        return SegmentMap(read_ids(self._path(self.images[1], video, frame)), tuple(segments))

    def _part(self, video: str, frame: str) -> SegmentMap:
        rows = read_rows(self._path(self.texts[1], video, frame), "%d %f")
        segments = (Segment(i, int(row[0]), score=row[1]) for i, row in enumerate(rows, 1))
        return SegmentMap(read_ids(self._path(self.images[2], video, frame)), tuple(segments))

    def write(self, video: str, frame: str, parsing: Parsing) -> None:
        """Write a frame's five files; ids become 1, 2, ... in the order of the rows, scores have 6 decimals.

        More than 255 part instances make a 16-bit image, where the released code wraps around. Raises
        UserError for rows that do not match the pixels.
        """
        where = f"{self.root / video}, frame {frame}"
        human, part = parsing.layer("human"), parsing.layer("part")
        raise_first(row_problems(where, human) + row_problems(where, part))
        maps = (parsing.layer("category").ids, _numbered(human), _numbered(part))
        for form, ids in zip(self.images, maps, strict=True):
            # Plain gray: a palette would reach the released scripts as luma.
            write_ids(self._path(form, video, frame), ids, colours=False)
        persons = [
            f"{s.score:f} {' '.join(map(str, s.box or _extent(human, s.id)))}\n" for s in human.segments
        ]
        parts = [f"{s.category} {s.score:f}\n" for s in part.segments]
        for form, rows in zip(self.texts, (persons, parts), strict=True):
            self._path(form, video, frame).write_text("".join(rows), "utf-8")

    def examine(
        self, frame: Frame, size: tuple[int, int], classes: int
    ) -> tuple[Parsing | None, list[Problem]]:
        """Missing or damaged files, wrong sizes, ids or classes out of range, rows that do not match.

        Where there is none of these, parts that a person has twice, as a warning.
        """
        found: list[Problem] = []
        layers: dict[str, SegmentMap] = {}
        for form, (name, read) in zip(self.images, self._readers().items(), strict=True):
            path = self._path(form, frame.video, frame.name)
            try:
                layer = layers[name] = read(frame.video, frame.name)
            except ProblemError as error:
                found.append(error.problem)
                continue
            found += size_problems(path, layer, size)
            if name == "category":
                found += id_problems(path, layer, classes)
            else:
                found += row_problems(str(path), layer, classes)
        if found:
            return None, found
        part = _with_persons(layers["part"], layers["human"])
        return Parsing(layers["category"], layers["human"], part), _repeated(path, part)

    def _path(self, form: str, video: str, frame: str) -> Path:
        return self.root / video / form.format(frame)


class ChallengeFolder(VipFolder):
    """The layout of the VIP challenge's server: the same files under other names."""

    name = "vip-challenge"
    looks = "<video>/global_parsing/000000000001.png"
    images = ("global_parsing/{}.png", "instance_segmentation/{}.png", "instance_parsing/{}.png")
    texts = ("instance_segmentation/{}.txt", "instance_parsing/{}.txt")


def _names(video: Path, form: str) -> list[str]:
    """What stands for the {} of a form in the names of the files that are there."""
    folder, _, file = form.rpartition("/")
    before, after = file.split("{}")
    names = [n for n in files_in(video / folder) if n.startswith(before) and n.endswith(after)]
    return [name[len(before) : len(name) - len(after)] for name in names]


def _repeated(path: Path, part: SegmentMap) -> list[Problem]:
    """Several segments of a class in one person, of which AP may count each as right."""
    counts = Counter((s.human, s.category) for s in part.segments if s.human)
    twice = [f"{count} of class {c} in person {human}" for (human, c), count in counts.items() if count > 1]
    if not twice:
        return []
    mend = "`vip-paper` can count each as right, `vip-strict` one of them: join them"
    expected = "one segment for each class and person"
    return [Problem(str(path), expected, some(twice), mend, warning=True)]


def _box(numbers: list[float]) -> Box | None:
    if not numbers:
        return None
    y1, x1, y2, x2 = map(int, numbers)
    return y1, x1, y2, x2


def _extent(layer: SegmentMap, segment: int) -> Box:
    """The tightest box around a segment."""
    rows = np.flatnonzero((layer.ids == segment).any(axis=1))
    columns = np.flatnonzero((layer.ids == segment).any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _numbered(layer: SegmentMap) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """The ids as the position of their row, from 1."""
    position = np.zeros(65536, np.uint16)
    for number, segment in enumerate(layer.segments, 1):
        position[segment.id] = number
    return position[layer.ids]


def _with_persons(part: SegmentMap, human: SegmentMap) -> SegmentMap:
    """The parts with the person that owns most of each, 0 where no person owns any; ties to the lower id."""
    # Background owns no part; half a pixel of it wins where no person has any.
    shares = np.where(human.runs.ids > 0, part.runs.joint(human.runs), 0.5)
    persons = human.runs.ids[shares.argmax(axis=1)]
    owner = dict(zip(part.present, persons.tolist(), strict=True))
    return part.with_rows(replace(s, human=owner[s.id]) for s in part.segments)
