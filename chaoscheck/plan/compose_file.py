"""A compose file: its services with every variable filled in, the line of each key, and what is left out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.interpolate import BadTemplate, interpolate, read_env
from chaoscheck.plan.lined import parse

RESOLVED = "`docker compose config > resolved.yaml` writes one file without it; name that one"
_A_FILE = ("a compose file is a mapping", "it needs at least services")
_REFUSED = ("extends", "volumes_from", "provider")
_BYTES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([bkmg]?)b?\s*", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class ComposeFile:
    """What stands in it. `values` are the variables that it sees: those of `.env` beside it, then the shell's."""

    path: Path
    raw: dict[str, Any]
    lines: Mapping[str, int]
    values: Mapping[str, str]
    doubts: list[str] = field(default_factory=list)
    unset: set[str] = field(default_factory=set)

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def services(self) -> dict[str, Any]:
        found = self.raw.get("services")
        return found if isinstance(found, dict) else {}

    def place(self, *keys: str) -> str:
        """`file:line` of that key, or of its nearest ancestor."""
        for size in range(len(keys), 0, -1):
            line = self.lines.get(".".join(keys[:size]))
            if line is not None:
                return f"{self.path.name}:{line}"
        return self.path.name

    def doubt(self, text: str, *keys: str) -> None:
        """Something of it is not as it would be under compose."""
        line = f"{self.place(*keys)}: {'.'.join(keys)} {text}"
        if line not in self.doubts:
            self.doubts.append(line)

    def error(self, text: str, *keys: str, hint: str = "") -> PlanError:
        return PlanError(f"{'.'.join(keys)} {text}", place=self.place(*keys), hint=hint)

    def top(self, section: str, name: str) -> dict[str, Any]:
        """A named thing at the top level (volumes, secrets, configs); {} where nothing is said of it."""
        found = (self.raw.get(section) or {}).get(name)
        return found if isinstance(found, dict) else {}


def read(path: Path, environment: Mapping[str, str]) -> ComposeFile:
    """The file, filled in. Raises PlanError with its line."""
    raw, lines = parse(_text(path, "the compose file"), path, _A_FILE)
    dotenv = path.parent / ".env"
    beside = read_env(_text(dotenv, "the file"), environment) if dotenv.is_file() else {}
    values = {**{name: value for name, value in beside.items() if value is not None}, **environment}
    file = ComposeFile(path=path, raw=raw, lines=lines, values=values)
    if "include" in raw:
        raise file.error("is not read here", "include", hint=RESOLVED)
    if not isinstance(raw.get("services"), dict):
        raise PlanError("it has no services", place=f"{path.name}:1", hint="name a compose file")
    return file


def service(file: ComposeFile, name: str) -> dict[str, Any]:
    """That service, its variables filled in. Raises PlanError for one that isn't there, or can't be taken."""
    found = file.services.get(name)
    if not isinstance(found, dict):
        raise PlanError(
            f"there is no service {name} in {file.path.name}",
            place=file.place("services"),
            hint="its services are " + ", ".join(file.services),
        )
    for key in _REFUSED:
        if key in found:
            raise file.error("is not read here", "services", name, key, hint=RESOLVED)
    filled = _fill(file, found, ("services", name))
    assert isinstance(filled, dict)
    return filled


def filled_top(file: ComposeFile, section: str, name: str) -> dict[str, Any]:
    """As `ComposeFile.top`, its variables filled in."""
    filled = _fill(file, file.top(section, name), (section, name))
    assert isinstance(filled, dict)
    return filled


def env_files(file: ComposeFile, raw: Any, *keys: str) -> Iterator[tuple[str, str | None]]:
    """Names and values of `env_file`, in its order."""
    for item in raw if isinstance(raw, list) else [raw]:
        entry = item if isinstance(item, dict) else {"path": item}
        path = (file.folder / str(entry.get("path", ""))).expanduser()
        if not path.is_file():
            if entry.get("required", True):
                raise file.error(f"names {path}, which is no file", *keys)
            continue
        yield from read_env(_text(path, "the file"), file.values, raw=entry.get("format") == "raw").items()


def size(file: ComposeFile, raw: Any, *keys: str) -> int:
    """Bytes of 512, "64m" or "1gb"; compose's kilo is 1024."""
    found = _BYTES.fullmatch(str(raw))
    if found is None:
        raise file.error(f"'{raw}' is no size", *keys)
    return int(float(found[1]) * 1024 ** "bkmg".index(found[2].lower() or "b"))


def _fill(file: ComposeFile, value: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(file, item, (*keys, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(file, item, (*keys, str(index))) for index, item in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def missing(name: str) -> None:
        if name not in file.unset:
            file.unset.add(name)
            file.doubt(f"uses {name}, which is not set: nothing stands in its place", *keys)

    try:
        return interpolate(value, file.values, missing)
    except BadTemplate as error:
        raise file.error(f"can't be filled in: {error}", *keys, hint=f"set it in {file.folder / '.env'}") from None


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise PlanError(
            f"can't read {what} {path}: {error.strerror}", hint="in a plan, a path is relative to the plan"
        ) from None
    except UnicodeDecodeError:
        raise PlanError(f"{what} {path} is not UTF-8 text", hint="save it as UTF-8") from None
