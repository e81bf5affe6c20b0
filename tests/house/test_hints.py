"""What a user did wrong ends in what to do about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaoscheck import errors

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("cli", "plan", "engines", "balancers", "drafting", "phases", "steps", "checkup")
SOURCES = sorted(
    [path for room in ROOMS for path in (ROOT / "chaoscheck" / room).rglob("*.py")]
    + [ROOT / "chaoscheck" / name for name in ("registry.py", "store.py", "pytest_plugin.py")]
)
ROOTS = (
    errors.PlanError, errors.NotAllowed, errors.EngineUnavailable, errors.ImageMissing, errors.BuildFailed,
    errors.SetupFailed, errors.PortTaken, errors.NotReady, errors.HistoryDamaged,
)  # fmt: skip
"""What a user's mistake, or a machine's, ends in. Others are troubles under way, or our own defects."""
MISTAKES = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ROOTS)}


def raised(tree: ast.AST) -> Iterator[ast.Call]:
    """Every mistake that is made known there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MISTAKES:
            yield node


def has_hint(call: ast.Call) -> bool:
    """A hint that isn't plainly empty; what is handed on (`hint=error.hint`) has one where it was made."""
    hint = next((word.value for word in call.keywords if word.arg == "hint"), None)
    return hint is not None and not (isinstance(hint, ast.Constant) and not hint.value)


def test_the_walk_finds_errors() -> None:
    """Or the test below would be vacuous."""
    found = [call for path in SOURCES for call in raised(ast.parse(path.read_text(encoding="utf-8")))]
    assert len(found) > 60
    assert not has_hint(next(raised(ast.parse('raise PlanError("no")'))))
    assert not has_hint(next(raised(ast.parse('raise PlanError("no", hint="")'))))
    assert has_hint(next(raised(ast.parse('raise PlanError("no", hint="yes")'))))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_mistake_ends_in_a_hint(path: Path) -> None:
    """One sentence says what is wrong, the hint what to do."""
    calls = raised(ast.parse(path.read_text(encoding="utf-8")))
    bare = [f"{path.relative_to(ROOT)}:{call.lineno}" for call in calls if not has_hint(call)]
    assert not bare
