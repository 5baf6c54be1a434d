"""Files read ahead and written behind by another process: order, limits, and errors that nobody loses."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from operator import floordiv
from pathlib import Path
from typing import Any

import pytest

from vipbench import pipeline
from vipbench.helper import helper
from vipbench.pipeline import AHEAD, BEHIND, Call, ahead, behind
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


def test_a_loop_that_is_garbage_leaves_a_helper_that_works() -> None:
    gc.disable()
    try:
        box: list[Any] = [ahead(calls(100), "decode")]
        next(box[0])
        box.append(box)
        del box
        gc.collect()
        for _ in range(5):
            with helper() as there:
                assert there.ask(abs, -3).get() == 3
    finally:
        gc.enable()


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
    with behind("write") as later:
        for i in range(50):
            later(append, tmp_path / "out", i)
            assert i + 1 - len(done(tmp_path / "out")) <= BEHIND
        later.finish()
        assert done(tmp_path / "out") == list(range(50))


def test_the_exception_of_a_call_is_raised_and_the_loop_ends(tmp_path: Path) -> None:
    asked = 0

    def many() -> None:
        nonlocal asked
        with behind("write") as later:
            for asked in range(200):
                later(append, tmp_path / "out", asked)

    with pytest.raises(OSError, match="disk full"):
        many()
    assert done(tmp_path / "out")[:60] == list(range(60))
    assert asked <= 60 + BEHIND


def test_the_exception_of_a_last_call_is_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"), behind("write") as later:
        later(append, tmp_path / "out", 60)


def test_an_exception_of_the_block_is_the_one_that_is_raised(tmp_path: Path) -> None:
    def broken() -> None:
        with behind("write") as later:
            later(append, tmp_path / "out", 60)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        broken()


def test_one_process_reads_and_writes(tmp_path: Path) -> None:
    with behind("write") as later:
        found = ahead([(i, [(os.getpid,)]) for i in range(2)], "decode")
        for i, _ in found:
            later(append, tmp_path / "out", i)
        (_, pids), *_ = list(ahead([(0, []), (1, [(os.getpid,)])], "decode"))[1:]
        assert pids == [later.writer.process.pid]
    assert done(tmp_path / "out") == [0, 1]


def test_reading_beside_writing_keeps_both_in_order(tmp_path: Path) -> None:
    with behind("write") as later:
        one, other = ahead(calls(40), "decode"), ahead(calls(40, 1), "decode")
        for (i, three), (j, first) in zip(one, other, strict=True):
            assert (three, first) == ([i * 10 + k for k in range(3)], [j * 10])
            later(append, tmp_path / "out", i)
    assert done(tmp_path / "out") == list(range(40))


def test_what_writing_raises_is_not_raised_by_reading(tmp_path: Path) -> None:
    with behind("write") as later:
        later(append, tmp_path / "out", 60)
        assert len(list(ahead(calls(3), "decode"))) == 3
        with pytest.raises(OSError, match="disk full"):
            later.finish()


def test_what_is_read_and_not_asked_for_harms_nobody(tmp_path: Path) -> None:
    items = list(calls(5))
    items[2][1][0] = (floordiv, 1, 0)
    with behind("write") as later:
        for _ in range(3):
            found = ahead(items, "decode")
            assert next(found)[0] == 0
            found.close()  # type: ignore[attr-defined]
            assert not later.writer.due
        for i in range(5):
            later(append, tmp_path / "out", i)
    assert done(tmp_path / "out") == list(range(5))


def test_threads_have_helpers_of_their_own() -> None:
    """A context that is copied into a thread does not give away a pipe that another one uses."""

    def read() -> list[tuple[int, list[Any]]]:
        return list(ahead(calls(30), "decode"))

    with behind("write"), ThreadPoolExecutor(3) as pool:
        found = [pool.submit(copy_context().run, read) for _ in range(3)]
        expected = read()
        assert all(each.result(60) == expected for each in found)


def test_a_fork_has_a_helper_of_its_own() -> None:
    code = (
        "import os; from operator import floordiv; from vipbench.pipeline import ahead, behind\n"
        "with behind('write') as later:\n"
        "    child = os.fork()\n"
        "    items = [(i, [(floordiv, i, 1)]) for i in range(200)]\n"
        "    found = [read for _, (read,) in ahead(items, 'decode')]\n"
        "    assert found == list(range(200)), found\n"
        "    if not child: os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_blocks_that_end_in_the_order_they_began(tmp_path: Path) -> None:
    one, other = ExitStack(), ExitStack()
    one.enter_context(behind("write"))
    later = other.enter_context(behind("write"))
    one.close()
    _, (_, pids) = ahead([(0, []), (1, [(os.getpid,)])], "decode")
    assert pids == [later.writer.process.pid]
    other.close()
    assert not pipeline._writers.inner


def test_a_method_may_change_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with behind("write"):
        monkeypatch.chdir(tmp_path)
        _, (_, found) = ahead([(0, []), (1, [(os.getcwd,)])], "decode")
        assert found == [str(tmp_path)]


def test_waiting_counts_as_the_stage_and_work_beside_it_does_not() -> None:
    items = [(i, [(time.sleep, 0.02)]) for i in range(5)]
    with stopwatch() as watch:
        for _ in ahead(items, "decode"):
            time.sleep(0.05)
        seconds = watch.read().stages["decode"]
    assert 0.01 < seconds < 0.06  # the first item, and nothing of the other four
