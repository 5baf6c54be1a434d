"""Who may import whom, and what `import vipbench` must not bring in."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"vipbench": "vipbench", "metrics": "vipbench.metrics", "baselines": "vipbench.baselines"}
FOLDERS["leaderboard"] = "vipbench.leaderboard"
PURE = "errors native runs types parts segments rle"
BASE = f"{PURE} png pixels rows instances atomic archive version"

# layer -> all that it may import from the suite beside itself
ALLOWED = {
    "errors": "",
    "native": "",
    "runs": "errors native",
    "types": "errors runs",
    "version": "",
    "parts": "",
    "rle": "",
    "timing": "",
    "helper": "errors",
    "pipeline": "timing helper",
    "costs": "",
    "provenance": "",
    "atomic": "",
    "segments": "errors types",
    "rows": "errors",
    "instances": "errors types rle",
    "archive": "errors",
    "png": "native runs",
    "pixels": "errors native runs types png",
    "flow": "errors atomic",
    "registry": "errors",
    "parallel": "errors",
    "metrics": PURE,
    "folders": f"{BASE} registry",
    "datasets": f"{BASE} flow",
    "floors": BASE,
    "baselines": f"{BASE} registry datasets timing pipeline flow costs",
    "specs": f"{BASE} registry",
    "listing": "errors registry metrics",
    "plausible": f"{BASE} folders",
    "check": f"{BASE} folders specs plausible",
    "work": f"{BASE} folders specs",
    "wanted": f"{PURE} metrics registry",
    "checking": f"{BASE} check folders specs metrics parallel work wanted",
    "runstate": f"{BASE} specs provenance",
    "runner": f"{BASE} folders specs registry runstate parallel pipeline timing",
    "records": f"{PURE} atomic metrics",
    "seen": f"{PURE} metrics",
    "states": f"{BASE} specs folders metrics check work seen",
    "origin": f"{BASE} folders runstate",
    "finish": f"{PURE} metrics records wanted",
    "arrays": "errors types",
    "stream": f"{PURE} arrays finish metrics provenance records seen version wanted",
    "scorer": f"{BASE} specs registry folders metrics check checking states origin records parallel "
    "provenance wanted finish",
    "report": f"{BASE} records folders metrics specs",
    "breakdown": "errors registry metrics records",
    "stats": "",
    "entries": "errors metrics registry records",
    "resampled": "errors metrics entries stats",
    "compare": "errors metrics entries resampled stats",
    "compare_text": "compare",
    "papers": f"{BASE} records metrics registry entries compare",
    "table_costs": "papers costs",
    "table_words": "records papers compare compare_text table_costs",
    "table_grids": "papers table_costs",
    "tables": f"{BASE} records papers metrics table_words table_costs table_grids",
    "reproduce": f"{BASE} datasets specs registry runner runstate scorer records papers",
    "bench_figures": "version provenance costs",
    "bench": f"{BASE} specs registry runner runstate origin provenance costs bench_figures",
    "bench_frames": f"{BASE} bench datasets registry reproduce specs",
    "bench_text": "bench_figures papers table_costs table_grids tables",
    "bench_picture": f"{BASE} bench_figures papers records registry",
    "leaderboard": f"{BASE} records",
    "console": "errors records",
}
COMMANDS = (
    "cli",
    "cli_bench",
    "cli_breakdown",
    "cli_compare",
    "cli_data",
    "cli_options",
    "cli_reproduce",
    "cli_train",
    "cli_weights",
)
CLI = {"vipbench.__main__", *(f"vipbench.{name}" for name in COMMANDS)}  # everything
NOBODY = {"vipbench.baselines", "vipbench.leaderboard", "vipbench.console", *CLI}
EXPORTS = {"vipbench.errors", "vipbench.types", "vipbench.version"}


def modules() -> list[tuple[str, Path]]:
    found = []
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found.append((".".join([package, *(p for p in parts if p != "__init__")]), path))
    return found


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("vipbench.")}


def below(name: str, packages: set[str]) -> bool:
    return any(name == p or name.startswith(p + ".") for p in packages)


def may_import(name: str) -> set[str]:
    if name == "vipbench":
        return EXPORTS
    layer = name.split(".")[1]
    assert layer in ALLOWED, f"{name}: say in ALLOWED what this layer may import"
    return {f"vipbench.{other}" for other in (layer, *ALLOWED[layer].split())}


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_layers(name: str, path: Path) -> None:
    if below(name, CLI):
        return
    for other in imports(path) - {"vipbench"}:
        assert below(other, may_import(name)), f"{name} imports {other}"


def test_layers_have_an_order() -> None:
    """Each layer comes after all that it imports, so that no two know each other."""
    seen: set[str] = set()
    for layer, allowed in ALLOWED.items():
        assert not set(allowed.split()) - seen, f"{layer} imports a layer to its right"
        seen.add(layer)


def test_the_command_line_alone_imports_what_nobody_may() -> None:
    for layer, allowed in ALLOWED.items():
        assert not {f"vipbench.{other}" for other in allowed.split()} & NOBODY, layer


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    ).stdout


def test_import_is_light() -> None:
    heavy = "[m for m in ('torch', 'scipy', 'pandas', 'matplotlib', 'rich') if m in sys.modules]"
    assert python(f"import sys, vipbench, vipbench.cli; print({heavy})").strip() == "[]"


def test_no_top_level_metrics_or_baselines() -> None:
    names = "[m for m in ('metrics', 'baselines', 'leaderboard') if m in sys.modules]"
    assert python(f"import sys, vipbench.metrics; print({names})").strip() == "[]"
