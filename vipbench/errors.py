"""What can be wrong with a user's input, said so that it can be mended."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path


class UserError(Exception):
    """Bad input. The message says what is wrong, where, what was expected and how to mend it.

    The command line prints it as one line and exits with 1; nothing else is shown.
    """


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of a check.

    where: the path (and frame or id) that it concerns.
    expected, got: what the format asks for and what is there.
    mend: what the user can do about it.
    warning: True where the result is still defined (a missing frame scores as empty), False for an error.
    """

    where: str
    expected: str
    got: str
    mend: str
    warning: bool = False

    def __str__(self) -> str:
        level = "warning" if self.warning else "error"
        return f"{level}: {self.where}: expected {self.expected}, got {self.got}. {self.mend}"


class ProblemError(UserError):
    """A UserError that is one finding: reading stops at it, a check lists it among the others."""

    def __init__(self, where: str | Path, expected: str, got: str, mend: str) -> None:
        super().__init__(where, expected, got, mend)
        self.problem = Problem(str(where), expected, got, mend)

    def __str__(self) -> str:
        return str(self.problem).removeprefix("error: ")


def raise_first(problems: list[Problem]) -> None:
    """Raise a UserError for the first error in the list, naming how many more there are."""
    errors = [p for p in problems if not p.warning]
    if errors:
        more = f" (and {len(errors) - 1} more; `vipbench check` lists all)" if len(errors) > 1 else ""
        raise UserError(str(errors[0]).removeprefix("error: ") + more)


def gathered(problems: Iterable[Problem]) -> list[Problem]:
    """The problems of a video's files: all errors, and of warnings that are alike the first alone."""
    groups: dict[object, list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.expected, problem.mend) if problem.warning else problem, []).append(
            problem
        )
    return [_and_more(first, len(alike)) for first, *alike in groups.values()]


def _and_more(problem: Problem, alike: int) -> Problem:
    return replace(problem, got=f"{problem.got}; and {alike} more files like it") if alike else problem


def nearest(name: str, known: Iterable[str]) -> str:
    """A question whether the known name was meant that is most like this one; nothing if none is like it."""
    from difflib import get_close_matches

    return "".join(f" Did you mean {found}?" for found in get_close_matches(name, list(known), 1))
