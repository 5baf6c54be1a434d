"""How long the command line takes to say what it can do (recorded in docs/measurements, not asserted)."""

import subprocess
import sys
from typing import Any


def test_help(benchmark: Any) -> None:
    command = [sys.executable, "-m", "vipbench", "--help"]
    benchmark.pedantic(
        subprocess.run, [command], {"capture_output": True, "check": True}, rounds=5, warmup_rounds=1
    )
