"""Services that nobody here wrote, tried for real: the matrix tells the stateful one from the stateless one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samples.fleets import need

TARGETS = Path(__file__).resolve().parents[2] / "targets"
LIMIT_S = 300.0
"""Most of it is for a first time, when the images are yet to be built; a try itself takes about 10 s."""


def tried(plan: str, reports: Path) -> tuple[int, dict[str, Any], str]:
    """The exit code, result.json and what was printed of `chaoscheck try`."""
    chosen = ["--engine", "docker", "--out", str(reports)]
    words = [sys.executable, "-m", "chaoscheck", "try", str(TARGETS / plan), *chosen]
    done = subprocess.run(words, cwd=TARGETS.parent, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    found = list(reports.glob("*/result.json"))
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return done.returncode, json.loads(found[0].read_text(encoding="utf-8")), done.stdout


def cells(result: dict[str, Any]) -> dict[str, dict[tuple[int, int], bool | None]]:
    """Of each promise, by (written on, read on), whether it held."""
    grids: dict[str, dict[tuple[int, int], bool | None]] = {}
    for cell in result["matrix"]:
        grids.setdefault(cell["promise"], {})[cell["writer"], cell["reader"]] = cell["holds"]
    return grids


@pytest.mark.docker
def test_kinto_that_keeps_records_in_memory_fails_between_any_two_instances(tmp_path: Path) -> None:
    """Each instance has what it took itself, no other has, and no kill is needed to say so."""
    need("docker")
    code, result, _ = tried("kinto/plans/memory.yaml", tmp_path)
    pairs = {(writer, reader) for writer in (1, 2, 3) for reader in (1, 2, 3)}
    assert cells(result) == {name: {pair: pair[0] == pair[1] for pair in pairs} for name in ("note", "log")}
    assert (code, result["verdict"]) == (1, "FAIL")
    assert {finding["cause"] for finding in result["findings"]} == {"state in one instance"}


@pytest.mark.docker
def test_roundup_with_one_database_for_all_holds_between_any_two_instances(tmp_path: Path) -> None:
    """Identity, profile and issues, and a form that one instance handed out is taken by any other."""
    need("docker")
    code, result, printed = tried("roundup/plans/volume.yaml", tmp_path)
    grids = cells(result)
    assert set(grids) == {"login", "profile", "issue"}
    assert all(len(grid) == 9 and all(grid.values()) for grid in grids.values()), grids
    assert (code, result["findings"]) == (0, []), printed
