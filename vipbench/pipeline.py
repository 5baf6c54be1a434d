"""Files beside the work: one process reads ahead of it, one writes behind it, both in order.

The seconds that the work waits for either count as their stage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

from vipbench.helper import Helper, helper
from vipbench.timing import stage

T = TypeVar("T")
Call = tuple[Any, ...]
"""A function and its arguments, see `Helper`."""
AHEAD = 2  # items whose calls are made before they are asked for
BEHIND = 32  # calls that wait to be made


def ahead(items: Iterable[tuple[T, Sequence[Call]]], waiting: str) -> Iterator[tuple[T, list[Any]]]:
    """Items, each with what its calls return; these are made up to AHEAD items before. waiting: the stage of
    the wait.

    What a call raises is raised where its item is due. Before the first item there is nothing else to do, so
    that every other of its calls is made here.
    """
    source = iter(items)
    with helper() as reader:
        for item, calls in islice(source, 1):
            _ask(reader, calls[1::2])
            due = deque(_asked(reader, source, AHEAD))
            with stage(waiting):
                here = [call(*args) for call, *args in calls[::2]]
                there = [reader.answer() for _ in calls[1::2]]
            yield item, [(here, there)[i % 2][i // 2] for i in range(len(calls))]
            while due:
                item, count = due.popleft()
                due.extend(_asked(reader, source, 1))
                with stage(waiting):
                    found = [reader.answer() for _ in range(count)]
                yield item, found


def _ask(reader: Helper, calls: Sequence[Call]) -> None:
    for call in calls:
        reader.ask(*call)


def _asked(reader: Helper, source: Iterator[tuple[T, Sequence[Call]]], count: int) -> Iterator[tuple[T, int]]:
    """The next items, with how many calls were asked for each."""
    for item, calls in islice(source, count):
        _ask(reader, calls)
        yield item, len(calls)


class Behind:
    """Calls that a helper makes in order, at most BEHIND of them late. waiting: the stage of the wait.

    What a call raises is raised by one of the next ones or by `finish`.
    """

    def __init__(self, writer: Helper, waiting: str) -> None:
        self.writer, self.waiting = writer, waiting

    def __call__(self, call: Callable[..., Any], *args: Any) -> None:
        """Have it called."""
        self._until(BEHIND - 1)
        with stage(self.waiting):
            self.writer.ask(call, *args)

    def finish(self) -> None:
        """Wait for all calls."""
        self._until(0)

    def _until(self, left: int) -> None:
        with stage(self.waiting):
            while self.writer.due > left:
                self.writer.answer()


@contextmanager
def behind(waiting: str) -> Iterator[Behind]:
    """The block ends when all calls are made; where it ends with an exception, that one alone is raised."""
    with helper() as writer:
        calls = Behind(writer, waiting)
        yield calls
        calls.finish()
