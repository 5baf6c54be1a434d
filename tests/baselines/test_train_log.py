"""The curves of a training and the rule of its plateau, against figures by hand."""

import builtins
import csv
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch: pip install 'vipbench[baselines]'")

from vipbench import UserError  # noqa: E402
from vipbench.baselines import train  # noqa: E402
from vipbench.baselines.train_log import Log, draw, falls, plateau  # noqa: E402


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


def test_falls_of_the_last_fifth() -> None:
    """Ten rows, fifths of two: the last 3, before it 4, the middle one 6, the first row 9."""
    held = [9.0, 9, 9, 9, 4, 8, 4, 4, 3, 3]
    assert falls(held) == pytest.approx((1 - 3 / 4, 1 - 3 / 6, 1 - 3 / 9))
    assert falls([1.0, 2, 3, 4, 5]) == pytest.approx((1 - 5 / 4, 1 - 5 / 3, 1 - 5 / 1))
    eleven = [5.0, 5, 5, 5, 7, 9, 5, 5, 5, 8, 4]  # a middle of rows 4 and 5
    assert falls(eleven) == pytest.approx((1 - 6 / 5, 1 - 6 / 8, 1 - 6 / 5))


def fifths(*means: float, first: float = 10.0, count: int = 40) -> list[dict[str, float]]:
    held = [m for m in means for _ in range(count // 5)]
    return [{"held_out": h} for h in [first, *held[1:]]]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        (fifths(8, 6, 5, 5, 4.95), "yes"),
        (fifths(8, 6, 5, 5, 4.85), "no"),  # 3 % in the last fifth
        (fifths(8, 6, 5, 4.55, 4.51), "yes"),
        (fifths(8, 6, 5, 4.5, 4.48), "no"),  # at rest by the rate alone: over 10 % since the middle
        (fifths(8, 6, 5, 5, 6), "yes"),  # rises
        (fifths(9.5, 9.2, 9.1, 9.1, 9.05), "no"),  # learnt nothing: 9.5 % since the start
        (fifths(10, 10, 10, 10, 10), "no"),
        (fifths(8, 8, 10, 11, 12), "no"),  # ends worse than it began
        (fifths(8, 6, 5, 5, 4.95, count=20), "yes"),
        (fifths(8, 6, 5, 5, 4.95, count=15), "no"),  # too few rows
        ([{"held_out": 2.0}, {"held_out": 1.99}], "no"),  # two steps
        ([{"held_out": 2.0}], "no"),
        (fifths(8, 6, 5, 5, float("nan")), "no"),
    ],
)
def test_plateau(rows: list[dict[str, float]], verdict: str) -> None:
    assert plateau(rows)["plateau"] == verdict
    written = [{"held_out": str(row["held_out"])} for row in rows]  # as a CSV file has them
    assert plateau(written) == plateau(rows)


def test_no_plateau_without_rows() -> None:
    with pytest.raises(UserError, match="log without rows"):
        plateau([])


def test_metadata_tell_the_plateau(tmp_path: Path) -> None:
    about = filled(tmp_path / "w.csv", 5, [3, 2, 2, 1, 0.97]).about()
    assert about == {
        "plateau": "no",
        "held_out": "0.9700",
        "held_out_fall": "0.0300",
        "held_out_fall_from_middle": "0.5150",
        "held_out_fall_from_start": "0.6767",
    }


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
