"""What a shell offers after TAB: plans, runs, engines. It never fails and never takes long: a shell waits for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

DEEPEST = 3
MOST_FOLDERS = 300
HEAD_BYTES = 65_536
_PLAN = re.compile(rb"^promises:", re.MULTILINE)
_SKIPPED = frozenset({"node_modules", "__pycache__", "reports", "venv", "build", "dist"})


def plans(incomplete: str) -> list[str]:
    """YAML files with promises, as whole paths, from the folder that was typed so far on."""
    return sorted(path for path in _yaml_files(_folder(incomplete)) if path.startswith(incomplete) and _is_plan(path))


def runs(incomplete: str) -> list[tuple[str, str]]:
    """Run folders with their verdicts, the newest first; `latest` before all."""
    top = Path(_folder(incomplete) or "reports")
    found = [
        path for folder in (top, top / "reports") for path in _listed(folder) if (path / "events.ndjson").is_file()
    ]
    found.sort(key=lambda path: (path.name == "latest", path.name), reverse=True)
    return [(str(path), _verdict(path)) for path in found if str(path).startswith(incomplete)]


def engines(incomplete: str) -> list[str]:
    """Engines by name."""
    from chaoscheck import plugins
    from chaoscheck.engines.base import ENGINES

    plugins.load()
    return [name for name in ENGINES if name.startswith(incomplete)]


def _folder(incomplete: str) -> str:
    return incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""


def _yaml_files(top: str) -> Iterator[str]:
    for seen, (folder, below, names) in enumerate(os.walk(top or ".")):
        here = "" if folder == "." else f"{folder.removeprefix('./').rstrip('/')}/"
        depth = os.path.relpath(folder, top or ".").count("/") + (folder not in (top, "."))
        below[:] = sorted(name for name in below if name[:1] != "." and name not in _SKIPPED and depth < DEEPEST)
        yield from (here + name for name in names if name.endswith((".yaml", ".yml")))
        if seen == MOST_FOLDERS:
            return


def _is_plan(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return _PLAN.search(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _verdict(run: Path) -> str:
    """From the beginning of its result, where the verdict stands."""
    try:
        with (run / "result.json").open("rb") as file:
            found = re.search(rb'"verdict": "(\w+)"', file.read(HEAD_BYTES))
    except OSError:
        return "no result"
    return found[1].decode() if found else "no result"
