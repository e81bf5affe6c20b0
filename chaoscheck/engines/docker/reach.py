"""Where containers' ports are published, and where they are dialled from here: what differs inside a job container.

| chaoscheck runs | ports are published on | and dialled on |
|---|---|---|
| beside the engine, or in a container on the host's network | 127.0.0.1 | 127.0.0.1 |
| in a container of that engine (its socket is mounted) | its network's gateway: the host | the same |
| in a container of Docker Desktop | 127.0.0.1 | host.docker.internal |
| elsewhere (`DOCKER_HOST=tcp://docker:2375`) | that host's address | the same |

Containers' own addresses are dialled only in the first case: from anywhere else they may name something else.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docker.errors import NotFound

from chaoscheck.engines.docker.api import inspect_raw, talking, where
from chaoscheck.engines.ports import HOST
from chaoscheck.errors import EngineUnavailable
from chaoscheck.plan.plan import Addresses
from chaoscheck.steps.nearby import is_here

ANY = "0.0.0.0"
_UNSPECIFIED = ("0.0.0.0", "::")
_FAR = ("tcp", "http", "https", "ssh")
_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_MOUNTS = Path("/proc/self/mountinfo")
_GROUPS = Path("/proc/self/cgroup")
# The engine mounts these three files of each container from a folder that is named by the container's id.
_OWN_MOUNT = re.compile(r"/containers/([0-9a-f]{64})/\S+ /etc/(?:hostname|hosts|resolv\.conf) ")
_OWN_GROUP = re.compile(r"[/-]([0-9a-f]{64})(?:\.scope)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`publish` is what the engine binds ports to, `host` what we dial; `inner`: containers' own addresses lead there.

    `remote`: the engine is not reached by a socket of this machine. `container` is the id of the one that we run in,
    where the engine knows it; `doubt` why these addresses may not work.
    """

    publish: str = HOST
    host: str = HOST
    inner: bool = True
    remote: bool = False
    container: str = ""
    why: str = "beside the engine"
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What can be seen from here. `engine` is the URL of the engine ("" the default socket), `address` its host's.

    `beside`: an address of the engine's own network is one of ours. `boxed`: we seem to be in a container, `own` is its
    id where the engine knows it, and `gateways` its networks' (bridges only), that of the default route first.
    """

    engine: str = ""
    address: str = ""
    desktop: bool = False
    beside: bool = False
    boxed: bool = False
    own: str = ""
    gateways: tuple[str, ...] = ()


def find(client: Any, addresses: Addresses) -> Reach:
    """How this process reaches what the engine publishes; the plan's (or the environment's) word wins.

    Raises EngineUnavailable for a host name that doesn't resolve.
    """
    return decided(look(client), addresses)


def decided(view: View, addresses: Addresses) -> Reach:
    """The table above, and the user's word over it."""
    found = _found(view)
    if not (addresses.publish or addresses.host):
        return found
    publish = addresses.publish or found.publish
    usual = found.host if publish in (found.publish, ANY) else publish
    return replace(
        found,
        publish=publish,
        host=addresses.host or usual,
        why=f"as the plan or the environment says, {found.why}",
        doubt="",
    )


def _found(view: View) -> Reach:
    scheme, host = urlsplit(view.engine).scheme, urlsplit(view.engine).hostname or ""
    if scheme in _FAR:
        there = HOST if _is_loopback(view.address) else view.address
        return Reach(publish=there, host=there, inner=False, remote=True, why=f"the engine is on {host}")
    if view.beside or not view.boxed:
        return Reach(inner=view.beside, container=view.own, why="beside the engine")
    boxed = Reach(inner=False, container=view.own)
    if view.own and view.desktop:
        return replace(boxed, host="host.docker.internal", why="in a container of Docker Desktop")
    if view.own and view.gateways:
        gateway = view.gateways[0]
        why = f"in container {view.own[:12]}, whose network's gateway is the host"
        return replace(boxed, publish=gateway, host=gateway, why=why)
    doubt = "its networks have no gateway on the host" if view.own else "the engine doesn't know that container"
    return replace(boxed, why="in a container", doubt=doubt)


def elsewhere() -> str:
    """The engine's URL where that is another machine's; "" for a socket, loopback, and other addresses of this one."""
    engine = where()
    parts = urlsplit(engine)
    # To dial 0.0.0.0 is to dial this machine.
    host = HOST if parts.hostname in _UNSPECIFIED else parts.hostname or HOST
    return engine if parts.scheme in _FAR and not is_here(host) else ""


def look(client: Any) -> View:
    """What can be seen from here. Raises EngineUnavailable for a host name that doesn't resolve."""
    engine = where()
    with talking("say what it is"):
        desktop = "Docker Desktop" in str(client.info().get("OperatingSystem", ""))
    own = own_container(client)
    mode = str(own["HostConfig"]["NetworkMode"]) if own else ""
    sharing = inspect_raw(client, mode.removeprefix("container:")) if mode.startswith("container:") else own
    return View(
        engine=engine,
        address=_resolve(urlsplit(engine).hostname or ""),
        desktop=desktop,
        beside=_is_ours(client, own, sharing),
        boxed=own is not None or any(mark.exists() for mark in _MARKS),
        own=str(own["Id"]) if own else "",
        gateways=_gateways(client, sharing) if sharing else (),
    )


def own_container(client: Any) -> Mapping[str, Any] | None:
    """The container that this process runs in, as that engine inspects it; None where there is none that it knows."""
    for id_ in _own_ids():
        found = inspect_raw(client, id_)
        if found is not None:
            return found
    return None


def _own_ids() -> list[str]:
    """What this process can tell of its container's id, the surest first. The host's name is the short id by default,
    which counts only where something else says that this is a container."""
    mounts = _OWN_MOUNT.findall(_read(_MOUNTS))
    groups = _OWN_GROUP.findall(_read(_GROUPS))
    named = socket.gethostname() if any(mark.exists() for mark in _MARKS) else ""
    return list(dict.fromkeys([*mounts, *groups, *([named] if re.fullmatch(r"[0-9a-f]{12}", named) else [])]))


def _is_ours(client: Any, own: Mapping[str, Any] | None, sharing: Mapping[str, Any] | None) -> bool:
    """Whether the engine's network is ours: on the same host outside containers, in one on the host's network, or where
    the engine itself runs in our container. Only there its bridge's address can be bound by us."""
    if own is not None:
        return sharing is not None and str(sharing["HostConfig"]["NetworkMode"]) == "host"
    with talking("inspect its bridge"):
        try:
            pools = client.inspect_network("bridge")["IPAM"]["Config"] or []
        except NotFound:
            return False
    return any(_can_bind(str(pool["Gateway"])) for pool in pools if pool.get("Gateway"))


def _can_bind(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def ended(client: Any, id_: str) -> bool:
    """Whether that container of this engine runs no more: what an owner in it proves by."""
    found = inspect_raw(client, id_)
    return found is None or not found["State"]["Running"]


def _gateways(client: Any, own: Mapping[str, Any]) -> tuple[str, ...]:
    """Gateways of its bridge networks: addresses of the host that it reaches, that of its default route first."""
    networks = (own["NetworkSettings"]["Networks"] or {}).values()
    found = [str(one["Gateway"]) for one in networks if one.get("Gateway") and _is_bridge(client, one["NetworkID"])]
    return tuple(sorted(found, key=lambda gateway: gateway != _default_gateway()))


def _is_bridge(client: Any, network: str) -> bool:
    with talking(f"inspect network {network[:12]}"):
        try:
            return str(client.inspect_network(network)["Driver"]) == "bridge"
        except NotFound:
            return False


def _default_gateway() -> str:
    for line in _read(Path("/proc/net/route")).splitlines()[1:]:
        fields = line.split()
        if len(fields) > 2 and fields[1] == "00000000":
            return str(ipaddress.ip_address(bytes.fromhex(fields[2])[::-1]))
    return ""


def _resolve(host: str) -> str:
    if not host:
        return ""
    try:
        return str(socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise EngineUnavailable(
            f"the engine's host {host} has no address that can be looked up ({error})",
            hint="say where ports are published and dialled: CHAOSCHECK_PUBLISH and CHAOSCHECK_HOST",
        ) from None


def _is_loopback(address: str) -> bool:
    return bool(address) and ipaddress.ip_address(address).is_loopback


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
