"""Files read ahead and written behind by other processes: order, limits, and errors that nobody loses."""

import os
import signal
import time
from collections.abc import Iterator
from operator import floordiv
from pathlib import Path

import pytest

from vipbench import UserError
from vipbench.helper import Helper, helper
from vipbench.pipeline import AHEAD, BEHIND, Behind, Call, ahead
from vipbench.timing import stopwatch


def calls(count: int, of: int = 3) -> Iterator[tuple[int, list[Call]]]:
    """Items i with the calls that give i * 10, i * 10 + 1, ..."""
    for i in range(count):
        yield i, [(floordiv, i * 10 + k, 1) for k in range(of)]


@pytest.mark.parametrize("of", [0, 1, 2, 3, 5])
def test_ahead_gives_every_result_in_order(of: int) -> None:
    found = list(ahead(calls(20, of), "decode"))
    assert found == [(i, [i * 10 + k for k in range(of)]) for i in range(20)]
    assert list(ahead([], "decode")) == []


def test_ahead_is_made_by_another_process() -> None:
    _, second = ahead([(i, [(os.getpid,)]) for i in range(2)], "decode")
    assert second[1] != [os.getpid()]


def test_ahead_is_no_further_than_it_says() -> None:
    asked = 0

    def items() -> Iterator[tuple[int, list[Call]]]:
        nonlocal asked
        for item in calls(50):
            asked += 1
            yield item

    for i, _ in ahead(items(), "decode"):
        assert asked <= i + 1 + AHEAD


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (3, 1)])
def test_what_a_call_raises_comes_where_its_item_is_due(place: tuple[int, int]) -> None:
    items = list(calls(6))
    items[place[0]][1][place[1]] = (floordiv, 1, 0)
    found = ahead(items, "decode")
    for _ in range(place[0]):
        next(found)
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_videos_in_turn_do_not_mix() -> None:
    one, other = ahead(calls(9), "decode"), ahead(calls(9, 1), "decode")
    for (i, three), (j, first) in zip(one, other, strict=True):
        assert (i, three[:1]) == (j, first)


def test_a_loop_that_is_left_leaves_nothing_to_the_next() -> None:
    found = ahead(calls(100), "decode")
    assert next(found)[0] == 0
    found.close()  # type: ignore[attr-defined]
    assert list(ahead(calls(3), "decode")) == [(i, [i * 10 + k for k in range(3)]) for i in range(3)]


def append(path: Path, i: int) -> None:
    """A slow call with an effect."""
    time.sleep(0.001)
    if i == 60:
        raise OSError("disk full")
    with path.open("a") as file:
        file.write(f"{i}\n")


def done(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_behind_calls_in_order_and_is_no_later_than_it_says(tmp_path: Path) -> None:
    with Behind("write") as behind:
        for i in range(50):
            behind(append, tmp_path / "out", i)
            assert i + 1 - len(done(tmp_path / "out")) <= BEHIND
        behind.finish()
        assert done(tmp_path / "out") == list(range(50))


def test_the_exception_of_a_call_is_raised_and_the_loop_ends(tmp_path: Path) -> None:
    asked = 0

    def many() -> None:
        nonlocal asked
        with Behind("write") as behind:
            for asked in range(200):
                behind(append, tmp_path / "out", asked)

    with pytest.raises(OSError, match="disk full"):
        many()
    assert done(tmp_path / "out")[:60] == list(range(60))
    assert asked <= 60 + BEHIND


def test_the_exception_of_a_last_call_is_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"), Behind("write") as behind:
        behind(append, tmp_path / "out", 60)


def test_an_exception_of_the_block_is_the_one_that_is_raised(tmp_path: Path) -> None:
    def broken() -> None:
        with Behind("write") as behind:
            behind(append, tmp_path / "out", 60)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        broken()


def test_waiting_counts_as_the_stage_and_work_beside_it_does_not() -> None:
    items = [(i, [(time.sleep, 0.02)]) for i in range(5)]
    with stopwatch() as watch:
        for _ in ahead(items, "decode"):
            time.sleep(0.05)
        seconds = watch.read().stages["decode"]
    assert 0.01 < seconds < 0.06  # the first item, and nothing of the other four


class TestHelper:
    def test_relative_paths_are_those_of_today(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)
            with helper() as there:
                there.ask(os.getcwd)
                assert there.answer() == str(tmp_path / name)

    def test_it_is_used_again_once_it_is_free(self) -> None:
        def process() -> int:
            with helper() as there:
                there.ask(os.getpid)
                found: int = there.answer()
                return found

        assert process() == process() != os.getpid()

    def test_user_errors_arrive_as_they_were_raised(self) -> None:
        from vipbench.pixels import read_photo

        with helper() as there:
            there.ask(read_photo, Path("nowhere.jpg"))
            with pytest.raises(UserError, match="no such file"):
                there.answer()

    def test_what_cannot_be_sent_back_is_an_error_and_not_the_end(self) -> None:
        with helper() as there:
            there.ask(memoryview, b"")
            with pytest.raises(TypeError, match="pickle"):
                there.answer()
            there.ask(abs, -1)
            assert there.answer() == 1

    def test_a_helper_that_dies_is_named_and_replaced(self) -> None:
        def killed() -> None:
            with helper() as there:
                there.ask(os.kill, there.process.pid, signal.SIGKILL)
                there.answer()

        with pytest.raises(UserError, match="killed by signal 9"):
            killed()
        with helper() as there:
            there.ask(abs, -1)
            assert there.answer() == 1

    def test_it_ends_with_its_work(self) -> None:
        there = Helper()
        there.end()
        assert there.process.returncode == 0

    def test_ctrl_c_is_for_the_work_alone(self) -> None:
        with helper() as there:
            assert os.getpgid(there.process.pid) != os.getpgid(0)
