"""The head of each run of a folder of runs: what a list of many needs, read without taking whole results apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaoscheck.model.events import RunStarted, read_events
from chaoscheck.model.verdict import Verdict

_OURS = ("plan.yaml", "events.ndjson", "history")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One run. `verdict` is None while it has none: still under way or cut off, and `trouble` says what is the matter.

    `reason` is the verdict's sentence; `exposures` of the promise that has fewest, of `needed`; -1: none.
    `started` is UTC, ISO 8601. What isn't known is "" or -1, of `seed` None, of `instances` 0.
    """

    run: str
    folder: Path
    verdict: Verdict | None
    trouble: str = ""
    reason: str = ""
    plan: str = ""
    started: str = ""
    seed: int | None = None
    duration_s: float = -1.0
    instances: int = 0
    engine: str = ""
    interrupted: bool = False
    kills: int = -1
    exposures: int = -1
    needed: int = -1
    report: bool = False


def heads(reports: Path) -> list[Head]:
    """The runs below that folder, newest first; whatever else lies there is left alone. No folder: no runs."""
    try:
        found = [path for path in reports.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []
    made = [made for path in found if (made := head(path)) is not None]
    return sorted(made, key=lambda one: (one.started, one.run), reverse=True)


def head(path: Path) -> Head | None:
    """The head of the run in that folder; None where there is no run at all."""
    try:
        data = (path / "result.json").read_bytes()
    except OSError:
        ours = all((path / name).exists() for name in _OURS)
        return _troubled(path, "no verdict yet: under way, or cut off") if ours else None
    try:
        return _read(path, data)
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        # Whatever lies there, it must not cost the run that has just ended its verdict.
        return _troubled(path, "its result.json can't be read")


def _read(path: Path, data: bytes) -> Head:
    raw = _parts(data)
    promises = [(int(one["exposures"]), int(one["needed"])) for one in raw["promises"] if one["needed"] > 0]
    exposures, needed = min(promises, key=lambda one: one[0] / one[1], default=(-1, -1))
    return Head(
        run=path.name,
        folder=path,
        verdict=Verdict(raw["verdict"]),
        reason=str(raw["reason"]),
        plan=str(raw["plan"]),
        started=str(raw["started"]),
        seed=int(raw["seed"]),
        duration_s=float(raw["duration_s"]),
        instances=int(raw["instances"]),
        engine=str(raw["engine"]),
        interrupted=bool(raw["interrupted"]),
        kills=sum(one["mode"] != "sham" for one in raw["kills"]),
        exposures=exposures,
        needed=needed,
        report=(path / "report.html").exists(),
    )


def _parts(data: bytes) -> dict[str, Any]:
    """The keys that a head needs. As we write results, most of one (chains, gates, bins) can be passed over unread."""
    try:
        whole: dict[str, Any] = json.loads(data[: data.index(b',\n "gates": ')] + b"}")
        for name in ("promises", "kills"):
            start = data.index(f'\n "{name}": '.encode())
            end = data.index(b'\n "', start + 1)
            whole |= json.loads(b"{" + data[start:end].rstrip(b",") + b"}")
        return whole
    except ValueError:
        known: dict[str, Any] = json.loads(data)
        return known


def _troubled(path: Path, trouble: str) -> Head:
    """What its first event says of it; where there is none, its name tells when it began and of which plan it is."""
    stamp, _, rest = path.name.partition("-")
    clock, _, plan = rest.partition("-")
    when = stamp + clock
    started = (
        f"{when[:4]}-{when[4:6]}-{when[6:8]}T{when[8:10]}:{when[10:12]}:{when[12:14]}Z"
        if when.isdecimal() and len(when) == 14
        else ""
    )
    name = plan.rpartition("-")[0]
    begun = _begun(path)
    return Head(
        run=path.name,
        folder=path,
        verdict=None,
        trouble=trouble,
        started=started,
        plan=begun.plan if begun else f"{name}.yaml" if name else "",
        seed=begun.seed if begun else None,
        instances=begun.instances if begun else 0,
        engine=begun.engine if begun else "",
        report=(path / "report.html").exists(),
    )


def _begun(path: Path) -> RunStarted | None:
    try:
        with (path / "events.ndjson").open(encoding="utf-8") as lines:
            first = next(read_events([lines.readline()]), None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return first if isinstance(first, RunStarted) else None


def by_plan(listed: Iterable[Head]) -> dict[str, list[Head]]:
    """Grouped by plan, in the order in which the plans come."""
    groups: dict[str, list[Head]] = {}
    for one in listed:
        groups.setdefault(one.plan or "unknown plan", []).append(one)
    return groups
