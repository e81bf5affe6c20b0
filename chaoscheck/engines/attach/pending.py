"""Containers that this program killed and has to start again itself: written down, should it be killed in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chaoscheck.engines.owner import Owner
from chaoscheck.engines.runtime import runtime_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """`container` (an id) is down until somebody starts it."""

    run: str
    container: str
    owner: Owner
    path: Path


def note(run: str, container: str) -> Path:
    """Write down that it will be down; to be unlinked once it runs again."""
    path = runtime_folder("attached") / f"{run}.{container[:12]}.json"
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"run": run, "container": container, "owner": Owner.me().labels()}), encoding="utf-8")
    draft.rename(path)
    return path


def pending() -> Iterator[Pending]:
    """All that stand there."""
    for path in sorted(runtime_folder("attached").glob("*.json")):
        with suppress(OSError, ValueError, KeyError):
            data = json.loads(path.read_text(encoding="utf-8"))
            owner = Owner.from_labels(data["owner"])
            if owner is not None:
                yield Pending(run=data["run"], container=data["container"], owner=owner, path=path)
