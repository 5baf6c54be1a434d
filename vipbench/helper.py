"""A process that reads and writes files beside the work.

A thread would take the interpreter's lock a score of times for each photo. Each time the work waits for it,
and a network of many short calls loses up to a third of its speed. One process for both: where there are two
cores, the work has the other.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any

from vipbench.errors import UserError

GONE = (EOFError, OSError)
Queue = SimpleQueue[bytes]
_idle: list[Helper] = []
_busy: set[Helper] = set()
"""So that none is garbage before its block has ended: the pipe of one would be closed, and be used again."""


@dataclass(eq=False)
class Asked:
    """A call that was asked for. answer: pickled, once it is there."""

    helper: Helper
    answer: bytes | None = None

    def get(self) -> Any:
        """What the call has returned, or raises what it has raised."""
        while self.answer is None:
            self.helper.receive()
        failed, found = pickle.loads(self.answer)
        if failed:
            raise found
        return found


class Helper:
    """A process that makes calls in the order in which they are asked for. due: those without an answer.

    What is called is sent as its name; arguments and results are pickled, and wait there until they are due.
    """

    def __init__(self) -> None:
        self.pipe, theirs = Pipe()
        self.due: deque[Asked] = deque()
        number = theirs.fileno()
        code = f"import sys; sys.path[:] = {_path()!r}; from vipbench.helper import serve; serve({number})"
        # A session of its own: Ctrl-C is for the work, which ends its helpers.
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, pass_fds=[number], start_new_session=True
        )
        theirs.close()

    def ask(self, call: Callable[..., Any], *args: Any) -> Asked:
        """Have a function called."""
        asked = pickle.dumps((call, args))
        with self._message():
            self.pipe.send_bytes(asked)
        self.due.append(Asked(self))
        return self.due[-1]

    def settle(self) -> Asked:
        """Have relative paths and imports be those of the work as it is now."""
        return self.ask(_settle, os.getcwd(), _path())

    def receive(self) -> None:
        """Wait for the answer to the oldest of the calls due. Raises UserError if the process is gone."""
        with self._message():
            answer = self.pipe.recv_bytes()
        self.due.popleft().answer = answer

    def drain(self) -> None:
        """Wait for all calls; nobody hears of them."""
        while self.due:
            with suppress(UserError):
                self.receive()

    @contextmanager
    def _message(self) -> Iterator[None]:
        """A message is whole or the last one: after a part of it, what follows could not be read."""
        try:
            yield
        except GONE:
            raise self._lost() from None
        except BaseException:
            self.end()
            raise

    def _lost(self) -> UserError:
        self.due.clear()
        self.pipe.close()
        code = self.process.wait()
        why = "ended" if code >= 0 else f"was killed by signal {-code} (out of memory?)"
        return UserError(
            f"the process that reads and writes files {why}. Run it again: finished videos are kept"
        )

    def end(self) -> None:
        """End it, whatever it does."""
        self.due.clear()
        self.pipe.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def helper() -> Iterator[Helper]:
    """A helper for this block alone. At its end, calls that are due are waited for; nobody hears of them."""
    found = _free()
    _busy.add(found)
    try:
        found.settle().get()
        yield found
    except KeyboardInterrupt:  # which waits for nothing
        found.end()
        raise
    finally:
        found.drain()
        _busy.discard(found)
        if found.process.poll() is None:
            _idle.append(found)


def _free() -> Helper:
    """One that is idle and alive, else a new one."""
    try:
        found = _idle.pop()
    except IndexError:
        return Helper()
    return found if found.process.poll() is None else _free()


def _path() -> list[str]:
    return [part for part in sys.path if isinstance(part, str)]


@atexit.register
def _end_all() -> None:
    while _idle:
        _idle.pop().end()


os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's
os.register_at_fork(after_in_child=_busy.clear)


def serve(descriptor: int) -> None:
    """The helper's own side: answer calls until the pipe is closed, and no longer if the work was killed."""
    pipe = Connection(descriptor)
    asked, answers = Queue(), Queue()
    # Threads, since a pipe holds less than a photo, and the end of the work must not wait for a call's. The
    # first is started before the policy changes: else an answer would leave when the call after it is made.
    Thread(target=_until_gone, args=(_send, pipe, answers), name="send", daemon=True).start()
    _never_interrupt()
    Thread(target=_until_gone, args=(_receive, pipe, asked), name="receive", daemon=True).start()
    while True:
        answers.put(_answer(asked.get()))


def _never_interrupt() -> None:
    """On Linux, for this thread and those that it starts: a call that arrives does not take the core from the
    work that asks for it."""
    with suppress(AttributeError, OSError):
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _until_gone(work: Callable[[Connection, Queue], None], pipe: Connection, queue: Queue) -> None:
    """Where the work has ended, this process does."""
    try:
        work(pipe, queue)
    except Exception as error:
        if not isinstance(error, GONE):  # out of memory, say: nobody else would hear of it
            traceback.print_exception(error)
    os._exit(0)


def _receive(pipe: Connection, asked: Queue) -> None:
    while True:
        asked.put(pipe.recv_bytes())


def _send(pipe: Connection, answers: Queue) -> None:
    while True:
        pipe.send_bytes(answers.get())


def _settle(folder: str, path: list[str]) -> None:
    os.chdir(folder)
    sys.path[:] = path


def _answer(asked: bytes) -> bytes:
    try:
        call, args = pickle.loads(asked)
        return pickle.dumps((False, call(*args)))
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> bytes:
    """What was raised, with where; of what does not survive the way, the text."""
    told = "".join(traceback.format_exception(error))
    if not isinstance(error, UserError):
        error.add_note(told)
    try:
        answer = pickle.dumps((True, error))
        pickle.loads(answer)
    except Exception:
        return pickle.dumps((True, RuntimeError(told)))
    return answer
