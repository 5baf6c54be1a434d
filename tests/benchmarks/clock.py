"""One task in a process of its own: how long, how much memory, which numbers.

    python ours.py TASK FOLDER ROUNDS        the same for peers.py, in the peers' interpreter

prints {"seconds": [a round each], "cpu": [the same], "peak_mb", "values"} as JSON. Imports are not in the
time; ours also runs once before it, so that files and compiled code are warm.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

Values = dict[str, float]
Tasks = Mapping[str, Callable[[Path], Values]]


def peak_mb() -> float:
    """The most memory this process, or a child of it, has held, in MB."""
    # Not ru_maxrss of the process itself: it starts out as that of the process which started this one.
    status = Path("/proc/self/status").read_text().split()
    own = int(status[status.index("VmHWM:") + 1])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1000


def cpu_s() -> float:
    """Seconds of processor time so far, of this process and of the children that have ended."""
    return time.process_time() + sum(os.times()[2:4])


def main(tasks: Tasks, warm_up: bool) -> None:
    """Run what the command line says."""
    task, folder, rounds = tasks[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3])
    seconds: list[float] = []
    cpu: list[float] = []
    values: Values = {}
    with redirect_stdout(sys.stderr):
        for _ in range(rounds + warm_up):
            start, used = time.perf_counter(), cpu_s()
            values = task(folder)
            seconds.append(time.perf_counter() - start)
            cpu.append(cpu_s() - used)
    found: dict[str, Any] = {"seconds": seconds[warm_up:], "cpu": cpu[warm_up:]}
    found |= {"peak_mb": peak_mb(), "values": values}
    print(json.dumps(found))
