"""Which containers a plan means by its labels, and what the engine says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaoscheck.engines.docker.base import Reach, inspect_raw, talking
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import Attach
from chaoscheck.steps.nearby import is_ours

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
_ONE_OFF = "com.docker.compose.oneoff"
_SWARM = "com.docker.swarm.service.id"
_RESTARTS = ("always", "unless-stopped", "on-failure")
_ANYWHERE = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A container as it was inspected. One life of it is `id` and `started`; `raw` is all that the engine said."""

    id: str
    name: str
    started: str
    running: bool
    raw: Mapping[str, Any]

    @property
    def life(self) -> tuple[str, str]:
        return self.id, self.started

    @property
    def pid(self) -> int:
        return int(self.raw["State"].get("Pid") or 0)

    @property
    def policy(self) -> str:
        """Its restart policy, "" where it has none that acts. One that gives up after some deaths leaves it down."""
        said = self.raw["HostConfig"].get("RestartPolicy") or {}
        name = str(said.get("Name") or "")
        return name if name in _RESTARTS and not said.get("MaximumRetryCount") else ""

    @property
    def removes_itself(self) -> bool:
        """Whether the engine removes it once it ended."""
        return bool(self.raw["HostConfig"].get("AutoRemove"))

    @property
    def orchestrated(self) -> bool:
        """Whether an orchestrator that is recognised puts another in its place."""
        return _SWARM in (self.raw["Config"].get("Labels") or {})

    @property
    def own_processes(self) -> bool:
        """Whether killing its first process kills all of it."""
        return not self.raw["HostConfig"].get("PidMode")

    def __str__(self) -> str:
        policy = f"restart: {self.policy}" if self.policy else "no restart policy"
        return f"{self.name} ({self.id[:12]}, up since {self.started[:19]}, {policy})"


def inspect(client: Any, id_: str) -> Seen | None:
    """What the engine says of it; None when it is gone. Raises EngineLost."""
    raw = inspect_raw(client, id_)
    if raw is None:
        return None
    state = raw["State"]
    # One that waits to be restarted is called running, too.
    running = bool(state["Running"]) and not state.get("Restarting") and not state.get("Dead")
    return Seen(id=raw["Id"], name=raw["Name"].lstrip("/"), started=state["StartedAt"], running=running, raw=raw)


def labelled(client: Any, labels: Mapping[str, str]) -> list[Seen]:
    """All that run now with those labels, by name; none that `compose run` made for once."""
    with talking("list the containers with those labels"):
        rows = client.containers(filters={"label": [f"{key}={value}" for key, value in sorted(labels.items())]})
    ids = [row["Id"] for row in rows if (row["Labels"] or {}).get(_ONE_OFF, "False") != "True"]
    found = [seen for seen in (inspect(client, id_) for id_ in ids) if seen is not None and seen.running]
    return sorted(found, key=_in_order)


def _in_order(seen: Seen) -> tuple[str, int, str]:
    """web-2 before web-10."""
    stem, _, number = seen.name.rpartition("-")
    return (stem, int(number), "") if number.isdecimal() else (seen.name, 0, seen.id)


def labels_of(attach: Attach) -> dict[str, str]:
    """The labels that a container must carry to be meant."""
    named = {PROJECT: attach.project, SERVICE: attach.service}
    return {**{key: value for key, value in named.items() if value}, **attach.labels}


def port_of(seen: Seen, port: int | None) -> int:
    """The port that the plan says, else the only one that the container exposes, else 8000."""
    exposes = seen.raw["Config"].get("ExposedPorts") or {}
    exposed = [int(name.partition("/")[0]) for name in exposes if "udp" not in name]
    return port or (exposed[0] if len(exposed) == 1 else 8000)


def ways(seen: Seen, port: int, reach: Reach) -> dict[str, Address]:
    """Where it may be dialled from here: by the name of a network, or "published"."""
    settings = seen.raw["NetworkSettings"]
    found: dict[str, Address] = {}
    for network, end in (settings.get("Networks") or {}).items():
        # Elsewhere the same address may be another container's; not where the bridge is here, or we are on it.
        near = end.get("Gateway") and is_ours(end["Gateway"])
        if end.get("IPAddress") and (near or (reach.container and not reach.remote)):
            found[f"network {network}"] = Address(end["IPAddress"], port)
    for binding in (settings.get("Ports") or {}).get(f"{port}/tcp") or ():
        host = reach.host if binding["HostIp"] in _ANYWHERE else binding["HostIp"]
        found.setdefault("published", Address(host, int(binding["HostPort"])))
    return found


def names_of(seen: Seen, port: int) -> tuple[str, ...]:
    """What a balancer may call it: its name, id, host name and addresses."""
    networks = (seen.raw["NetworkSettings"].get("Networks") or {}).values()
    addresses = [end["IPAddress"] for end in networks if end.get("IPAddress")]
    host = str(seen.raw["Config"].get("Hostname") or "")
    return (seen.name, seen.id, seen.id[:12], host, *addresses, *(f"{address}:{port}" for address in addresses))


def distinct(names: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Without the names that several have: they tell nobody apart."""
    counts = Counter(name for each in names.values() for name in set(each))
    return {who: tuple(name for name in each if name and counts[name] == 1) for who, each in names.items()}
