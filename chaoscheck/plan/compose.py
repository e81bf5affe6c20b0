"""`target: {compose: FILE, service: NAME}`: the service becomes the target, what it depends on becomes stores.

The user's own project is not looked at and not touched: from here on it is a plan like any other, with containers,
a network and volumes of its run's own. What the plan says itself comes before what the file says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chaoscheck.errors import PlanError
from chaoscheck.plan.compose_file import ComposeFile, read
from chaoscheck.plan.compose_service import Part, part

_SOURCES = ("image", "build", "dockerfile", "build_args", "build_target")


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A line for each thing that was taken, and for each that may matter and was not."""

    taken: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def composed(raw: dict[str, Any], path: Path, lines: Mapping[str, int], environment: Mapping[str, str]) -> Composed:
    """Fill the plan `raw` (of the file `path`) from the compose file that its target names, if it names one.

    Raises PlanError, with the compose file's line.
    """
    target = raw.get("target")
    if not isinstance(target, dict) or not (target.get("compose") or target.get("service")):
        return Composed()
    place = f"{path.name}:{lines.get('target.compose') or lines.get('target', 1)}"
    if not (isinstance(target.get("compose"), str) and isinstance(target.get("service"), str)):
        raise PlanError(
            "target needs compose and service together", place=place, hint="compose: compose.yaml, service: web"
        )
    folder = path.parent
    file = read((folder / target["compose"]).resolve(), environment)
    parts = _all(file, target["service"], folder, set(_named_stores(raw, file)))
    main = parts.pop(target["service"])
    if "ready" in target:
        main = replace(main, ready=None)
    _fill_target(file, raw, target, main)
    _fill_stores(raw, parts, main)
    return Composed(taken=tuple(_taken(file, main, parts)), doubts=tuple(file.doubts))


def _named_stores(raw: Mapping[str, Any], file: ComposeFile) -> Iterator[str]:
    """Stores of the plan that are services of the file: taken, whether anything depends on them or not."""
    stores = raw.get("stores")
    if isinstance(stores, dict):
        yield from (name for name in stores if name in file.services)


def _all(file: ComposeFile, name: str, folder: Path, more: set[str]) -> dict[str, Part]:
    """The service, and all that it and `more` depend on, however far. PlanError where that leads back."""
    found: dict[str, Part] = {}

    def take(one: str, way: tuple[str, ...]) -> None:
        if one in way:
            raise file.error(f"leads back: {' -> '.join((*way, one))}", "services", one, "depends_on")
        if one in found:
            return
        taken = part(file, one, folder)
        for other in taken.needs:
            take(other, (*way, one))
        found[one] = taken

    take(name, ())
    for other in sorted(more):
        take(other, (name,))
    return found


def _fill_target(file: ComposeFile, raw: dict[str, Any], target: dict[str, Any], main: Part) -> None:
    _merge(target, main.keys)
    if "port" not in target and main.ports:
        target["port"] = main.ports[0]
        if len(main.ports) > 1:
            file.doubt(f"has several ports: users get {main.ports[0]}", "services", main.name, "ports")
    elif "port" not in target:
        file.doubt("names no port: 8000 is tried; say target.port", "services", main.name)
    if "ready" not in target and main.ready:
        target["ready"] = main.ready
    if "instances" not in raw and main.replicas is not None and main.replicas > 1:
        raw["instances"] = main.replicas


def _fill_stores(raw: dict[str, Any], parts: Mapping[str, Part], main: Part) -> None:
    stores = raw.setdefault("stores", {})
    if not isinstance(stores, dict):
        return
    ending = {name for each in (main, *parts.values()) for name, ends in each.needs.items() if ends}
    called = {alias: name for each in (main, *parts.values()) for alias, name in each.calls.items()}
    for name, one in parts.items():
        one.keys["container"]["aliases"] += [alias for alias, other in called.items() if other == name]
        store = stores.get(name)
        if store is None:
            store = stores[name] = {}
        if not isinstance(store, dict):
            continue
        _merge(store, one.keys)
        if one.needs and "after" not in store:
            store["after"] = list(one.needs)
        if name in ending:
            store.setdefault("until", "done")
        elif "ready" not in store:
            store.setdefault("until", "running")
            if one.ready:
                store["ready"] = one.ready


def _merge(into: dict[str, Any], given: Mapping[str, Any]) -> None:
    """What stands there already wins; mappings are merged key by key."""
    own_source = any(into.get(key) for key in ("image", "build"))
    for key, value in given.items():
        if own_source and key in _SOURCES:
            continue
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            into[key] = {**value, **into[key]}
        else:
            into.setdefault(key, value)


def _taken(file: ComposeFile, main: Part, parts: Mapping[str, Part]) -> Iterator[str]:
    yield f"target is {_said(file, main)}"
    for name, one in parts.items():
        yield f"store {name} is {_said(file, one)}"
    left = [name for name in file.services if name != main.name and name not in parts]
    if left:
        yield f"{main.name} depends on none of: {', '.join(left)}; not started (name one under stores to have it)"


def _said(file: ComposeFile, one: Part) -> str:
    """Names only: values may be secrets."""
    keys, container = one.keys, one.keys.get("container", {})
    parts = [
        f"build {keys['build']}" if "build" in keys else f"image {keys.get('image')}",
        _list("env", keys.get("env", {})),
        _list("port", [str(port) for port in one.ports[:1]]),
        _list("volumes", [f"{name} at {path}" for name, path in container.get("volumes", {}).items()]),
        _list("copies of", container.get("copies", {})),
        "its health check" if one.ready else "",
        _list("after", one.needs),
    ]
    said = "; ".join(text for text in parts if text)
    return f"{one.name} of {file.place('services', one.name)}: {said}"


def _list(what: str, names: Mapping[str, Any] | list[str]) -> str:
    return f"{what} {', '.join(names)}" if names else ""
