"""A file is whole or not there, whatever stops the writer."""

import json
from pathlib import Path

import numpy as np
import pytest

from vipbench.atomic import replacing, write_text
from vipbench.flow import read_flow, write_flow


def test_nothing_changes_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new/file"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def fill() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        fill()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_are_no_text_survive_as_json(tmp_path: Path) -> None:
    """A file name of other bytes than UTF-8 reaches Python as lone surrogates."""
    name = b"caf\xe9".decode(errors="surrogateescape")
    write_text(tmp_path / "file", json.dumps({"name": name}, ensure_ascii=False))
    assert json.loads((tmp_path / "file").read_text()) == {"name": name}


def test_flow_replaces_flow(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        write_flow(tmp_path / "a.flo", np.full((2, 3, 2), value))
    assert (read_flow(tmp_path / "a.flo") == 2).all()
    assert [path.name for path in tmp_path.iterdir()] == ["a.flo"]
