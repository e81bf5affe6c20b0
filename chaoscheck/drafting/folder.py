"""What a service's folder tells without being run: its Dockerfile, compose file, package.json, requirements."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.drafting import backing, routes
from chaoscheck.drafting.draft import Json, Note, Sure, TargetDraft
from chaoscheck.drafting.endpoints import Endpoint, health

COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OPENAPI = (
    "openapi.json",
    "openapi.yaml",
    "openapi.yml",
    "swagger.json",
    "swagger.yaml",
    "docs/openapi.yaml",
    "docs/openapi.json",
)
_EXPOSE = re.compile(r"^\s*EXPOSE\s+(\d+)", re.MULTILINE | re.IGNORECASE)
_NEEDED_JS = re.compile(r"if\s*\(\s*!\s*(?:process\.env\.)?([A-Z][A-Z0-9_]{2,})\s*\)\s*\{?\s*throw")
_NEEDED_PY = re.compile(r"""os\.environ\[\s*["']([A-Z][A-Z0-9_]{2,})["']\s*\]""")
_SET = re.compile(r"^\s*(?:ENV|ARG)\s+(.+(?:\\\n.*)*)", re.MULTILINE)
_HEALTHCHECK = re.compile(r"HEALTHCHECK[^\n]*(?:\\\n[^\n]*)*?https?://[^/\s\"']+(/[^\s\"'|]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What was found; `compose` and `openapi` are paths, or None."""

    target: TargetDraft
    endpoints: tuple[Endpoint, ...]
    compose: Path | None
    openapi: Path | None


def look(folder: Path, *, base: Path) -> Folder:
    """Reads, and runs nothing. Paths in the plan are written as seen from `base`."""
    endpoints = routes.read(folder)
    return Folder(
        target=_target(folder, base, endpoints),
        endpoints=endpoints,
        compose=next((folder / name for name in COMPOSE if (folder / name).is_file()), None),
        openapi=next((folder / name for name in OPENAPI if (folder / name).is_file()), None),
    )


def ready_of(endpoints: tuple[Endpoint, ...]) -> TargetDraft:
    """The health path as `ready`, if there is one."""
    found = health(endpoints)
    if found is None:
        return TargetDraft()
    return TargetDraft(keys={"ready": found.path}, notes=(Note(text=f"ready: {found.where}", sure=Sure.LIKELY),))


def _target(folder: Path, base: Path, endpoints: tuple[Endpoint, ...]) -> TargetDraft:
    keys: dict[str, Json] = {}
    notes = []
    dockerfile = folder / "Dockerfile"
    if dockerfile.is_file():
        text = dockerfile.read_text(encoding="utf-8", errors="replace")
        keys["build"] = Path(os.path.relpath(folder.resolve(), base.resolve())).as_posix()
        notes.append(Note(text=f"build: {keys['build']} has a Dockerfile", sure=Sure.LIKELY))
        if exposed := _EXPOSE.findall(text):
            keys["port"] = int(exposed[-1])
            notes.append(Note(text=f"port: EXPOSE {exposed[-1]} in the Dockerfile", sure=Sure.LIKELY))
        if checked := _HEALTHCHECK.search(text):
            keys["ready"] = checked[1]
            notes.append(Note(text=f"ready: HEALTHCHECK in the Dockerfile asks {checked[1]}", sure=Sure.LIKELY))
        needed = _needed(folder, text)
        if needed:
            keys["env"] = {name: _made_up(name) for name in needed}
            notes.append(
                Note(text=f"env: the source doesn't start without {', '.join(needed)}; made up here, and the same "
                "for all instances", sure=Sure.GUESS)
            )  # fmt: skip
    elif command := _command(folder):
        keys["command"] = command
        notes.append(Note(text="command: no Dockerfile here, so as a local process (engine process)", sure=Sure.GUESS))
    found = TargetDraft(keys=keys, notes=tuple(notes), maybe=tuple(backing.lines(folder)) if "build" in keys else ())
    return found.over(ready_of(endpoints)) if "ready" not in keys else found


def _needed(folder: Path, dockerfile: str) -> list[str]:
    """Variables that the source insists on and the image doesn't set. Stores' addresses are the stores' to say."""
    given = set(re.findall(r"([A-Z][A-Z0-9_]+)\s*[= ]", " ".join(_SET.findall(dockerfile))))
    found: dict[str, None] = {}
    for path in routes.sources(folder):
        text = path.read_text(encoding="utf-8", errors="replace")
        pattern = _NEEDED_PY if path.suffix == ".py" else _NEEDED_JS
        found |= dict.fromkeys(name for name in pattern.findall(text) if name not in given)
    return sorted(name for name in found if not re.search(r"^(HOST|PORT|PATH|HOME)$", name))


def _made_up(name: str) -> str:
    return "the-same-everywhere" if re.search(r"SECRET|KEY|SALT", name) else f"${{{name}}}"


def _command(folder: Path) -> str:
    package = folder / "package.json"
    if package.is_file():
        try:
            said = json.loads(package.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return "npm start" if isinstance(said, dict) and "start" in (said.get("scripts") or {}) else "node ."
    names = [name for name in ("manage.py", "app.py", "main.py", "server.py") if (folder / name).is_file()]
    return "" if not names else f"python {names[0]}{' runserver $PORT --noreload' if names[0] == 'manage.py' else ''}"
