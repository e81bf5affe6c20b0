"""How a container differs from its image: the plan's `container`, in the engine's words."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaoscheck.engines.docker.api import talking
from chaoscheck.errors import EnvironmentTrouble
from chaoscheck.plan.plan import Container

MOST_BYTES = 500_000_000
"""Of what is copied from this machine into one place of a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dress:
    """`folder` is what paths of this machine are relative to."""

    container: Container = field(default_factory=Container)
    folder: Path = Path()

    def host(self) -> dict[str, Any]:
        """For the SDK's host config."""
        said = self.container
        found = {
            "tmpfs": list(said.tmpfs),
            "extra_hosts": dict(said.hosts),
            "cap_add": list(said.caps),
            "mem_limit": said.memory,
            "shm_size": said.shm,
        }
        return {key: value for key, value in found.items() if value}

    def create(self) -> dict[str, Any]:
        """For the SDK's create_container."""
        said = self.container
        found = {
            "hostname": said.hostname,
            "user": said.user,
            "working_dir": said.workdir,
            "volumes": list(said.anonymous),
        }
        return {key: value for key, value in found.items() if value}

    def put(self, client: Any, id_: str, fresh: set[str]) -> None:
        """Copy into the container, which does not run yet, what it is to find; `fresh` volumes get their seeds."""
        said = self.container
        for here, there in said.copies.items():
            _put(client, id_, self.folder / here, there)
        for name, here in said.seeds.items():
            if name in fresh:
                _put(client, id_, self.folder / here, said.volumes[name])


def _put(client: Any, id_: str, here: Path, there: str) -> None:
    """As a bind mount would show it: with its owners and modes."""
    total = sum(_bytes(here))
    if total > MOST_BYTES:
        raise EnvironmentTrouble(
            f"{here} holds {total / 1e6:.0f} MB, and would be copied into a container",
            hint=f"mount less: at most {MOST_BYTES / 1e6:.0f} MB are copied",
        )
    with tempfile.TemporaryFile() as file:
        try:
            with tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(here, arcname=there.strip("/"))
        except OSError as error:
            raise EnvironmentTrouble(f"{here} can't be read, to be copied into a container: {error.strerror}") from None
        file.seek(0)
        with talking(f"copy {here.name} into {id_[:12]}"):
            client.put_archive(id_, "/", file)


def _bytes(path: Path) -> Iterator[int]:
    files = path.rglob("*") if path.is_dir() else [path]
    yield from (each.stat().st_size for each in files if each.is_file() and not each.is_symlink())
