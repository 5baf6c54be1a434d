"""What stands above and below a table of the paper: whose data, what made the numbers, how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from vipbench.compare import ALPHA, RESAMPLES
from vipbench.compare_text import FEW
from vipbench.papers import ABSENT
from vipbench.papers.join import UNDERTRAINED, Block, Line
from vipbench.records import Record
from vipbench.table_costs import COUNT, SPEED, known, verdicts

FPS = (
    "Our fps are of the network alone: without reading images, checking what the method yields, and "
    "writing it."
)
CAUTION = (
    f"{UNDERTRAINED}: the log of these weights shows no plateau, it is too short, or the loss hardly fell or "
    "still fell when training ended; with more steps the row may score higher."
)
ELSEWHERE = "made by other programs, scored here"


def heading(block: Block) -> list[str]:
    """Which table, and whose data and which weights the numbers are of."""
    table, data = block.table, block.data
    videos = f"{len(data.videos)} videos, sha256 {data.sha256[:8]}"
    ours = [f"{data.dataset} {data.version} {data.split}, {videos}", f"protocol {table.protocol}"]
    none = [f"{data.dataset}, nothing scored yet"]
    paper = f"paper: {table.dataset} {table.version} {table.split}, {table.videos} videos; {table.source}"
    made = _grouped(block, _about)
    return [
        f"Table {table.number}. {table.caption}",
        "ours:  "
        + "; ".join(ours + [f"{names}: {about}" for about, names in made] if block.records else none),
        paper if block.comparable or not block.records else f"{paper}. Not the same data: no difference",
    ]


def _grouped(block: Block, of: Callable[[Line], str]) -> list[tuple[str, str]]:
    """(what is said of them, names of lines), in order; lines of which nothing is said are left out."""
    names: dict[str, list[str]] = {}
    for line in block.lines:
        if line.record:
            names.setdefault(of(line), []).append(line.name)
    return [(said, ", ".join(of_them)) for said, of_them in sorted(names.items()) if said]


def _about(line: Line) -> str:
    """The preset and weights of a method that says what it ran with."""
    made = line.record and line.record.provenance.run is not None
    return line.about if made else ELSEWHERE


def footer(block: Block) -> list[str]:
    """Where and when ours were made, and what to know about the numbers."""
    table, data = block.table, block.data
    absent = f"{ABSENT} is not measured or not printed."
    timed = any(column.timing for column in table.columns)
    unit = f"Percent, but for fps; {absent}" if timed else f"Percent; {absent}"
    own = table.data_notes.get(f"{data.dataset} {data.split}", []) if block.records else []
    return [
        *_made(block),
        *_left_out(block),
        *_sure(block),
        unit,
        *([FPS] if timed else []),
        *([CAUTION] if any(line.caution for line in block.lines) else []),
        *([SPEED, COUNT, *verdicts(block)] if known(block) else []),
        *own,
        *table.notes,
    ]


def _made(block: Block) -> Iterator[str]:
    if block.records:
        days = sorted({record.provenance.created[:10] for record in block.records})
        versions = sorted({record.provenance.version for record in block.records})
        devices = _grouped(block, _device)
        where = [device if len(devices) == 1 else f"{names}: {device}" for device, names in devices]
        when = " to ".join(dict.fromkeys([days[0], days[-1]]))
        yield f"Scored {when} by vipbench {', '.join(versions)}; {'; '.join(where)}."


def _device(line: Line) -> str:
    """Where the method ran, or else where its folder was scored."""
    record: Record = line.record  # type: ignore[assignment]
    device = (record.provenance.run or {}).get("device") or record.provenance.device
    words = {"cpu": "{}", "torch": "{}", "cores": "cores: {}", "threads": "threads: {}"}
    return ", ".join(form.format(device[key]) for key, form in words.items() if device.get(key))


def _left_out(block: Block) -> Iterator[str]:
    if block.older:
        yield f"{block.older} older Records of the same methods are not shown."
    for line in block.lines:
        if line.record and line.record.provenance.warnings:
            count = len(line.record.provenance.warnings)
            yield f"{line.name}: scored with {count} warnings, which its Record lists."


def _sure(block: Block) -> Iterator[str]:
    """What the intervals are, and which methods have none."""
    if any(line.intervals for line in block.lines):
        level = f"{100 * (1 - ALPHA):.6g} % interval, percentile bootstrap over whole videos"
        yield f"low, high: {level}, {RESAMPLES} resamples, seed 0."
        if len(block.data.videos) < FEW:
            yield f"Of fewer than {FEW} videos the intervals tend to be too short."
    reasons: dict[str, list[str]] = {}
    for line in block.lines:
        if line.without:
            reasons.setdefault(line.without, []).append(line.name)
    for reason, names in reasons.items():
        yield f"No interval for {', '.join(names)}: {reason.rstrip('.')}."
