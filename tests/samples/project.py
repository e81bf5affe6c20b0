"""A user's own compose project, as `docker compose up --scale shop=3` leaves it, made by the engine's SDK alone."""

from __future__ import annotations

import http.client
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from chaoscheck.engines.docker.images import Images
from chaoscheck.model.places import Address
from samples.certificates import authority
from samples.fleets import ask

ROOT = Path(__file__).resolve().parents[2]
SHOP = ROOT / "targets" / "shop"
REDIS = ROOT / "targets" / "stores" / "redis"
PROXY = ROOT / "chaoscheck" / "balancers" / "haproxy-image"
PROXY_CONFIG = """
global
    maxconn 2000
defaults
    mode http
    timeout connect 250ms
    timeout client 30s
    timeout server 30s
    retries 2
    option redispatch 1
    retry-on conn-failure
frontend users
    bind :80
    bind :443 ssl crt /tmp/h.pem
    default_backend shop
backend shop
    balance roundrobin
    option httpchk GET /healthz
    default-server check inter 200ms fall 1 rise 1 init-addr libc,none
"""


@dataclass(slots=True, kw_only=True)
class Project:
    """Containers with compose's labels, all removed at the end."""

    client: Any
    name: str = field(default_factory=lambda: f"staging-{uuid.uuid4().hex[:8]}")
    made: list[str] = field(default_factory=list)
    network: str = ""

    def up(self, service: str, image: str, number: int = 1, *, project: str = "", policy: str = "", **more: Any) -> str:
        """Start one container of a service, as compose would; its id."""
        project = project or self.name
        name = f"{project}-{service}-{number}"
        labels = {
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "com.docker.compose.container-number": str(number),
            "com.docker.compose.oneoff": "False",
        }
        config = self.client.create_host_config(
            network_mode=self.network, restart_policy={"Name": policy} if policy else None
        )
        endpoint = self.client.create_endpoint_config(aliases=[service])
        made = self.client.create_container(
            image,
            name=name,
            labels=labels,
            host_config=config,
            networking_config=self.client.create_networking_config({self.network: endpoint}),
            **more,
        )["Id"]
        self.made.append(made)
        self.client.start(made)
        return str(made)

    def address(self, id_: str, port: int) -> Address:
        """Where that container is dialled from this host."""
        found = self.client.inspect_container(id_)["NetworkSettings"]["Networks"][self.network]
        return Address(found["IPAddress"], port)

    def life(self, id_: str) -> tuple[bool, str]:
        """Whether it runs, and since when."""
        state = self.client.inspect_container(id_)["State"]
        return bool(state["Running"]), str(state["StartedAt"])

    def balancer(self, shops: list[str], *, name: str = "proxy", header: str = "X-Served-By") -> Address:
        """A HAProxy of the user's, which names who answered in that header, if any; on 443 it is https://shop.test."""
        names = [self.client.inspect_container(id_)["Name"].lstrip("/") for id_ in shops]
        servers = "".join(f"    server {name} {name}:8000\n" for name in names)
        text = PROXY_CONFIG + (f"    http-response set-header {header} %s\n" if header else "") + servers
        id_ = self.up(
            name,
            self.image("proxy", PROXY),
            entrypoint=["sh", "-c"],
            command=['printf %s "$CONFIG" > /tmp/h.cfg; printf %s "$PEM" > /tmp/h.pem; exec haproxy -f /tmp/h.cfg'],
            environment={"CONFIG": text, "PEM": authority().pem("shop.test").read_text()},
        )
        return self.address(id_, 80)

    def image(self, what: str, folder: Path) -> str:
        return Images(self.client, lambda line: None).get(what, image="", build=folder)

    def down(self) -> None:
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(lambda id_: self.client.remove_container(id_, force=True, v=True), self.made))
        self.client.remove_network(self.network)
        self.client.close()


@contextmanager
def project() -> Iterator[Project]:
    """An empty project on a network of its own."""
    made = Project(client=docker.APIClient(version="auto"))
    made.client.create_network(made.name, driver="bridge")
    made.network = made.name
    try:
        yield made
    finally:
        made.down()


def await_answer(address: Address, path: str = "/healthz", limit_s: float = 20) -> None:
    """Wait until something answers there."""
    until = time.monotonic() + limit_s
    while True:
        try:
            if ask(address, path):
                return
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < until, f"{address} did not answer within {limit_s} s"
        time.sleep(0.05)
