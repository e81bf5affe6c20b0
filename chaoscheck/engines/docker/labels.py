"""Labels on everything that a run makes: by them it is found again, and nothing without them is ever touched."""

from __future__ import annotations

from collections.abc import Mapping

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
