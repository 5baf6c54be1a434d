"""Who may import whom, and what `import vipbench` must not bring in."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"vipbench": "vipbench", "metrics": "vipbench.metrics", "baselines": "vipbench.baselines"}
FOLDERS["leaderboard"] = "vipbench.leaderboard"
BASE = {
    "vipbench.errors",
    "vipbench.types",
    "vipbench.pixels",
    "vipbench.version",
    "vipbench.rows",
    "vipbench.atomic",
}
BASE |= {"vipbench.parts"}

# layer -> what it may import from the suite beside BASE and itself
ALLOWED = {
    "vipbench.metrics": set(),
    "vipbench.datasets": {"vipbench.flow"},
    "vipbench.folders": {"vipbench.registry"},
    "vipbench.baselines": {"vipbench.registry", "vipbench.datasets", "vipbench.timing", "vipbench.flow"},
    "vipbench.leaderboard": {"vipbench.records"},
    "vipbench.tables": {"vipbench.records", "vipbench.papers", "vipbench.metrics"},
    "vipbench.papers": {"vipbench.records", "vipbench.metrics", "vipbench.registry"},
    "vipbench.report": {
        "vipbench.folders",
        "vipbench.records",
        "vipbench.datasets",
        "vipbench.metrics",
        "vipbench.specs",
    },
}
NOBODY = (
    "vipbench.baselines",
    "vipbench.leaderboard",
    "vipbench.cli",
    "vipbench.cli_options",
    "vipbench.console",
)


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


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_layers(name: str, path: Path) -> None:
    cli = below(name, {"vipbench.__main__", "vipbench.cli", "vipbench.cli_data", *NOBODY[3:]})
    for other in imports(path):
        for closed in NOBODY:
            if below(other, {closed}) and not below(name, {closed}):
                assert cli, f"{name} imports {other}: nobody but the command line may"
        for layer, allowed in ALLOWED.items():
            if below(name, {layer}) and other != "vipbench":
                assert below(other, BASE | allowed | {layer}), f"{name} imports {other}"


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
