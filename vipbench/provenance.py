"""Who made a result, with what, where and when."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def command() -> str:
    """The command line as one could type it, the program without its folder."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


@cache
def git_commit() -> str | None:
    """The commit of the checkout that this code runs from, None for an installed copy.

    "-dirty" is appended where tracked files differ from the commit.
    """
    here = Path(__file__).resolve().parent
    if not (here.parent / ".git").exists():
        return None
    described = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(described, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def device(torch_device: str | None = None) -> dict[str, str]:
    """The machine: operating system, python, cpu, cores at hand; the torch device where a method has one.

    threads: OMP_NUM_THREADS, where it is set.
    """
    found = {"platform": platform.platform(), "python": platform.python_version(), "cpu": _cpu()}
    found["cores"] = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    threads = os.environ.get("OMP_NUM_THREADS")
    found |= {"threads": threads} if threads else {}
    return found | {"torch": torch_device} if torch_device else found


@cache
def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
