"""Where the reference implementations are."""

import os
from pathlib import Path

import pytest


def peer(path: str) -> Path:
    """A folder below the one that VIPBENCH_PEERS names; the test is skipped without it."""
    root = os.environ.get("VIPBENCH_PEERS")
    if not root or not (Path(root) / path).is_dir():
        pytest.skip(
            f"VIPBENCH_PEERS is not set to a folder that holds {path}: compared with its stored numbers"
        )
    return Path(root) / path
