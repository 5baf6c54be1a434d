"""Threads that read ahead and write behind: order, limits, and errors that nobody loses."""

import threading
import time
from collections.abc import Iterator

import pytest

from vipbench.pipeline import AHEAD, BEHIND, Behind, ahead
from vipbench.timing import stopwatch


def test_ahead_gives_everything_in_order_from_another_thread() -> None:
    def items() -> Iterator[tuple[int, int]]:
        for i in range(20):
            yield i, threading.get_ident()

    found = list(ahead(items(), "decode"))
    assert [i for i, _ in found] == list(range(20))
    assert {thread for _, thread in found}.isdisjoint({threading.get_ident()})
    assert list(ahead([], "decode")) == []


def test_ahead_is_no_further_than_it_says() -> None:
    made = 0

    def items() -> Iterator[int]:
        nonlocal made
        for i in range(50):
            made += 1
            yield i

    for i in ahead(items(), "decode"):
        time.sleep(0.001)
        assert made <= i + 1 + AHEAD


def test_what_making_an_item_raises_comes_where_it_is_due() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    found = ahead(items(), "decode")
    assert next(found) == 1
    with pytest.raises(ValueError, match="the second"):
        next(found)


def test_a_loop_that_is_left_ends_the_thread() -> None:
    before = threading.active_count()
    found = ahead(iter(range(100)), "decode")
    assert next(found) == 0
    found.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_behind_calls_in_order_and_is_no_later_than_it_says() -> None:
    called: list[int] = []
    started = 0

    def slowly(i: int) -> None:
        time.sleep(0.001)
        called.append(i)

    with Behind("write") as behind:
        for i in range(40):
            behind(slowly, i)
            started += 1
            assert started - len(called) <= BEHIND
        behind.finish()
        assert called == list(range(40))


def test_the_exception_of_a_call_is_raised_and_later_calls_are_dropped() -> None:
    called: list[int] = []

    def failing(i: int) -> None:
        if i == 3:
            raise OSError("disk full")
        called.append(i)

    def hundred() -> None:
        with Behind("write") as behind:
            for i in range(100):
                behind(failing, i)

    with pytest.raises(OSError, match="disk full"):
        hundred()
    assert called[:3] == [0, 1, 2]
    assert len(called) < 100


def test_an_exception_of_the_block_is_the_one_that_is_raised() -> None:
    def broken() -> None:
        with Behind("write") as behind:
            behind(time.sleep, 0)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        broken()


def test_waiting_counts_as_the_stage_and_work_beside_it_does_not() -> None:
    def items() -> Iterator[int]:
        for i in range(4):
            time.sleep(0.02)
            yield i

    with stopwatch() as watch:
        for _ in ahead(items(), "decode"):
            time.sleep(0.03)
        seconds = watch.read().stages["decode"]
    assert 0.01 < seconds < 0.06  # the first item, and nothing of the other three
