"""The process beside the work: its answers, its errors, and the end of either."""

import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from operator import floordiv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vipbench import UserError
from vipbench.helper import _never_interrupt, helper
from vipbench.metrics.masks import drawn
from vipbench.pipeline import behind
from vipbench.types import RunMap, SegmentMap


def test_relative_paths_are_those_of_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with helper() as there:
            assert there.ask(os.getcwd).get() == str(tmp_path / name)


def test_it_is_used_again_once_it_is_free() -> None:
    def process() -> int:
        with helper() as there:
            found: int = there.ask(os.getpid).get()
            return found

    assert process() == process() != os.getpid()


@pytest.mark.skipif(sys.platform != "linux", reason="no Linux, which alone schedules so")
def test_its_calls_interrupt_nobody_and_its_answers_do() -> None:
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        pytest.skip("the tests themselves are scheduled otherwise")
    with helper() as there:
        found = there.ask(policies).get()
    assert found["MainThread"] == found["receive"] == os.SCHED_BATCH
    assert found["send"] == os.SCHED_OTHER


def policies() -> dict[str, int]:
    """How the threads of a process are scheduled."""
    return {each.name: os.sched_getscheduler(each.native_id or 0) for each in threading.enumerate()}


def test_it_works_where_nobody_schedules_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError("Function not implemented")

    monkeypatch.setattr(os, "sched_setscheduler", refused, raising=False)
    _never_interrupt()


def test_user_errors_arrive_as_they_were_raised() -> None:
    from vipbench.pixels import read_photo

    with helper() as there, pytest.raises(UserError, match="no such file"):
        there.ask(read_photo, Path("nowhere.jpg")).get()


def test_what_cannot_be_sent_back_is_an_error_and_not_the_end() -> None:
    with helper() as there:
        with pytest.raises(TypeError, match="pickle"):
            there.ask(memoryview, b"").get()
        assert there.ask(abs, -1).get() == 1


def test_a_helper_that_dies_is_named_and_replaced() -> None:
    def killed() -> None:
        with helper() as there:
            there.ask(os.kill, there.process.pid, signal.SIGKILL).get()

    with pytest.raises(UserError, match="killed by signal 9"):
        killed()
    with helper() as there:
        assert there.ask(abs, -1).get() == 1


def test_a_helper_that_dies_within_an_answer_is_named() -> None:
    with helper() as there:
        found = there.ask(bytes, 1 << 26)  # more than a pipe holds
        time.sleep(0.3)
        there.process.kill()
        with pytest.raises(UserError, match="killed by signal 9"):
            found.get()


def test_answers_of_one_that_died_are_lost_one_by_one() -> None:
    with helper() as there:
        asked = [there.ask(abs, -1) for _ in range(3)]
        asked.append(there.ask(os.kill, there.process.pid, signal.SIGKILL))
        there.process.wait()
        with pytest.raises(UserError, match="killed by signal 9"):
            there.ask(bytes, 1 << 24)
        for each in asked:
            with pytest.raises(UserError, match="killed by signal 9"):
                each.get()


def test_what_breaks_off_a_message_ends_it() -> None:
    """A handler of a signal may raise anything at any time."""

    def stopped(*_: object) -> None:
        raise SystemExit(3)

    before = signal.signal(signal.SIGALRM, stopped)
    try:
        with helper() as there:
            asked = there.ask(time.sleep, 60)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(SystemExit):
                asked.get()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert there.process.returncode == -signal.SIGKILL
    with helper() as other:
        assert other.ask(abs, -1).get() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="no Linux, which alone limits it so")
def test_one_without_memory_for_a_message_ends_and_says_so() -> None:
    with helper() as there:
        there.ask(resource.setrlimit, resource.RLIMIT_AS, (1 << 28, -1)).get()
        with pytest.raises(UserError, match="files ended"):
            there.ask(len, bytes(1 << 29)).get()


def test_one_that_died_idle_is_left_aside() -> None:
    with helper() as there:
        pass
    there.process.kill()
    there.process.wait()
    with helper() as other:
        assert other.ask(abs, -1).get() == 1


def test_errors_that_do_not_survive_the_way_are_told_in_words() -> None:
    with helper() as there:
        with pytest.raises(RuntimeError, match="UnlikeError: second after first"):
            there.ask(_unlike).get()
        with pytest.raises(RuntimeError, match=r"NoCopyError: .'no copy'"):
            there.ask(_no_copy).get()


def test_faults_of_a_plug_in_show_where_they_are() -> None:
    with helper() as there, pytest.raises(ZeroDivisionError) as raised:
        there.ask(floordiv, 1, 0).get()
    assert "call(*args)" in raised.value.__notes__[0]


def test_ctrl_c_is_for_the_work_which_ends_its_helper() -> None:
    def interrupted() -> None:
        with behind("write") as later:
            processes.append(later.writer.process)
            assert os.getpgid(later.writer.process.pid) != os.getpgid(0)
            later(time.sleep, 60)
            raise KeyboardInterrupt

    processes: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert processes[0].returncode is not None


def test_nothing_is_written_once_the_work_is_killed(tmp_path: Path) -> None:
    """Another run may have begun in the same folder."""
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from test_helper import late; from vipbench.helper import helper\n"
        "with helper() as there:\n"
        "    asked = [there.ask(late, Path(sys.argv[2]), i) for i in range(20)]\n"
        "    asked[0].get(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    words = (sys.executable, "-c", code, Path(__file__).parent, tmp_path / "out")
    assert subprocess.run(words).returncode == -signal.SIGKILL
    time.sleep(0.5)
    assert len((tmp_path / "out").read_text().split()) <= 2


def test_a_fork_in_the_middle_keeps_nobody_waiting() -> None:
    code = (
        "import os, time; from vipbench.helper import helper\n"
        "with helper() as there:\n"
        "    if os.fork() == 0: time.sleep(5); os._exit(0)"
    )
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    assert time.monotonic() - start < 4


def late(path: Path, i: int) -> None:
    """Slower than the end of the work."""
    time.sleep(0.1)
    with path.open("a") as file:
        file.write(f"{i}\n")


class UnlikeError(Exception):
    """Does not unpickle."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{second} after {first}")


class NoCopyError(Exception):
    """Does not pickle with a view of memory."""


def _unlike() -> None:
    raise UnlikeError("first", "second")


def _no_copy() -> None:
    raise NoCopyError("no copy", memoryview(b""))


def test_maps_travel_as_they_are() -> None:
    """With what was found of them, which is left behind."""
    for ids in (np.arange(600, dtype=np.uint16).reshape(20, 30), np.eye(9, dtype=np.uint8)):
        found = SegmentMap.of(ids)
        drawn(found, found, ((1, 1),))
        for sent in (found, RunMap(found.runs)) if ids.itemsize == 1 else (found,):
            copy = pickle.loads(pickle.dumps(sent))
            assert copy.ids.dtype == ids.dtype
            assert np.array_equal(copy.ids, ids)
            assert copy.segments == found.segments
