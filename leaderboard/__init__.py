"""A static page of Records."""

from vipbench.leaderboard.page import build

__all__ = ["build"]
