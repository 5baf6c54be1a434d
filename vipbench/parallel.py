"""The same work for many items, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

from vipbench.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

_work: Callable[[Any], Any]


def each(work: Callable[[T], R], items: Sequence[T], jobs: int) -> Iterator[R]:
    """Yield `work(item)` for every item, as they are done: in order with one job, else in any order.

    With more jobs `work` is pickled once for each process (spawned, so that no thread or device state leaks
    into it). The first exception ends the loop and what has not started is dropped.
    """
    if jobs == 1 or len(items) < 2:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(items)), context, _start, (work,)) as pool:
        try:
            for future in as_completed([pool.submit(_call, item) for item in items]):
                yield future.result()
        except BrokenProcessPool:
            raise UserError("a worker process died (out of memory?). Try again with fewer --jobs") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed must not go on writing beside the run that follows."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _call(item: Any) -> Any:
    return _work(item)
