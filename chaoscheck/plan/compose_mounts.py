"""What a compose service mounts. A copy of its own gets copies of the user's files: his are never written to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaoscheck.plan.compose_file import ComposeFile, filled_top


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One of them, long form: `kind` is volume, bind or tmpfs; `source` "" is an anonymous volume."""

    kind: str
    source: str
    target: str
    read_only: bool
    options: str = ""


@dataclass(slots=True, kw_only=True)
class Mounts:
    """As the plan's `container` has them."""

    volumes: dict[str, str] = field(default_factory=dict)
    read_only: list[str] = field(default_factory=list)
    anonymous: list[str] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    tmpfs: list[str] = field(default_factory=list)


def mounts(file: ComposeFile, name: str, raw: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Volumes, binds, tmpfs, configs and secrets of a service. Raises PlanError for what is no mount."""
    into = Mounts()
    for index, mount in _volumes(file, name, raw):
        keys = ("services", name, "volumes", str(index))
        if mount.kind == "tmpfs":
            into.tmpfs.append(mount.target + mount.options)
        elif mount.kind == "bind":
            _bind(file, mount, into, folder, keys)
        elif not mount.source:
            into.anonymous.append(mount.target)
        else:
            _named(file, mount, into, keys)
    tmpfs = raw.get("tmpfs") or []
    into.tmpfs += [tmpfs] if isinstance(tmpfs, str) else [str(item) for item in tmpfs]
    for section, where in (("secrets", "/run/secrets/"), ("configs", "/")):
        _handed(file, name, raw, section, where, into, folder)
    return {key: getattr(into, key) for key in Mounts.__slots__}


def _volumes(file: ComposeFile, name: str, raw: Mapping[str, Any]) -> Iterator[tuple[int, Mount]]:
    for index, item in enumerate(raw.get("volumes") or ()):
        mount = _long(item) if isinstance(item, dict) else _short(str(item))
        if mount is None or not mount.target.startswith("/") or mount.kind not in ("volume", "bind", "tmpfs"):
            raise file.error(f"'{item}' is no mount that can be made", "services", name, "volumes", str(index))
        yield index, mount


def _short(text: str) -> Mount | None:
    parts = text.split(":")
    if len(parts) == 1:
        return Mount(kind="volume", source="", target=text, read_only=False)
    source, target, mode = (*parts, "")[:3]
    kind = "bind" if source.startswith((".", "/", "~")) else "volume"
    return Mount(kind=kind, source=source, target=target, read_only="ro" in mode.split(","))


def _long(item: Mapping[str, Any]) -> Mount:
    size = (item.get("tmpfs") or {}).get("size")
    return Mount(
        kind=str(item.get("type", "volume")),
        source=str(item.get("source") or ""),
        target=str(item.get("target") or ""),
        read_only=bool(item.get("read_only")),
        options=f":size={size}" if size else "",
    )


def _named(file: ComposeFile, mount: Mount, into: Mounts, keys: tuple[str, ...]) -> None:
    said = filled_top(file, "volumes", mount.source)
    if said.get("external"):
        file.doubt(f"is external ({mount.source}): a new, empty volume stands in, yours is not touched", *keys)
    elif said.get("driver_opts"):
        file.doubt(f"has driver_opts ({mount.source}): a plain volume stands in", *keys)
    into.volumes[mount.source] = mount.target
    if mount.read_only:
        into.read_only.append(mount.target)


def _bind(file: ComposeFile, mount: Mount, into: Mounts, folder: Path, keys: tuple[str, ...]) -> None:
    path = (file.folder / Path(mount.source).expanduser()).resolve()
    volume = f"bind-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if path.exists() and not (path.is_file() or path.is_dir()):
        file.doubt(f"is a socket or a device ({mount.source}): it is left out", *keys)
    elif not path.exists():
        file.doubt(f"is not there ({mount.source}): an empty volume stands in", *keys)
        into.volumes[volume] = mount.target
    elif mount.read_only or path.is_file():
        if not mount.read_only:
            file.doubt("is a file that may be written: each container writes to a copy of its own", *keys)
        into.copies[_here(path, folder)] = mount.target
    else:
        file.doubt(f"may be written: all get one copy of {mount.source} to share, yours is not touched", *keys)
        into.volumes[volume] = mount.target
        into.seeds[volume] = _here(path, folder)


def _handed(
    file: ComposeFile, name: str, raw: Mapping[str, Any], section: str, where: str, into: Mounts, folder: Path
) -> None:
    """Its secrets or configs, as files."""
    for index, item in enumerate(raw.get(section) or ()):
        entry = item if isinstance(item, dict) else {"source": item}
        source = str(entry.get("source"))
        target = str(entry.get("target") or source)
        inside = target if target.startswith("/") else where + target
        said = filled_top(file, section, source)
        if said.get("file"):
            path = (file.folder / str(said["file"])).resolve()
            if not path.is_file():
                raise file.error(f"names {said['file']}, which is no file", section, source, "file")
            into.copies[_here(path, folder)] = inside
        elif "content" in said or said.get("environment") in file.values:
            into.texts[inside] = str(said["content"] if "content" in said else file.values[said["environment"]])
        else:
            why = f"is left out: {source} is not in a file, nor in the environment"
            file.doubt(why, "services", name, section, str(index))


def _here(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder.resolve())
