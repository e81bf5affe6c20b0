"""The house rules that a machine can hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "chaoscheck").rglob("*.py"))
PEERS = ("engines", "balancers", "faults", "promises", "traffic", "checkers", "reporting")


def imports(path: Path) -> set[str]:
    """Modules of chaoscheck that this file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
    return found


def test_layers_point_one_way() -> None:
    """cli -> run -> phases -> plug-ins -> steps -> plan -> model -> errors, and never back."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_terminal_libraries_live_in_cli_only(path: Path) -> None:
    """typer and rich are the command line's; locust is the worker's."""
    parts = path.relative_to(ROOT / "chaoscheck").parts
    top = {name.partition(".")[0] for name in imports(path)}
    if parts[0] != "cli":
        assert not top & {"typer", "rich"}
    if parts != ("traffic", "worker.py"):
        assert "locust" not in top


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_model_needs_the_standard_library_only(path: Path) -> None:
    """What happened must be readable without anything installed."""
    if path.relative_to(ROOT / "chaoscheck").parts[0] == "model":
        outside = {name.partition(".")[0] for name in imports(path)} - sys.stdlib_module_names - {"chaoscheck"}
        assert not outside


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_siblings_import_only_another_base(path: Path) -> None:
    """A plug-in that reaches into another package's insides can't be replaced alone."""
    parts = path.relative_to(ROOT / "chaoscheck").parts
    if parts[0] not in PEERS:
        return
    allowed = {f"chaoscheck.{peer}.base" for peer in PEERS}
    for name in imports(path):
        for peer in PEERS:
            inside = name.startswith(f"chaoscheck.{peer}.") and peer != parts[0]
            assert not inside or any(name == base or name.startswith(base + ".") for base in allowed), name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sources_stay_readable(path: Path) -> None:
    """No file over 500 lines, no function over 70."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno <= 70, node.name
