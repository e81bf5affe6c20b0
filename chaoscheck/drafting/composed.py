"""Which service of a compose file is meant, and what the plan says of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from chaoscheck.drafting.draft import Json, Note, Sure, TargetDraft
from chaoscheck.errors import PlanError
from chaoscheck.plan.compose_file import read
from chaoscheck.registry import nearest

_STORE = re.compile(
    r"postgres|mysql|maria|mongo|redis|valkey|memcache|rabbit|kafka|minio|elastic|nginx|haproxy|traefik|caddy",
    re.IGNORECASE,
)
_ASKED = re.compile(r"https?://[^/\s\"']+(/[^\s\"'|),]*)")


def target(path: Path, service: str, shown: str) -> TargetDraft:
    """`{compose: FILE, service: NAME}`; `shown` is the file as the plan writes it.

    Without a name it is the service that is built here or publishes a port and is no store. Raises PlanError.
    """
    services = _services(path)
    if service and service not in services:
        raise PlanError(f"{path} has no service '{service}'", hint=nearest(service, services))
    able = [service] if service else _able(services)
    if len(able) != 1:
        names = ", ".join(able or services) or "none"
        raise PlanError(f"{path} doesn't tell which service is meant: {names}", hint="name it with --service")
    name = able[0]
    keys: dict[str, Json] = {"compose": shown, "service": name}
    notes = [Note(text=f"service: {name} of {shown}", sure=Sure.SAID if service else Sure.LIKELY)]
    if port := _port(services[name]):
        keys["port"] = port
        notes.append(Note(text=f"port: {shown} publishes or exposes {port}", sure=Sure.LIKELY))
    if found := _ASKED.search(str((services[name].get("healthcheck") or {}).get("test", ""))):
        keys["ready"] = found[1]
        notes.append(Note(text=f"ready: its healthcheck asks {found[1]}", sure=Sure.LIKELY))
    if others := [each for each in services if each != name]:
        notes.append(Note(text=f"beside: {', '.join(others)}, also in {shown}", sure=Sure.FOUND))
    return TargetDraft(keys=keys, notes=tuple(notes))


def build_folder(path: Path, service: str) -> Path | None:
    """Where that service is built from, if it is built here."""
    build = _services(path).get(service, {}).get("build")
    context = build.get("context", ".") if isinstance(build, dict) else build
    folder = path.parent / context if isinstance(context, str) else None
    return folder if folder is not None and folder.is_dir() else None


def _services(path: Path) -> dict[str, dict[str, Any]]:
    services = read(path, os.environ).services
    return {str(name): each if isinstance(each, dict) else {} for name, each in services.items()}


def _able(services: dict[str, dict[str, Any]]) -> list[str]:
    plain = [name for name, each in services.items() if not _STORE.search(str(each.get("image", "")))]
    built = [name for name in plain if "build" in services[name]]
    published = [name for name in built or plain if services[name].get("ports") or services[name].get("expose")]
    return published or built or plain


def _port(service: dict[str, Any]) -> int:
    """The container's own: the last of `8080:80`, `target` of the long form, or what it exposes."""
    for each in [*(service.get("ports") or []), *(service.get("expose") or [])]:
        said = each.get("target") if isinstance(each, dict) else str(each).rpartition(":")[2]
        found = re.match(r"\d+", str(said))
        if found:
            return int(found[0])
    return 0
