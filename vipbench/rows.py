"""Numbers from text files: the only place that parses them."""

import json
import math
from pathlib import Path
from typing import Any

from vipbench.errors import ProblemError


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, with or without a mark at its start, blank ones at its end left out.

    Raises UserError if unreadable.
    """
    try:
        return path.read_text("utf-8-sig").rstrip().splitlines()
    except FileNotFoundError:
        raise ProblemError(path, "a text file", "nothing: no such file", "Put it there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(path, "a text file", f"{error}", "Write or copy it again") from None


def read_json(path: Path) -> Any:
    """What a JSON file says. Raises UserError for a missing file and for anything but JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ProblemError(path, "a JSON file", "nothing: no such file", "Put it there") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ProblemError(path, "a JSON file", f"{error}", "Write or copy it again") from None


def read_rows(path: Path, *forms: str) -> list[list[float]]:
    """The rows of a text file of numbers, whole numbers where the form says so.

    forms: the row formats that are allowed, as printf writes them ("%d %f"); they differ in length.
    Raises UserError naming file and line for anything else, NaN and infinity included.
    """
    return [_row(f"{path}:{number}", line, forms) for number, line in enumerate(read_lines(path), 1)]


def _row(where: str, line: str, forms: tuple[str, ...]) -> list[float]:
    fields = line.split()
    for kinds in (form.split() for form in forms):
        if len(kinds) == len(fields):
            try:
                return [_number(*pair) for pair in zip(kinds, fields, strict=True)]
            except ValueError:
                break
    expected = " or ".join(f"a row {form!r}" for form in forms)
    raise ProblemError(where, expected, repr(line), "Write plain numbers separated by blanks")


def _number(kind: str, field: str) -> float:
    if kind == "%d":
        return int(field)
    value = float(field)
    if not math.isfinite(value):
        raise ValueError(field)
    return value
