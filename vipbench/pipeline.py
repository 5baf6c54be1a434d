"""Files beside the work: a process reads ahead of it and writes behind it, both in order.

The seconds that the work waits for it count as the stage of the one or the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, TypeVar

from vipbench.helper import Asked, Helper, helper
from vipbench.timing import stage

T = TypeVar("T")
Call = tuple[Any, ...]
"""A function and its arguments, see `Helper`."""
AHEAD = 2  # items whose calls are made before they are asked for
BEHIND = 32  # calls that wait to be made
_writer: ContextVar[Helper | None] = ContextVar("writer", default=None)


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
                here = [call(*args) for call, *args in calls[::2]]
                _, found = _answered(item, there)
            yield item, [(here, found)[i % 2][i // 2] for i in range(len(calls))]
            while due:
                due.extend(_asked(reader, source, 1))
                with stage(waiting):
                    item, found = _answered(*due.popleft())
                yield item, found


def _ask(reader: Helper, calls: Sequence[Call]) -> list[Asked]:
    return [reader.ask(*call) for call in calls]


def _asked(
    reader: Helper, source: Iterator[tuple[T, Sequence[Call]]], count: int
) -> Iterator[tuple[T, list[Asked]]]:
    """The next items, with what was asked for each."""
    for item, calls in islice(source, count):
        yield item, _ask(reader, calls)


def _answered(item: T, there: Sequence[Asked]) -> tuple[T, list[Any]]:
    return item, [asked.get() for asked in there]


@contextmanager
def _helper() -> Iterator[Helper]:
    """The one that writes, while there is one."""
    if writer := _writer.get():
        yield writer
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
        token = _writer.set(writer)
        try:
            calls = Behind(writer, waiting)
            yield calls
            calls.finish()
        finally:
            _writer.reset(token)
