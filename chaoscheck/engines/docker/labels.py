"""Labels on everything that a run makes: by them it is found again, and nothing without them is ever touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chaoscheck.engines.docker.api import talking
from chaoscheck.engines.owner import Owner

RUN = "chaoscheck.run"
ROLE = "chaoscheck.role"
NAME = "chaoscheck.name"


def labels_of(run: str, role: str, name: str, owner: Owner, extra: Mapping[str, str]) -> dict[str, str]:
    """`role` is instance, store, sidecar, setup, network or volume."""
    return {**extra, **owner.labels(), RUN: run, ROLE: role, NAME: name}


def only(run: str | None) -> dict[str, list[str]]:
    """The engine's filter for what that run made, or for what any run made."""
    return {"label": [f"{RUN}={run}" if run is not None else RUN]}


def runs(client: Any, container_ended: Callable[[str], bool]) -> dict[str, bool]:
    """Each run of which there is something -> whether every thing of it names an owner that is provably gone."""
    gone: dict[str, bool] = {}
    for labels in _all_labels(client):
        owner = Owner.from_labels(labels)
        run = labels[RUN]
        gone[run] = gone.get(run, True) and owner is not None and owner.provably_gone(container_ended)
    return gone


def _all_labels(client: Any) -> list[dict[str, str]]:
    with talking("list what runs made"):
        found = [
            *client.containers(all=True, filters=only(None)),
            *client.networks(filters=only(None)),
            *(client.volumes(filters=only(None))["Volumes"] or []),
        ]
    return [item["Labels"] for item in found]
