"""What the rows of a table cost: seconds by stage, multiply-adds, Eq. 8 and 9, and the paper's speed-ups.

All ratios r are of a frame's cost to that of `frame`, the network on each frame alone: below 1 is faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vipbench.costs import Cost
from vipbench.papers import ABSENT, Claim
from vipbench.papers.join import Block, Line

STAGES = ("features", "flow", "warp", "temporal", "heads", "decode", "write")
MODULES = ("features", "flow", "warp", "temporal", "embedding", "heads")
SPEED = (
    "Times: milliseconds a frame, over whole segments after a warm-up. features: N_feat; temporal: ATEN's "
    "unit, or FGFA's warps and mean; heads: N_parse, up to a parsing of the photo's size; decode, write: "
    "waiting for images to be read and output to be written; other: the rest."
)
COUNT = (
    "G: 10^9 multiply-adds a frame on the network's canvas. r: cost of a frame beside that of `frame`, below "
    "1 is faster; Eq. 9 and Eq. 8 as the paper has them, exact: by the calls that are made, l-1+p flows a "
    "segment among them, measured: network alone, on the same machine with the same network."
)


@dataclass(frozen=True)
class Figure:
    """A number about a line. key: in JSON and CSV. value: None where it is not known. paper: its own."""

    heading: str
    key: str
    value: float | None
    decimals: int
    paper: float | None = None

    def __str__(self) -> str:
        return ABSENT if self.value is None else f"{self.value:.{self.decimals}f}"


def speed(line: Line) -> list[Figure]:
    """Both fps, and milliseconds a frame by stage; the stages and the rest add up to those of end to end."""
    timing = _timing(line)
    whole = timing.get("fps_end_to_end")
    parts = {
        name: 1000 * timing["stages"].get(name, 0.0) / timing["frames"] if whole else None for name in STAGES
    }
    other = 1000 / whole - sum(ms or 0.0 for ms in parts.values()) if whole else None
    return [
        Figure("fps network alone", "fps", timing.get("fps"), 2),
        Figure("fps end to end", "fps_end_to_end", whole, 2),
        *(Figure(f"{name} ms", f"ms.{name}", ms, 1) for name, ms in {**parts, "other": other}.items()),
    ]


def count(block: Block, line: Line) -> list[Figure]:
    """Multiply-adds by module, and r by Eq. 9, by Eq. 8, by the calls and as measured."""
    cost = _cost(line)
    parts = cost.by_module if cost else {}
    return [
        *(Figure(f"{m} G", f"gmac.{m}", parts.get(m, 0.0) / 1e9 if cost else None, 3) for m in MODULES),
        Figure("sum G", "gmac", cost.a_frame / 1e9 if cost else None, 3),
        Figure("r Eq. 9", "r.eq9", cost.eq9 if cost else None, 3),
        Figure("r Eq. 8", "r.eq8", cost.eq8 if cost else None, 3),
        Figure("r exact", "r.exact", cost.ratio if cost else None, 3),
        Figure("r measured", "r.measured", measured(block, line), 3),
    ]


def costs(block: Block, line: Line) -> list[Figure]:
    """All of them, and for each claim of the paper how many times as fast as `frame` the line is."""
    claims = [claim for claim in block.table.claims if claim.row == line.name]
    allowed, found = factors(block, line)
    return [
        *speed(line),
        *count(block, line),
        *(Figure("times as fast, counted", "speedup.counted", allowed, 2, c.times) for c in claims),
        *(Figure("times as fast, measured", "speedup.measured", found, 2, c.times) for c in claims),
    ]


def known(block: Block) -> list[Line]:
    """The lines of which any such number is known; none in a table whose paper makes no claim of speed."""
    lines = block.lines if block.table.claims else ()
    return [x for x in lines if any(f.value is not None for f in [*speed(x), *count(block, x)])]


def measured(block: Block, line: Line) -> float | None:
    """Seconds a frame, network alone, beside those of `frame`, where network and machine are the same."""
    alone = next((x for x in block.lines if x.record and x.record.method.lower() == "frame"), None)
    if alone is None or _machine(alone) != _machine(line) or _network(alone) != _network(line):
        return None
    ours, theirs = (_timing(x).get("fps") for x in (line, alone))
    return float(theirs) / float(ours) if ours and theirs else None


def verdicts(block: Block) -> Iterator[str]:
    """A sentence for each speed-up that the paper's text claims."""
    for claim in block.table.claims:
        for line in block.lines:
            if line.name == claim.row:
                yield _verdict(claim, *factors(block, line))


def factors(block: Block, line: Line) -> tuple[float | None, float | None]:
    """How many times as fast as `frame` the counts allow a method to be, and how many it was."""
    cost, ratio = _cost(line), measured(block, line)
    return 1 / cost.ratio if cost and cost.ratio else None, 1 / ratio if ratio else None


def _verdict(claim: Claim, allowed: float | None, found: float | None) -> str:
    """It holds if what was measured rounds to no less."""
    says = f"{claim.row} is {claim.times:g} times as fast as frame, says the paper's text"
    holds = "not measured" if found is None else "holds" if round(found) >= claim.times else "does not hold"
    return f"{says}: the counts allow {_times(allowed)}, measured {_times(found)}: {holds}."


def _times(factor: float | None) -> str:
    return ABSENT if factor is None else f"{factor:.2f}"


def _timing(line: Line) -> dict[str, Any]:
    return (line.record.timing if line.record else None) or {}


def _run(line: Line) -> dict[str, Any]:
    return (line.record.provenance.run if line.record else None) or {}


def _cost(line: Line) -> Cost | None:
    return Cost.of(_run(line).get("cost"))


def _machine(line: Line) -> object:
    return _run(line).get("device")


def _network(line: Line) -> object:
    """N_feat and N_parse by their counts: those of another preset or canvas are others."""
    cost = _cost(line)
    return (cost.modules["features"], cost.modules["heads"]) if cost else None
