"""One prediction folder in the many forms that people hand in: `python tests/forms.py FOLDER OUT [FORM ...]`.

FOLDER holds `<sequence>/<frame>.png` with one object; every form of it says the same.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
from made_png import Kind, png

from vipbench.pixels import read_ids

KINDS: dict[str, tuple[int, Kind]] = {
    "gray 1": (1, Kind()),
    "gray 255": (255, Kind()),
    "gray 16 bit": (65535, Kind(bits=16)),
    "gray 16 bit 1": (1, Kind(bits=16, filter=5)),
    "gray 4 bit": (15, Kind(bits=4)),
    "gray 2 bit": (1, Kind(bits=2, filter=2)),
    "bilevel": (1, Kind(bits=1)),
    "palette 1": (1, Kind(palette=True)),
    "palette 255": (255, Kind(palette=True)),
    "palette 4 bit": (1, Kind(bits=4, palette=True)),
    "palette 2 bit": (3, Kind(bits=2, palette=True)),
    "palette 1 bit": (1, Kind(bits=1, palette=True)),
    "transparent": (255, Kind(palette=True, transparent=True)),
    "transparent gray": (255, Kind(transparent=True)),
    "filter sub": (255, Kind(filter=1)),
    "filter up": (1, Kind(palette=True, filter=2)),
    "filter average": (255, Kind(filter=3)),
    "filter paeth": (255, Kind(filter=4)),
    "interlaced": (255, Kind(interlaced=True)),
    "interlaced bilevel": (1, Kind(bits=1, interlaced=True)),
    "interlaced palette": (3, Kind(bits=2, palette=True, interlaced=True, filter=5)),
}
"""The value of the object, and the kind of file."""


def encoded(source: Path, out: Path, *kinds: str) -> Path:
    """The frames as files of these kinds in turns."""
    turns = cycle(KINDS[kind] for kind in kinds or KINDS)
    for path in sorted(source.glob("[!.]*/*.png")):
        value, kind = next(turns)
        target = out / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(png(np.where(read_ids(path) != 0, value, 0), kind))
    return out


def first_missing(source: Path, out: Path) -> Path:
    """Without the first frame of every sequence, which is not scored."""
    for sequence in sorted(encoded(source, out, "gray 255").iterdir()):
        min(sequence.iterdir()).unlink()
    return out


def last_missing(source: Path, out: Path) -> Path:
    """Without the last frame of every sequence, which is not scored."""
    for sequence in sorted(encoded(source, out, "gray 255").iterdir()):
        max(sequence.iterdir()).unlink()
    return out


def foreign(source: Path, out: Path) -> Path:
    """Thirty sequences of other splits beside it."""
    encoded(source, out, "gray 255")
    home = min(out.iterdir())
    for number in range(30):
        shutil.copytree(home, out / f"other-{number}")
    return out


def nested(source: Path, out: Path) -> Path:
    """In one folder further down."""
    encoded(source, out / "results", "palette 1")
    (out / "README.txt").write_text("our method")
    return out


def zipped(source: Path, out: Path) -> Path:
    """A zip file of the sequences."""
    return Path(shutil.make_archive(str(out), "zip", encoded(source, out, "palette 255")))


def zipped_folder(source: Path, out: Path) -> Path:
    """A zip file of a folder of all kinds of files, made on a Mac."""
    encoded(source, out / "results")
    (out / "results/.DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (out / "__MACOSX/results").mkdir(parents=True)
    (out / "__MACOSX/results/._00000.png").write_bytes(b"\0\5\26\7")
    return Path(shutil.make_archive(str(out), "zip", out))


FORMS: dict[str, Callable[[Path, Path], Path]] = {
    "mixed": encoded,
    "first missing": first_missing,
    "last missing": last_missing,
    "foreign sequences": foreign,
    "nested": nested,
    "zipped": zipped,
    "zipped folder": zipped_folder,
}

if __name__ == "__main__":
    given, made, *wanted = sys.argv[1:]
    for name in wanted or (*KINDS, *FORMS):
        target = Path(made) / name.replace(" ", "-")
        print(encoded(Path(given), target, name) if name in KINDS else FORMS[name](Path(given), target))
