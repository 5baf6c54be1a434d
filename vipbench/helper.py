"""Processes that read and write files beside the work.

A thread would take the interpreter's lock a score of times for each photo. Each time the work waits for it,
and a network of many short calls loses a third of its speed.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from vipbench.errors import UserError

GONE = (EOFError, ConnectionError)
_idle: list[Helper] = []


class Helper:
    """A process that makes calls in the order in which they are asked for. due: how many are not answered.

    What is called is sent as its name; arguments and results are pickled, and results wait there until asked
    for.
    """

    def __init__(self) -> None:
        self.pipe, theirs = Pipe()
        self.due = 0
        number = theirs.fileno()
        code = f"import sys; sys.path[:] = {sys.path!r}; from vipbench.helper import serve; serve({number})"
        # A session of its own: Ctrl-C is for the work, which ends its helpers.
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=[number], start_new_session=True
        )
        theirs.close()

    def ask(self, call: Callable[..., Any], *args: Any) -> None:
        """Have a function called."""
        try:
            self.pipe.send((call, args))
        except GONE:
            raise self._lost() from None
        self.due += 1

    def answer(self) -> Any:
        """What the oldest of the calls due has returned, or raises what it has raised."""
        try:
            answer = self.pipe.recv_bytes()
        except GONE:
            raise self._lost() from None
        self.due -= 1
        failed, found = pickle.loads(answer)
        if failed:
            raise found
        return found

    def _lost(self) -> UserError:
        self.due = 0
        code = self.process.wait()
        why = "ended" if code >= 0 else f"was killed by signal {-code} (out of memory?)"
        return UserError(
            f"the process that reads and writes files {why}. Run it again: finished videos are kept"
        )

    def end(self) -> None:
        """Let it end, after the calls that were asked for."""
        self.due = 0
        self.pipe.close()
        self.process.wait()


@contextmanager
def helper() -> Iterator[Helper]:
    """A helper for this block alone. At its end, calls that are due are waited for; nobody hears of them."""
    found = _idle.pop() if _idle else Helper()
    try:
        found.ask(os.chdir, Path.cwd())  # for relative paths
        found.answer()
        yield found
    except KeyboardInterrupt:  # perhaps in the middle of an answer
        found.end()
        raise
    finally:
        while found.due:
            with suppress(Exception):
                found.answer()
        if found.process.poll() is None:
            _idle.append(found)


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()


os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's


def serve(descriptor: int) -> None:
    """The helper's own side: answer calls until the pipe is closed, if only because the work was killed."""
    pipe = Connection(descriptor)
    answers: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_send, args=(pipe, answers), daemon=True).start()
    with suppress(*GONE):
        while True:
            answers.put(_answer(pipe.recv_bytes()))


def _send(pipe: Connection, answers: SimpleQueue[bytes]) -> None:
    """A pipe holds less than a photo: sent by a thread, those of calls to come are made meanwhile."""
    with suppress(*GONE):
        while True:
            pipe.send_bytes(answers.get())


def _answer(asked: bytes) -> bytes:
    try:
        call, args = pickle.loads(asked)
        return pickle.dumps((False, call(*args)))
    except Exception as error:
        return pickle.dumps((True, error))
