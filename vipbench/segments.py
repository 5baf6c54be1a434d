"""Whether the rows of a map and its pixels say the same."""

from collections import Counter

from vipbench.errors import Problem
from vipbench.types import SegmentMap


def row_problems(where: str, found: SegmentMap, classes: int = 65536) -> list[Problem]:
    """Where the rows of a map do not match its pixels, and rows of a class outside 1..classes-1."""
    present = set(found.present) - {0}
    rows = Counter(segment.id for segment in found.segments)
    outside = [s for s in found.segments if not 0 < s.category < classes]
    one = "one row for each id that has pixels"
    findings = [(i, one, "a row without pixels") for i in sorted(rows.keys() - present)]
    findings += [(i, one, "pixels without a row") for i in sorted(present - rows.keys())]
    findings += [(i, one, f"{count} rows") for i, count in rows.items() if count > 1]
    findings += [(s.id, f"a class in 1..{classes - 1}", f"class {s.category}") for s in outside]
    mend = "Write image and rows from the same ids"
    return [Problem(f"{where}: id {i}", expected, got, mend) for i, expected, got in findings]
