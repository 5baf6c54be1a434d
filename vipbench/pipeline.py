"""Threads beside the work: one reads ahead of it, one writes behind it, both in order.

Image codecs release the interpreter, so that they run on another core while a network computes. The seconds
that the work waits for either count as their stage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

from vipbench.timing import stage

T = TypeVar("T")
AHEAD = 2  # items made before they are asked for
BEHIND = 8  # calls that wait to be made
_END: Any = object()


def ahead(items: Iterable[T], waiting: str) -> Iterator[T]:
    """The items, made by a thread up to AHEAD before they are asked for. waiting: the stage of the wait.

    What making an item raises is raised where it is due.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "ahead") as pool:
        due = deque(pool.submit(next, source, _END) for _ in range(AHEAD))
        while True:
            with stage(waiting):
                item = due.popleft().result()
            if item is _END:
                return
            due.append(pool.submit(next, source, _END))
            yield item


class Behind:
    """Calls that a thread makes in order, at most BEHIND of them late. waiting: the stage of the wait.

    What a call raises is raised by one of the next ones or by `finish`. As a context: with an exception in
    the block, the calls that have not begun are dropped; without, all are made.
    """

    def __init__(self, waiting: str) -> None:
        self.waiting = waiting
        self.pool = ThreadPoolExecutor(1, "behind")
        self.due: deque[Future[Any]] = deque()

    def __call__(self, call: Callable[..., Any], *args: Any) -> None:
        """Have it called."""
        self._until(BEHIND - 1)
        self.due.append(self.pool.submit(call, *args))

    def finish(self) -> None:
        """Wait for all calls."""
        self._until(0)

    def _until(self, left: int) -> None:
        with stage(self.waiting):
            while len(self.due) > left:
                self.due.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.pool.shutdown(cancel_futures=True)
