"""Files read ahead and written behind by other processes: order, limits, and errors that nobody loses."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from operator import floordiv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vipbench import UserError
from vipbench.helper import helper
from vipbench.metrics.masks import drawn
from vipbench.pipeline import AHEAD, BEHIND, Call, ahead, behind
from vipbench.timing import stopwatch
from vipbench.types import RunMap, SegmentMap


def calls(count: int, of: int = 3) -> Iterator[tuple[int, list[Call]]]:
    """Items i with the calls that give i * 10, i * 10 + 1, ..."""
    for i in range(count):
        yield i, [(floordiv, i * 10 + k, 1) for k in range(of)]


@pytest.mark.parametrize("of", [0, 1, 2, 3, 5])
def test_ahead_gives_every_result_in_order(of: int) -> None:
    found = list(ahead(calls(20, of), "decode"))
    assert found == [(i, [i * 10 + k for k in range(of)]) for i in range(20)]
    assert list(ahead([], "decode")) == []


def test_ahead_is_made_by_another_process() -> None:
    _, second = ahead([(i, [(os.getpid,)]) for i in range(2)], "decode")
    assert second[1] != [os.getpid()]


def test_ahead_is_no_further_than_it_says() -> None:
    asked = 0

    def items() -> Iterator[tuple[int, list[Call]]]:
        nonlocal asked
        for item in calls(50):
            asked += 1
            yield item

    for i, _ in ahead(items(), "decode"):
        assert asked <= i + 1 + AHEAD


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (3, 1)])
def test_what_a_call_raises_comes_where_its_item_is_due(place: tuple[int, int]) -> None:
    items = list(calls(6))
    items[place[0]][1][place[1]] = (floordiv, 1, 0)
    found = ahead(items, "decode")
    for _ in range(place[0]):
        next(found)
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_videos_in_turn_do_not_mix() -> None:
    one, other = ahead(calls(9), "decode"), ahead(calls(9, 1), "decode")
    for (i, three), (j, first) in zip(one, other, strict=True):
        assert (i, three[:1]) == (j, first)


def test_a_loop_that_is_left_leaves_nothing_to_the_next() -> None:
    found = ahead(calls(100), "decode")
    assert next(found)[0] == 0
    found.close()  # type: ignore[attr-defined]
    assert list(ahead(calls(3), "decode")) == [(i, [i * 10 + k for k in range(3)]) for i in range(3)]


def append(path: Path, i: int) -> None:
    """A slow call with an effect."""
    time.sleep(0.001)
    if i == 60:
        raise OSError("disk full")
    with path.open("a") as file:
        file.write(f"{i}\n")


def done(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_behind_calls_in_order_and_is_no_later_than_it_says(tmp_path: Path) -> None:
    with behind("write") as later:
        for i in range(50):
            later(append, tmp_path / "out", i)
            assert i + 1 - len(done(tmp_path / "out")) <= BEHIND
        later.finish()
        assert done(tmp_path / "out") == list(range(50))


def test_the_exception_of_a_call_is_raised_and_the_loop_ends(tmp_path: Path) -> None:
    asked = 0

    def many() -> None:
        nonlocal asked
        with behind("write") as later:
            for asked in range(200):
                later(append, tmp_path / "out", asked)

    with pytest.raises(OSError, match="disk full"):
        many()
    assert done(tmp_path / "out")[:60] == list(range(60))
    assert asked <= 60 + BEHIND


def test_the_exception_of_a_last_call_is_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk full"), behind("write") as later:
        later(append, tmp_path / "out", 60)


def test_an_exception_of_the_block_is_the_one_that_is_raised(tmp_path: Path) -> None:
    def broken() -> None:
        with behind("write") as later:
            later(append, tmp_path / "out", 60)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        broken()


def test_one_process_reads_and_writes(tmp_path: Path) -> None:
    with behind("write") as later:
        found = ahead([(i, [(os.getpid,)]) for i in range(2)], "decode")
        for i, _ in found:
            later(append, tmp_path / "out", i)
        (_, pids), *_ = list(ahead([(0, []), (1, [(os.getpid,)])], "decode"))[1:]
        assert pids == [later.writer.process.pid]
    assert done(tmp_path / "out") == [0, 1]


def test_reading_beside_writing_keeps_both_in_order(tmp_path: Path) -> None:
    with behind("write") as later:
        one, other = ahead(calls(40), "decode"), ahead(calls(40, 1), "decode")
        for (i, three), (j, first) in zip(one, other, strict=True):
            assert (three, first) == ([i * 10 + k for k in range(3)], [j * 10])
            later(append, tmp_path / "out", i)
    assert done(tmp_path / "out") == list(range(40))


def test_what_writing_raises_is_not_raised_by_reading(tmp_path: Path) -> None:
    with behind("write") as later:
        later(append, tmp_path / "out", 60)
        assert len(list(ahead(calls(3), "decode"))) == 3
        with pytest.raises(OSError, match="disk full"):
            later.finish()


def test_what_is_read_and_not_asked_for_harms_nobody(tmp_path: Path) -> None:
    items = list(calls(5))
    items[2][1][0] = (floordiv, 1, 0)
    with behind("write") as later:
        assert next(ahead(items, "decode"))[0] == 0
        for i in range(5):
            later(append, tmp_path / "out", i)
    assert done(tmp_path / "out") == list(range(5))


def test_waiting_counts_as_the_stage_and_work_beside_it_does_not() -> None:
    items = [(i, [(time.sleep, 0.02)]) for i in range(5)]
    with stopwatch() as watch:
        for _ in ahead(items, "decode"):
            time.sleep(0.05)
        seconds = watch.read().stages["decode"]
    assert 0.01 < seconds < 0.06  # the first item, and nothing of the other four


class TestHelper:
    def test_relative_paths_are_those_of_today(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            monkeypatch.chdir(tmp_path / name)
            with helper() as there:
                assert there.ask(os.getcwd).get() == str(tmp_path / name)

    def test_it_is_used_again_once_it_is_free(self) -> None:
        def process() -> int:
            with helper() as there:
                found: int = there.ask(os.getpid).get()
                return found

        assert process() == process() != os.getpid()

    @pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="no Linux, which alone schedules so")
    def test_it_does_not_interrupt_the_work(self) -> None:
        with helper() as there:
            assert there.ask(os.sched_getscheduler, 0).get() == os.SCHED_BATCH

    def test_user_errors_arrive_as_they_were_raised(self) -> None:
        from vipbench.pixels import read_photo

        with helper() as there, pytest.raises(UserError, match="no such file"):
            there.ask(read_photo, Path("nowhere.jpg")).get()

    def test_what_cannot_be_sent_back_is_an_error_and_not_the_end(self) -> None:
        with helper() as there:
            with pytest.raises(TypeError, match="pickle"):
                there.ask(memoryview, b"").get()
            assert there.ask(abs, -1).get() == 1

    def test_a_helper_that_dies_is_named_and_replaced(self) -> None:
        def killed() -> None:
            with helper() as there:
                there.ask(os.kill, there.process.pid, signal.SIGKILL).get()

        with pytest.raises(UserError, match="killed by signal 9"):
            killed()
        with helper() as there:
            assert there.ask(abs, -1).get() == 1

    def test_a_helper_that_dies_within_an_answer_is_named(self) -> None:
        with helper() as there:
            found = there.ask(bytes, 1 << 26)  # more than a pipe holds
            time.sleep(0.3)
            there.process.kill()
            with pytest.raises(UserError, match="killed by signal 9"):
                found.get()

    def test_one_that_died_idle_is_left_aside(self) -> None:
        with helper() as there:
            pass
        there.process.kill()
        there.process.wait()
        with helper() as other:
            assert other.ask(abs, -1).get() == 1

    def test_errors_that_do_not_survive_the_way_are_told_in_words(self) -> None:
        with helper() as there:
            with pytest.raises(RuntimeError, match="UnlikeError: second after first"):
                there.ask(_unlike).get()
            with pytest.raises(RuntimeError, match=r"NoCopyError: .'no copy'"):
                there.ask(_no_copy).get()

    def test_faults_of_a_plug_in_show_where_they_are(self) -> None:
        with helper() as there, pytest.raises(ZeroDivisionError) as raised:
            there.ask(floordiv, 1, 0).get()
        assert "call(*args)" in raised.value.__notes__[0]

    def test_ctrl_c_is_for_the_work_which_ends_its_helper(self) -> None:
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

    def test_nothing_is_written_once_the_work_is_killed(self, tmp_path: Path) -> None:
        """Another run may have begun in the same folder."""
        code = (
            "import os, signal, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
            "from test_pipeline import late; from vipbench.helper import helper\n"
            "with helper() as there:\n"
            "    asked = [there.ask(late, Path(sys.argv[2]), i) for i in range(20)]\n"
            "    asked[0].get(); os.kill(os.getpid(), signal.SIGKILL)"
        )
        words = (sys.executable, "-c", code, Path(__file__).parent, tmp_path / "out")
        assert subprocess.run(words).returncode == -signal.SIGKILL
        time.sleep(0.5)
        assert len(done(tmp_path / "out")) <= 2

    def test_a_fork_in_the_middle_keeps_nobody_waiting(self) -> None:
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
    append(path, i)


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
