"""Made data, the evaluations to compare with, and the table at the end of a benchmark run.

VIPBENCH_TEST_DATA: the research data. VIPBENCH_PEERS: the folder that holds davis2017-evaluation and ATEN.
VIPBENCH_PEER_PYTHON: an interpreter with vos_benchmark, cv2 and scikit-image. What lacks its variable skips.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from bench import Alone, Found, Row, Timed, markdown, run_alone
from make_multi import make_multi, make_proposals
from make_persons import make_persons
from ours import TASKS

TABLE = pytest.StashKey[list[Row]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--peer-rounds", type=int, default=1, help="Runs of each reference; the median counts.")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    terminalreporter.write_line(f"\n{markdown(config.stash[TABLE])}")


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[Row]:
    """The lines printed at the end."""
    return request.config.stash[TABLE]


@pytest.fixture(scope="session")
def multi(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_multi(test_data, tmp_path_factory.mktemp("multi"))


@pytest.fixture(scope="session")
def proposals(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_proposals(test_data, tmp_path_factory.mktemp("proposals"))


@pytest.fixture(scope="session")
def persons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_persons(tmp_path_factory.mktemp("persons"))


@pytest.fixture(scope="session")
def alone() -> Alone:
    """Run one of ours in a process of its own: (task, folder, rounds=3, **environment)."""

    def run(task: str, root: Path, rounds: int = 3, **env: str) -> Found:
        return run_alone(sys.executable, "ours.py", task, root, rounds, **env)

    return run


@pytest.fixture(scope="session")
def peer(request: pytest.FixtureRequest) -> Alone:
    """Run one of the references: (task, folder)."""
    for variable in ("VIPBENCH_PEERS", "VIPBENCH_PEER_PYTHON"):
        if not os.environ.get(variable):
            pytest.skip(f"{variable} is not set: it says where the evaluations to compare with are")
    python, rounds = os.environ["VIPBENCH_PEER_PYTHON"], request.config.getoption("--peer-rounds")
    return lambda task, root: run_alone(python, "peers.py", task, root, rounds)


@pytest.fixture
def timed(benchmark: Any) -> Timed:
    """Time one of ours in this process, for pytest-benchmark, and return its values: (task, folder)."""
    return lambda task, root: benchmark.pedantic(TASKS[task], (root,), rounds=3, warmup_rounds=1)
