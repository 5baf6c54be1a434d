"""What `vipbench bench` measured, in tables and words."""

from __future__ import annotations

from collections.abc import Iterator

from vipbench.bench_figures import BASE, OTHER, Bench, Measured, Spread
from vipbench.papers import ABSENT
from vipbench.table_costs import COUNT, MODULES, SPEED, STAGES
from vipbench.table_grids import Grid

ROUNDS = (
    "Numbers are medians over rounds, with quartiles; the methods take turns in each round. fps: of the "
    "network alone, without decode and write; end to end leaves out nothing. share: of the time end to end. "
    "Weights change no speed but that of the heads, which make a mask of each person found: random weights "
    "may find none."
)


FPS = ("fps", "quartiles", "fps end to end", "quartiles")
RATIOS = ("r Eq. 9", "r Eq. 8", "r exact", "r measured", "quartiles")


def heading(bench: Bench) -> list[str]:
    """On what frames and which machine, and what the methods ran with."""
    d, m = bench.data, bench.machine
    with_gpu = f", {m['gpu']}" if "gpu" in m else ""
    versions = ", ".join(f"{name} {text}" for name, text in bench.versions.items())
    where = f"{m['cpu']}, {m['cores']} cores, threads {m.get('threads', ABSENT)}, {m['torch']}"
    by_weights: dict[str, list[str]] = {}
    for method in bench.methods:
        by_weights.setdefault(method.about, []).append(method.name)
    return [
        f"{d['frames']}; {d['rounds']} rounds, {bench.created}",
        f"{where}{with_gpu}; load {m['load']} before; python {m['python']}, {versions}",
        *(f"{', '.join(names)}: {about}" for about, names in by_weights.items() if about),
    ]


def grids(bench: Bench) -> Iterator[Grid]:
    """Frames a second with ratios, milliseconds by stage, multiply-adds by module."""
    if not bench.methods:
        return
    yield Grid(
        ["method", *FPS, *RATIOS],
        [_fast(m, bench.base) for m in bench.methods],
        1,
    )
    stages = [s for s in (*STAGES, OTHER) if any(s in m.ms for m in bench.methods)]
    yield Grid(
        ["method", *(f"{stage} ms (share)" for stage in stages)],
        [[m.name, *(_time(m, stage) for stage in stages)] for m in bench.methods],
        1,
    )
    counted = [m for m in bench.methods if m.cost]
    if counted:
        yield Grid(["method", *(f"{m} G" for m in MODULES), "sum G"], list(map(_count, counted)), 1)


def notes(bench: Bench) -> list[str]:
    """How to read the numbers, and what is missing."""
    alone = [] if bench.base else [f"No r measured: it is beside {BASE}, which is not among the methods."]
    return [ROUNDS, SPEED, COUNT, *alone, *(f"{name} failed: {why}" for name, why in bench.failed.items())]


def _fast(m: Measured, base: Measured | None) -> list[str]:
    counted = [m.cost.eq9, m.cost.eq8, m.cost.ratio] if m.cost else [None] * 3
    ratios = [ABSENT if r is None else f"{r:.2f}" for r in counted]
    return [m.name, *_spread(m.fps), *_spread(m.fps_end_to_end), *ratios, *_spread(m.ratio(base))]


def _spread(spread: Spread | None) -> list[str]:
    return [f"{spread.median:.2f}", f"{spread.q1:.2f}-{spread.q3:.2f}"] if spread else [ABSENT] * 2


def _time(m: Measured, stage: str) -> str:
    return f"{m.ms[stage].median:.1f} ({m.share[stage]:.0%})" if stage in m.ms else ABSENT


def _count(m: Measured) -> list[str]:
    parts = m.cost.by_module if m.cost else {}
    figures = [*(parts.get(name, 0.0) for name in MODULES), sum(parts.values())]
    return [m.name, *(f"{figure / 1e9:.3f}" for figure in figures)]


def to_markdown(bench: Bench) -> str:
    """Tables and lists of lines."""
    from vipbench.tables import markdown_grid

    lines = [f"- {line}" for line in heading(bench)]
    tables = [line for grid in grids(bench) for line in markdown_grid(grid)]
    return "\n".join([*lines, "", *tables, *(f"- {line}" for line in notes(bench))])
