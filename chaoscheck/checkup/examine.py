"""One look at everything that a run needs, in the order in which it would need it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from chaoscheck import plugins
from chaoscheck.balancers.base import BALANCERS
from chaoscheck.checkup.machine import machine
from chaoscheck.checkup.trial import trial
from chaoscheck.engines.base import ENGINES, Attaches, Engine, Examines
from chaoscheck.errors import ChaosError, PlanError
from chaoscheck.model.checkup import Check, ok, problem, warn
from chaoscheck.phases.choose import choose_balancer, choose_engine
from chaoscheck.phases.sizing import size
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import load_plan, unset_names
from chaoscheck.plan.plan import LoadedPlan


def examine(path: Path | None, *, engine: str | None, reports: Path) -> Iterator[Check]:
    """The plan, if there is one; this machine; the engines; the addresses, tried out. Leaves nothing behind."""
    plugins.load()
    loaded, found = _plan(path, engine) if path is not None else (None, [])
    yield from found
    sizing = size(loaded.plan) if loaded is not None else None
    yield from machine(reports, loaded.plan if loaded else None, sizing)
    if loaded is not None:
        yield from _engine_of(loaded)
    elif path is None:
        yield from _engines(engine)


def _plan(path: Path, engine: str | None) -> tuple[LoadedPlan | None, list[Check]]:
    """The plan, with the variables that it lacks told all at once. Raises PlanError where there is no such file."""
    try:
        missing = unset_names(path, os.environ)
        if missing:
            hint = f"export {' '.join(f'{name}=...' for name in missing)}"
            return None, [problem("plan", f"{path.name} needs {', '.join(missing)}, not set here", hint)]
        loaded = load_plan(path, overrides={("engine",): engine} if engine else None)
        validate(loaded)
    except PlanError as error:
        if not path.is_file():
            raise
        place = f"{error.place}: " if error.place else ""
        return None, [problem("plan", f"{place}{error.message}", error.hint)]
    promises = ", ".join(loaded.plan.promises)
    return loaded, [ok("plan", f"{path.name} promises {promises}")]


def _engine_of(loaded: LoadedPlan) -> Iterator[Check]:
    """The engine that this plan would get; why it would get no other."""
    passed: list[str] = []
    try:
        engine = choose_engine(loaded, say=passed.append)
        balancer = choose_balancer(loaded, engine)
    except ChaosError as error:
        yield problem("engine", error.message, error.hint)
        return
    for line in passed:
        yield warn("engine", line)
    if isinstance(engine, Examines):
        yield from engine.examine(loaded)
    yield from trial(engine, balancer, loaded)


def _engines(only: str | None) -> Iterator[Check]:
    """Every engine that instances of somebody's plan could live in; one that answers is enough."""
    refusals: list[tuple[str, str]] = []
    usable = 0
    for name in ENGINES:
        engine = ENGINES.get(name)()
        # Whom an engine finds that starts nothing, only a plan can tell.
        if not isinstance(engine, Examines) or isinstance(engine, Attaches) or only not in (None, name):
            continue
        refusal = engine.available()
        if refusal:
            refusals.append((name, refusal))
            continue
        usable += 1
        yield from _named(name, engine)
    for name, refusal in refusals:
        said = warn if usable else problem
        yield said(f"{name} engine", refusal)


def _named(name: str, engine: Engine) -> Iterator[Check]:
    if isinstance(engine, Examines):
        yield from engine.examine(None)
    yield from trial(engine, BALANCERS.get(engine.default_balancer)(), None)
