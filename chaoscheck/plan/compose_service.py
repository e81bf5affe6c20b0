"""One service of a compose file in the plan's words."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaoscheck.plan.compose_file import ComposeFile, env_files, service, size
from chaoscheck.plan.compose_keys import BUILD, HEALTHCHECK, SERVICE, SILENT, known
from chaoscheck.plan.compose_mounts import mounts
from chaoscheck.plan.units import seconds

_TIME = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")
_PORT = re.compile(r"(?:(?:.*:)?)(\d+)(?:-(\d+))?(?:/(\w+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a service gives to the plan: `keys` of a target or a store, the ports it names, who it needs.

    `needs` is service -> whether it has to have ended well before this one starts; `calls` what its links name others.
    """

    name: str
    keys: dict[str, Any]
    ports: tuple[int, ...]
    needs: dict[str, bool]
    calls: dict[str, str]
    replicas: int | None
    ready: dict[str, Any] | None


def part(file: ComposeFile, name: str, folder: Path) -> Part:
    """That service; paths are written relative to `folder`. Raises PlanError for what can't be taken."""
    raw = service(file, name)
    known(file, raw, SERVICE, "services", name)
    for key in raw:
        if key not in SILENT and not key.startswith("x-"):
            file.doubt("is left out", "services", name, key)
    _network_mode(file, name, raw)
    if raw.get("profiles"):
        file.doubt("make no difference here: it is taken", "services", name, "profiles")
    container = {
        **_words(raw),
        **_plain(raw),
        **_numbers(file, name, raw),
        **mounts(file, name, raw, folder),
        "aliases": list(_aliases(name, raw)),
        "hosts": _hosts(raw.get("extra_hosts")),
    }
    keys = {
        **_source(file, name, raw, folder),
        "env": _environment(file, name, raw),
        "container": {key: value for key, value in container.items() if value},
    }
    return Part(
        name=name,
        keys={key: value for key, value in keys.items() if value},
        ports=_ports(file, name, raw),
        needs=_needs(file, name, raw),
        calls=_calls(raw),
        replicas=_replicas(raw),
        ready=_ready(file, name, raw),
    )


def _source(file: ComposeFile, name: str, raw: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    build = raw.get("build")
    if build is None:
        if not raw.get("image"):
            raise file.error("has neither image nor build", "services", name)
        return {"image": raw["image"]}
    said = build if isinstance(build, dict) else {"context": build}
    known(file, said, BUILD, "services", name, "build")
    taken = ("context", "dockerfile", "args", "target", "labels", "tags", "cache_from", "cache_to", "pull", "no_cache")
    for key in said:
        if key == "dockerfile_inline":
            hint = "write a Dockerfile, or build it first and name image"
            raise file.error("is not built here", "services", name, "build", key, hint=hint)
        if key not in taken and not key.startswith("x-"):
            file.doubt("is left out", "services", name, "build", key)
    context = str(said.get("context", "."))
    if "://" in context or context.startswith("git@"):
        hint = "build it first, and name image"
        raise file.error("is no folder of this machine", "services", name, "build", hint=hint)
    found = {
        "build": os.path.relpath((file.folder / context).expanduser().resolve(), folder.resolve()),
        "dockerfile": said.get("dockerfile"),
        "build_target": said.get("target"),
        "build_args": _strings(_pairs(file, said.get("args"))),
    }
    return {key: value for key, value in found.items() if value}


def _environment(file: ComposeFile, name: str, raw: Mapping[str, Any]) -> dict[str, str]:
    """`env_file` first, then `environment`; a name without a value takes it from the shell, or is left out."""
    found: dict[str, Any] = {}
    if raw.get("env_file"):
        found |= dict(env_files(file, raw["env_file"], "services", name, "env_file"))
    found |= _pairs(file, raw.get("environment"))
    values = {key: file.values.get(key) if value is None else value for key, value in found.items()}
    return _strings({key: value for key, value in values.items() if value is not None})


def _pairs(file: ComposeFile, raw: Any) -> dict[str, Any]:
    """A mapping, or a list of NAME=value; what has no value is the shell's (None where that has none)."""
    if isinstance(raw, dict):
        return {str(key): file.values.get(str(key)) if value is None else value for key, value in raw.items()}
    split = [str(item).partition("=") for item in raw or ()]
    return {key: value if sign else file.values.get(key) for key, sign, value in split}


def _strings(pairs: Mapping[str, Any]) -> dict[str, str]:
    """As compose writes them: a YAML true is `true`."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in pairs.items()
        if value is not None
    }


def _words(raw: Mapping[str, Any]) -> dict[str, list[str]]:
    found = {key: raw[key] for key in ("command", "entrypoint") if raw.get(key)}
    return {
        key: shlex.split(value) if isinstance(value, str) else [str(word) for word in value]
        for key, value in found.items()
    }


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    names = {"hostname": "hostname", "user": "user", "working_dir": "workdir", "init": "init", "cap_add": "caps"}
    found = {ours: raw[theirs] for theirs, ours in names.items() if raw.get(theirs)}
    return {key: str(value) if key in ("hostname", "user", "workdir") else value for key, value in found.items()}


def _numbers(file: ComposeFile, name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    deploy = raw.get("deploy") or {}
    limits = (deploy.get("resources") or {}).get("limits") or {}
    memory = limits.get("memory", raw.get("mem_limit"))
    if "cpus" in limits:
        file.doubt("is left out: there is no limit", "services", name, "deploy", "resources", "limits", "cpus")
    sizes = {"memory": memory, "shm": raw.get("shm_size")}
    return {key: size(file, value, "services", name) for key, value in sizes.items() if value}


def _aliases(name: str, raw: Mapping[str, Any]) -> Iterator[str]:
    """All names by which others reach it, each once."""
    networks = raw.get("networks")
    given = [end.get("aliases") or () for end in networks.values() if end] if isinstance(networks, dict) else []
    names = [name, raw.get("container_name"), raw.get("hostname"), *(alias for each in given for alias in each)]
    yield from dict.fromkeys(str(one) for one in names if one)


def _hosts(raw: Any) -> dict[str, str]:
    if isinstance(raw, dict):
        return {str(key): str(value) for key, value in raw.items()}
    split = [re.split("[=:]", str(item), maxsplit=1) for item in raw or ()]
    return {pair[0]: pair[1] for pair in split if len(pair) == 2}


def _network_mode(file: ComposeFile, name: str, raw: Mapping[str, Any]) -> None:
    mode = raw.get("network_mode")
    if mode and mode != "bridge":
        raise file.error(
            f"is {mode}: several of it would share one set of ports",
            *("services", name, "network_mode"),
            hint="leave it out, and let it be reached by its name",
        )


def _ports(file: ComposeFile, name: str, raw: Mapping[str, Any]) -> tuple[int, ...]:
    """Its own TCP ports, those that are published first."""
    found: list[int] = []
    for key in ("ports", "expose"):
        for index, item in enumerate(raw.get(key) or ()):
            text = f"{item.get('target')}/{item.get('protocol', 'tcp')}" if isinstance(item, dict) else str(item)
            match = _PORT.fullmatch(text)
            if match is None:
                raise file.error(f"'{text}' is no port", "services", name, key, str(index))
            if match[2]:
                file.doubt(f"names several ports: {match[1]} is taken", "services", name, key, str(index))
            if (match[3] or "tcp") == "tcp":
                found.append(int(match[1]))
    return tuple(dict.fromkeys(found))


def _needs(file: ComposeFile, name: str, raw: Mapping[str, Any]) -> dict[str, bool]:
    depends = raw.get("depends_on") or {}
    if isinstance(depends, list):
        depends = {each: {} for each in depends}
    found: dict[str, bool] = {}
    for other, terms in depends.items():
        said = terms or {}
        if other not in file.services and said.get("required") is False:
            continue
        found[str(other)] = said.get("condition") == "service_completed_successfully"
    for link in raw.get("links") or ():
        found.setdefault(str(link).partition(":")[0], False)
    return found


def _calls(raw: Mapping[str, Any]) -> dict[str, str]:
    """Names that its links give to other services -> those."""
    pairs = [str(link).partition(":") for link in raw.get("links") or ()]
    return {alias: other for other, _, alias in pairs if alias}


def _replicas(raw: Mapping[str, Any]) -> int | None:
    said = (raw.get("deploy") or {}).get("replicas", raw.get("scale"))
    return int(said) if said is not None else None


def _ready(file: ComposeFile, name: str, raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """Its health check as a command, with as long as compose would give it."""
    check = raw.get("healthcheck") or {}
    known(file, check, HEALTHCHECK, "services", name, "healthcheck")
    test = check.get("test")
    if not test or check.get("disable") or test in (["NONE"], "NONE"):
        return None
    words = ["CMD-SHELL", test] if isinstance(test, str) else [str(word) for word in test]
    how: dict[str, Callable[[list[str]], list[str]]] = {
        "CMD": lambda rest: rest,
        "CMD-SHELL": lambda rest: ["/bin/sh", "-c", *rest],
    }
    if words[0] not in how:
        hint = "begin it with CMD or CMD-SHELL"
        raise file.error(f"begins with {words[0]}", "services", name, "healthcheck", hint=hint)
    tries = int(check.get("retries", 3)) * (_time(check.get("interval", "30s")) + _time(check.get("timeout", "30s")))
    within = max(60.0, _time(check.get("start_period", "0s")) + tries)
    return {"command": how[words[0]](words[1:]), "within": within}


def _time(raw: Any) -> float:
    """Seconds of compose's "1m30s"."""
    parts = _TIME.findall(str(raw))
    return sum(0.0 if unit == "us" else float(seconds(number + unit)) for number, unit in parts)
