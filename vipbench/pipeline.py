"""Files beside the work: one process reads ahead of it, one writes behind it, both in order.

The seconds that the work waits for either count as their stage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, Self, TypeVar

from vipbench.helper import helper
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

        def asked(count: int) -> Iterator[tuple[T, int]]:
            for item, calls in islice(source, count):
                for call in calls:
                    reader.ask(*call)
                yield item, len(calls)

        for item, calls in islice(source, 1):
            with stage(waiting):
                for call in calls[::2]:
                    reader.ask(*call)
            due = deque(asked(AHEAD))
            with stage(waiting):
                here = [call(*args) for call, *args in calls[1::2]]
                there = [reader.answer() for _ in calls[::2]]
            yield item, [(there, here)[i % 2][i // 2] for i in range(len(calls))]
            while due:
                item, count = due.popleft()
                due.extend(asked(1))
                with stage(waiting):
                    found = [reader.answer() for _ in range(count)]
                yield item, found


class Behind:
    """Calls that a helper makes in order, at most BEHIND of them late. waiting: the stage of the wait.

    What a call raises is raised by one of the next ones or by `finish`. The block ends when all are made;
    where it ends with an exception, that one alone is raised.
    """

    def __init__(self, waiting: str) -> None:
        self.waiting, self.stack = waiting, ExitStack()

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

    def __enter__(self) -> Self:
        self.writer = self.stack.enter_context(helper())
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self.stack:
            if kind is None:
                self.finish()
