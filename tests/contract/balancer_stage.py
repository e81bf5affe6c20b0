"""A stage for balancers: loopback services that note what they got, and a fleet that runs HAProxy locally."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from chaoscheck.engines.base import Instance, SidecarSpec
from chaoscheck.engines.ports import HOST, Ports
from chaoscheck.model.places import Address, Incarnation
from chaoscheck.plan.plan import LoadedPlan, Plan

_HEAD = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\nX-Chaoscheck-Instance: forged\r\nX-Chaoscheck-Balancer: none\r\n\r\nok"
_STEP = {"get": "/"}


def plan_of(kind: str, **balancer: str) -> LoadedPlan:
    """A plan that asks for that balancer."""
    return LoadedPlan(plan=_plan({}, {"kind": kind, **balancer}), path=Path("plan.yaml"), text="", lines={})


def entered(url: str, ca: str, **target: str) -> Plan:
    """A plan whose users enter by that https URL."""
    return _plan(target, {"kind": "external", "url": url, "ca": ca})


def _plan(target: dict[str, str], balancer: dict[str, str]) -> Plan:
    return Plan.model_validate(
        {
            "target": {"command": ["true"], **target},
            "balancer": balancer,
            "promises": {"page": {"kind": "kept", "do": _STEP, "see": _STEP}},
        }
    )


class Service:
    """Answers every request; `/hang-up` it reads and closes, `/reset` it reads and resets, `/own-503` gets a 503;
    `/upgrade` turns the connection into an echo."""

    def __init__(self, port: int = 0) -> None:
        self.delivered: list[str] = []
        self._listener = socket.create_server((HOST, port))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> Address:
        return Address(*self._listener.getsockname())

    def close(self) -> None:
        """As a death does it: the port refuses, every connection ends."""
        for each in [self._listener, *self._open]:
            _end(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            while path := _read_request(client):
                self.delivered.append(path)
                if path.startswith("/reset"):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                if path.startswith(("/hang-up", "/reset")):
                    break
                if path.startswith("/upgrade"):
                    _echo(client)
                client.sendall(_HEAD % (503 if path.startswith("/own-503") else 200))
        except OSError:
            pass
        client.close()


def _echo(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    while chunk := client.recv(65536):
        client.sendall(chunk)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _read_request(client: socket.socket) -> str:
    """The path of the next request, its body read; "" at the end of the stream."""
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = client.recv(65536)
        if not chunk:
            return ""
        head += chunk
    text, _, body = head.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", text)
    left = int(length[1]) - len(body) if length else 0
    while left > 0:
        chunk = client.recv(65536)
        if not chunk:
            return ""
        left -= len(chunk)
    return text.split()[1].decode()


@dataclass
class LocalSidecar:
    process: subprocess.Popen[bytes]
    output: Path

    def address(self, port: int) -> Address:
        return Address("127.0.0.1", port)

    def logs(self) -> str:
        return self.output.read_text()

    def running(self) -> bool:
        return self.process.poll() is None


@dataclass
class LocalFleet:
    """Runs sidecars by their local command, and services as instances; only what a balancer needs of a fleet."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="chaoscheck-stage-")))
    sidecars: list[LocalSidecar] = field(default_factory=list)
    services: dict[str, Service] = field(default_factory=dict)
    ports: Ports = field(default_factory=Ports)

    def sidecar(self, spec: SidecarSpec) -> LocalSidecar:
        for inside, text in spec.files.items():
            path = self.folder / inside.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        output = self.folder / f"{spec.name}.log"
        words = [word.replace("{files}", str(self.folder)) for word in spec.command]
        with output.open("wb") as sink:
            process = subprocess.Popen(words, stdout=sink, stderr=subprocess.STDOUT)
        self.sidecars.append(LocalSidecar(process, output))
        return self.sidecars[-1]

    def birth(self, slot: int, life: int = 0) -> Instance:
        """A new service, ready, on a port that none of this fleet had: the kernel would give a dead one's again."""
        incarnation, service = Incarnation(slot=slot, life=life), Service(self.ports.take())
        self.services[incarnation.name] = service
        return Instance(incarnation=incarnation, address=service.address, inner=service.address, handle="")

    def death(self, instance: Instance) -> None:
        self.services[instance.name].close()

    def close(self) -> None:
        for sidecar in self.sidecars:
            sidecar.process.kill()
            sidecar.process.wait(10)
        for service in self.services.values():
            service.close()
        self.ports.close()


@dataclass(frozen=True)
class Seen:
    """One attempt as a client saw it: status 0 where the connection ended without an answer."""

    status: int
    headers: dict[str, str]
    cookie: str = ""


class Dialler:
    """One client: one kept connection, made anew when it ended; it never sends an attempt twice."""

    def __init__(self, entry: Address) -> None:
        self._connection = http.client.HTTPConnection(entry.host, entry.port, timeout=5)

    def ask(self, path: str, *, method: str = "GET", rid: str = "", cookie: str = "") -> Seen:
        headers = {name: value for name, value in (("X-Chaoscheck-Request", rid), ("Cookie", cookie)) if value}
        try:
            self._connection.request(method, path, headers=headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Seen(0, {})
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Seen(answer.status, found, found.get("set-cookie", "").partition(";")[0])

    def close(self) -> None:
        self._connection.close()
