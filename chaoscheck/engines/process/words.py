"""What an instance's process is told: its command and its environment, from the plan and the place it got."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MARK = "CHAOSCHECK_MARK"
INSTANCE = "CHAOSCHECK_INSTANCE"
DISK = "CHAOSCHECK_DISK"
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV")
_OWN = re.compile(rf"\$(?:(PORT|HOST|{DISK})\b|\{{(PORT|HOST|{DISK})\}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one process lives: `volumes` are name -> (path in the plan, folder here); no port for a setup command."""

    run: str
    name: str
    disk: Path
    host: str = ""
    port: int = 0
    volumes: Mapping[str, tuple[str, Path]]

    def own(self) -> dict[str, str]:
        """Variables that only this process has."""
        address = {"HOST": self.host, "PORT": str(self.port)} if self.port else {}
        named = {f"CHAOSCHECK_VOLUME_{_upper(name)}": str(folder) for name, (_, folder) in self.volumes.items()}
        disk = {DISK: str(self.disk), "TMPDIR": str(self.disk)}
        return {**address, **named, **disk, MARK: f"{self.run}/{self.name}", INSTANCE: self.name}


def mark(run: str, name: str = "") -> bytes:
    """What the environment of a process of that run holds, or of that instance of it, children included."""
    return f"\0{MARK}={run}/{name}".encode() + (b"\0" if name else b"")


def environment(
    place: Place,
    env: Mapping[str, str],
    inherited: Mapping[str, str],
    interpreter: Path,
) -> dict[str, str]:
    """The whole environment: little of ours, all of the plan's, and what is this process's own.

    The interpreter's folder comes last on PATH, so that `python` means something where no other one is installed.
    """
    base = {name: inherited[name] for name in _INHERITED if name in inherited}
    base["PATH"] = ":".join(part for part in (base.get("PATH", ""), str(interpreter.parent)) if part)
    return base | {name: rewritten(value, place) for name, value in env.items()} | place.own()


def command(words: Iterable[str], place: Place) -> list[str]:
    """The command with its variables filled in and volumes' paths replaced by their folders."""
    return [rewritten(word, place) for word in words]


def rewritten(text: str, place: Place) -> str:
    """`text` with $PORT, $HOST, $CHAOSCHECK_DISK filled in, and each volume's path replaced where it stands alone."""
    own = place.own()
    text = _OWN.sub(lambda found: own.get(found[1] or found[2], found[0]), text)
    folders = {"/" + path.strip("/"): str(folder) for path, folder in place.volumes.values()}
    if not folders:
        return text
    either = "|".join(re.escape(path) for path in sorted(folders, key=len, reverse=True))
    return re.sub(rf"(?<![\w.\-])(?:{either})(?![\w.\-])", lambda found: folders[found[0]], text)


def _upper(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()
