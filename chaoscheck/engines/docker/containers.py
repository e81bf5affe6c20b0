"""Containers of one run: made with its labels, on its network, found and removed by its labels."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError, NotFound

from chaoscheck.engines.docker.api import gone_is_fine, inspect_raw, talking
from chaoscheck.engines.docker.dress import Dress
from chaoscheck.engines.docker.labels import labels_of, only
from chaoscheck.engines.docker.network import Network
from chaoscheck.engines.docker.reach import Reach
from chaoscheck.engines.docker.together import begin
from chaoscheck.engines.owner import Owner
from chaoscheck.engines.ports import Ports
from chaoscheck.errors import EnvironmentTrouble, PortTaken
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import Container

EXEC_S = 10.0
_PORT_TRIES = 5
_AT_ONCE = 8
_LOG = {"type": "json-file", "config": {"max-size": "200m", "max-file": "2"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A container to be: `ports` of its own are published, `mounts` are volume name -> path, `aliases` its names on the
    network; `entrypoint` and `command` replace the image's unless None."""

    name: str
    role: str
    image: str
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    dress: Dress = field(default_factory=Dress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A container that was started: where its published ports are dialled, and its own address; `near`: that can be
    dialled from here, too."""

    id: str
    inner: str
    published: Mapping[int, Address]
    near: bool = True


class Containers:
    """Makes containers for one run. Calls may come from several threads."""

    def __init__(self, client: Any, run: str, reach: Reach, labels: Mapping[str, str]) -> None:
        self.client = client
        self.run = run
        self.reach = reach
        self._owner = Owner.me(reach.container)
        self._extra = labels
        self._ports = Ports(reach.publish)
        self._closed = False
        self._seeded: set[str] = set()
        self._seeding = threading.Lock()
        self.network = Network(client, self.named("net"), self.labels("network", "net"))

    def named(self, *parts: str) -> str:
        """An engine-wide name of something of this run."""
        return "-".join(("chaoscheck", self.run, *parts))

    def labels(self, role: str, name: str) -> dict[str, str]:
        return labels_of(self.run, role, name, self._owner, self._extra)

    def volume(self, *parts: str) -> str:
        """Make sure that a volume exists; its engine-wide name."""
        name = self.named(*parts)
        with talking(f"make volume {name}"):
            self.client.create_volume(name, labels=self.labels("volume", "-".join(parts)))
        return name

    def volumes(self, container: Container) -> dict[str, str]:
        """Those that it names, which are the run's own -> where it has them."""
        return {self.volume(name): path for name, path in container.volumes.items()}

    def start(self, wanted: Wanted) -> Box:
        """Start it, on other host ports if someone took the first. Raises an EnvironmentTrouble."""
        for attempt in range(_PORT_TRIES):
            self._refuse_if_closed(wanted.name)
            ports = {port: self._ports.take() for port in wanted.ports}
            inner, networking = self.network.endpoint(*wanted.aliases)
            made = self._create(wanted, ports, networking)
            try:
                self._refuse_if_closed(wanted.name, made)
                with talking(f"start {wanted.name}"):
                    self._put(made, {**wanted.dress.container.texts, **wanted.files})
                    wanted.dress.put(self.client, made, self._unseeded(wanted.dress))
                    self.client.start(made)
            except PortTaken:
                self.remove(made)
                if attempt == _PORT_TRIES - 1:
                    raise
                for port in ports.values():
                    self._ports.avoid(port)
                continue
            published = {port: Address(self.reach.host, outside) for port, outside in ports.items()}
            return Box(id=made, inner=inner, published=published, near=self.reach.inner)
        raise AssertionError("unreachable")

    def inspect(self, id_: str) -> dict[str, Any] | None:
        """All that the engine knows of it; None when it is gone."""
        return inspect_raw(self.client, id_)

    def logs(self, id_: str, lines: int | str = "all") -> str:
        """What it printed last; "" when it is gone."""
        return log_of(self.client, id_, lines)

    def execute(self, id_: str, words: Sequence[str]) -> tuple[int, str]:
        """Run a command in it: exit code and output; 128 where it doesn't run any more, 124 at the limit."""
        return execute_in(self.client, id_, words)

    def remove(self, id_: str) -> None:
        """Remove it with its anonymous volumes, running or not."""
        with talking(f"remove {id_[:12]}"), gone_is_fine():
            self.client.remove_container(id_, force=True, v=True)

    def close(self) -> list[str]:
        """Remove all of this run; what was removed, a line each."""
        self._closed = True
        try:
            return remove_all(self.client, self.run)
        finally:
            self.client.close()
            self._ports.close()

    def _refuse_if_closed(self, name: str, made: str = "") -> None:
        """Also right after it was made: closing may have listed what there is just before."""
        if self._closed:
            if made:
                self.remove(made)
            raise EnvironmentTrouble(f"{name} was asked for after the fleet was closed")

    def _create(self, wanted: Wanted, ports: Mapping[int, int], networking: Any) -> str:
        with talking(f"make {wanted.name}"):
            host = self.client.create_host_config(
                port_bindings={port: (self.reach.publish, outside) for port, outside in ports.items()},
                binds={volume: {"bind": path, "mode": _mode(wanted, path)} for volume, path in wanted.mounts.items()},
                log_config=_LOG,
                network_mode=self.network.id,
                init=wanted.dress.container.init,
                **wanted.dress.host(),
            )
            made = self.client.create_container(
                wanted.image,
                name=self.named(wanted.name),
                environment=dict(wanted.env),
                ports=list(wanted.ports),
                entrypoint=_list(wanted.entrypoint),
                command=_list(wanted.command),
                networking_config=networking,
                host_config=host,
                labels=self.labels(wanted.role, wanted.name),
                use_config_proxy=False,
                **wanted.dress.create(),
            )
            return str(made["Id"])

    def _unseeded(self, dress: Dress) -> set[str]:
        """Of its volumes those that nobody filled yet; the caller is the one who does."""
        with self._seeding:
            fresh = set(dress.container.seeds) - self._seeded
            self._seeded |= fresh
            return fresh

    def _put(self, id_: str, files: Mapping[str, str]) -> None:
        if files:
            self.client.put_archive(id_, "/", _archive(files))


def log_of(client: Any, id_: str, lines: int | str = "all") -> str:
    """What a container printed last; "" when it is gone."""
    with talking(f"read the log of {id_[:12]}"):
        try:
            return bytes(client.logs(id_, tail=lines)).decode("utf-8", "replace")
        except NotFound:
            return ""


def execute_in(client: Any, id_: str, words: Sequence[str]) -> tuple[int, str]:
    """Run a command in a container: exit code and output; 128 where it doesn't run any more, 124 at the limit."""
    with talking(f"run {words[0]} in {id_[:12]}"):
        try:
            made = client.exec_create(id_, list(words))
        except APIError as error:
            if error.status_code not in (404, 409):
                raise
            return 128, "the container is not running"
        # The SDK reads a command's output without any limit, so a thread does, and may be left behind.
        reading = begin(lambda: bytes(client.exec_start(made)), f"exec {words[0]}")
        try:
            printed = reading.result(EXEC_S).decode("utf-8", "replace")
        except FutureTimeout:
            return 124, f"did not end within {EXEC_S:g} s"
        return int(client.exec_inspect(made)["ExitCode"] or 0), printed


def remove_all(client: Any, run: str | None) -> list[str]:
    """Remove the containers, then the networks and volumes of a run. Raises EnvironmentTrouble for what stays."""
    removed: list[str] = []
    left = ""
    for _ in range(3):
        found = _found(client, run)
        if not found:
            return removed
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            for group in ("container", "network", "volume"):
                done = pool.map(lambda item: _remove(client, *item), [item for item in found if item[0] == group])
                results = list(done)
                removed += [line for line, trouble in results if not trouble]
                left = next((trouble for _, trouble in results if trouble), left)
        time.sleep(0.05)
    found = _found(client, run)
    if found:
        names = ", ".join(name for _, _, name in found[:5])
        raise EnvironmentTrouble(f"could not remove {names}: {left}", hint="`chaoscheck clean` tries again")
    return removed


def _found(client: Any, run: str | None) -> list[tuple[str, str, str]]:
    """(kind, id, name) of each thing with the label."""
    with talking("list what runs made"):
        containers = client.containers(all=True, filters=only(run))
        networks = client.networks(filters=only(run))
        volumes = client.volumes(filters=only(run))["Volumes"] or []
    return [
        *(
            ("container", item["Id"], item["Names"][0].lstrip("/") if item["Names"] else item["Id"][:12])
            for item in containers
        ),
        *(("network", item["Id"], item["Name"]) for item in networks),
        *(("volume", item["Name"], item["Name"]) for item in volumes),
    ]


def _remove(client: Any, kind: str, id_: str, name: str) -> tuple[str, str]:
    """(a line, "") or ("", what stood in the way)."""
    ways: dict[str, Callable[[], object]] = {
        "container": lambda: client.remove_container(id_, force=True, v=True),
        "network": lambda: client.remove_network(id_),
        "volume": lambda: client.remove_volume(id_, force=True),
    }
    try:
        with talking(f"remove {kind} {name}"), gone_is_fine():
            ways[kind]()
    except EnvironmentTrouble as trouble:
        return "", trouble.message
    return f"{kind} {name}", ""


def _mode(wanted: Wanted, path: str) -> str:
    return "ro" if path in wanted.dress.container.read_only else "rw"


def _list(words: Iterable[str] | None) -> list[str] | None:
    return None if words is None else list(words)


def _archive(files: Mapping[str, str]) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        for path, text in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(data), 0o644, int(time.time())
            tar.addfile(entry, io.BytesIO(data))
    return into.getvalue()
