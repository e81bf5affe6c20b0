"""The run's own network: every address in it is given out once, so that no address ever names two incarnations."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import docker

from chaoscheck.engines.docker.api import gone_is_fine, talking
from chaoscheck.errors import EnvironmentTrouble

_TRIES = 5


class Network:
    """A bridge network with a subnet that the engine found free."""

    def __init__(self, client: Any, name: str, labels: Mapping[str, str]) -> None:
        self._client = client
        self._name = name
        self._labels = dict(labels)
        self._lock = threading.Lock()
        self._free: Iterator[str] = iter(())
        self.id = ""

    def make(self) -> None:
        """Make it. Raises EnvironmentTrouble when the engine has no subnet left."""
        with talking("make a network"):
            last = ""
            for _ in range(_TRIES):
                subnet = self._find_subnet()
                try:
                    self.id = self._create(subnet)
                except docker.errors.APIError as error:
                    last = str(error.explanation)
                    continue
                hosts = ipaddress.ip_network(subnet).hosts()
                next(hosts)  # the gateway's
                self._free = (str(host) for host in hosts)
                return
        raise EnvironmentTrouble(
            f"the container engine has no subnet for a network: {last}",
            hint="remove networks that nothing uses: docker network prune",
        )

    def endpoint(self, *aliases: str) -> tuple[str, dict[str, Any]]:
        """An address that was never given out, and the settings that give it to a new container."""
        with self._lock:
            if not self.id:
                self.make()
            address = next(self._free, "")
        if not address:
            raise EnvironmentTrouble(
                f"network {self._name} has no unused address left",
                hint="fewer rounds, or larger default-address-pools in the engine's settings",
            )
        config = self._client.create_endpoint_config(aliases=list(aliases), ipv4_address=address)
        return address, self._client.create_networking_config({self.id: config})

    def _find_subnet(self) -> str:
        """Only a subnet that was asked for allows addresses of our choice: ask which is free, then ask for that one."""
        probe = self._client.create_network(f"{self._name}-probe", driver="bridge", labels=self._labels)["Id"]
        try:
            return str(self._client.inspect_network(probe)["IPAM"]["Config"][0]["Subnet"])
        finally:
            with gone_is_fine():
                self._client.remove_network(probe)

    def _create(self, subnet: str) -> str:
        pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
        made = self._client.create_network(self._name, driver="bridge", labels=self._labels, ipam=pool)
        return str(made["Id"])
