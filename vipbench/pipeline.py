"""Files beside the work: a process reads ahead of it and writes behind it, both in order.

The seconds that the work waits for it count as the stage of the one or the other.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from vipbench.helper import Asked, Helper, helper
from vipbench.timing import stage

T = TypeVar("T")
Call = tuple[Any, ...]
"""A function and its arguments, see `Helper`."""
AHEAD = 2  # items whose calls are made before they are asked for
BEHIND = 32  # calls that wait to be made


class _Writers(threading.local):
    """The helpers of this thread's `behind` blocks: no two threads may use a pipe at once."""

    def __init__(self) -> None:
        self.inner: list[Helper] = []


_writers = _Writers()
os.register_at_fork(after_in_child=lambda: _writers.inner.clear())  # they are the parent's


def ahead(items: Iterable[tuple[T, Sequence[Call]]], waiting: str) -> Iterator[tuple[T, list[Any]]]:
    """Items, each with what its calls return; these are made up to AHEAD items before. waiting: the stage of
    the wait.

    What a call raises is raised where its item is due. Before the first item there is nothing else to do, so
    that every other of its calls is made here.
    """
    source = iter(items)
    with _helper() as reader:
        for item, calls in islice(source, 1):
            there = _ask(reader, calls[1::2])
            due = deque(_asked(reader, source, AHEAD))
            with stage(waiting):
                found = _shared(calls, there)
            yield item, found
            while due:
                due.extend(_asked(reader, source, 1))
                with stage(waiting):
                    item, found = _answered(*due.popleft())
                yield item, found


def _shared(calls: Sequence[Call], there: Sequence[Asked]) -> list[Any]:
    """What calls return of which every other is made here."""
    here = [call(*args) for call, *args in calls[::2]]
    found = [asked.get() for asked in there]
    return [(here, found)[i % 2][i // 2] for i in range(len(calls))]


def _ask(reader: Helper, calls: Sequence[Call]) -> list[Asked]:
    return [reader.ask(*call) for call in calls]


def _asked(
    reader: Helper, source: Iterator[tuple[T, Sequence[Call]]], count: int
) -> Iterator[tuple[T, list[Asked]]]:
    """The next items, with what was asked for each."""
    for item, calls in islice(source, count):
        yield item, _ask(reader, calls)


def _answered(item: T, there: Sequence[Asked]) -> tuple[T, list[Any]]:
    """In a function of its own, so that the pickled answers go with it."""
    return item, [asked.get() for asked in there]


@contextmanager
def _helper() -> Iterator[Helper]:
    """The one that writes, while there is one."""
    if _writers.inner:
        writer = _writers.inner[-1]
        writer.settle()
        try:
            yield writer
        except GeneratorExit:  # nobody else would fetch what was asked for
            writer.drain()
            raise
    else:
        with helper() as reader:
            yield reader


class Behind:
    """Calls that a helper makes in order, at most BEHIND of them late. waiting: the stage of the wait.

    What a call raises is raised by one of the next ones or by `finish`.
    """

    def __init__(self, writer: Helper, waiting: str) -> None:
        self.writer, self.waiting = writer, waiting
        self.due: deque[Asked] = deque()

    def __call__(self, call: Callable[..., Any], *args: Any) -> None:
        """Have it called."""
        self._until(BEHIND - 1)
        with stage(self.waiting):
            self.due.append(self.writer.ask(call, *args))

    def finish(self) -> None:
        """Wait for all calls."""
        self._until(0)

    def _until(self, left: int) -> None:
        with stage(self.waiting):
            while len(self.due) > left:
                self.due.popleft().get()


@contextmanager
def behind(waiting: str) -> Iterator[Behind]:
    """The block ends when all calls are made; where it ends with an exception, that one alone is raised.

    What `ahead` reads within the block the same helper reads.
    """
    with helper() as writer:
        _writers.inner.append(writer)
        try:
            calls = Behind(writer, waiting)
            yield calls
            calls.finish()
        finally:
            _writers.inner.remove(writer)
