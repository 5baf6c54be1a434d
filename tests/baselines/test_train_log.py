"""The curves of a training and the rule of its plateau, against figures by hand."""

import builtins
import csv
from math import isnan
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench.baselines import train  # noqa: E402
from vipbench.baselines.train_log import Log, draw, falls  # noqa: E402


def filled(path: Path, steps: int, held: list[float]) -> Log:
    """A log of steps whose loss terms are a = step, b = 2 * step."""
    log, totals = Log(path, steps), iter(held)
    for step in range(1, steps + 1):
        log.add({"a": torch.tensor(float(step)), "b": torch.tensor(2.0 * step)})
        if log.due(step):
            log.row(step, 0.1 / step, {"a": next(totals) - 1, "b": 1.0, "epe": 7.0})
    return log


def test_rows_are_means_over_the_steps_since_the_last_one(tmp_path: Path) -> None:
    filled(tmp_path / "w.csv", 85, [9.0] * 43)
    rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader((tmp_path / "w.csv").open())]
    assert [r["step"] for r in rows] == [*range(2, 85, 2), 85]
    assert list(rows[0]) == [
        "step",
        "rate",
        "a",
        "b",
        "total",
        "held_out",
        "held_out_a",
        "held_out_b",
        "held_out_epe",
    ]
    assert rows[0] == {
        "step": 2, "rate": 0.05, "a": 1.5, "b": 3.0, "total": 4.5, "held_out": 9.0, "held_out_a": 8.0,
        "held_out_b": 1.0, "held_out_epe": 7.0,
    }  # fmt: skip
    assert rows[-1]["a"] == 85.0


@pytest.mark.parametrize(
    ("held", "fall"),
    [
        ([9, 9, 9, 9, 9, 9, 4, 4, 3, 3], 0.25),
        ([9, 9, 9, 9, 9, 9, 4, 6, 4.9, 4.9], 0.02),
        ([1, 2, 3, 4, 5], -0.25),
        ([2, 1], 0.5),
        ([5, 5, 5, 5, 5, 5, 5, 5, 5, 8, 4], 1 - 6 / 5),
    ],
)
def test_fall_of_the_last_fifth(held: list[float], fall: float) -> None:
    assert falls(held) == pytest.approx(fall)


def test_no_plateau_can_be_seen_in_one_row_or_without_numbers() -> None:
    assert isnan(falls([1.0]))
    assert isnan(falls([float("nan")] * 10))


@pytest.mark.parametrize(
    ("last", "plateau"), [(0.97, "no"), (0.99, "yes"), (1.5, "yes"), (float("nan"), "no")]
)
def test_metadata_tells_the_plateau(last: float, plateau: str, tmp_path: Path) -> None:
    about = filled(tmp_path / "w.csv", 5, [3, 2, 2, 1, last]).about()
    assert about == {"plateau": plateau, "held_out": f"{last:.4f}", "held_out_fall": f"{1 - last:.4f}"}


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(filled(tmp_path / "w.csv", 5, [3, 2, 2, 1, 1]).rows, tmp_path / "w.png", "tiny")
    assert (tmp_path / "w.png").read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_a_note_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, notes = builtins.__import__, []

    def lacking(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return plain(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", lacking)
    train._picture(filled(tmp_path / "w.csv", 5, [3, 2, 2, 1, 1]), tmp_path / "w.safetensors", notes.append)
    assert notes == [f"{tmp_path}/w.png is not drawn: it needs matplotlib, pip install 'vipbench[plots]'"]
