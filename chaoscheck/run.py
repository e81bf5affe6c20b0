"""One run, from a plan to a verdict."""

from __future__ import annotations

import os
import platform
import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import chaoscheck
from chaoscheck import plugins
from chaoscheck.balancers.base import BALANCERS
from chaoscheck.checkers.judge import judge
from chaoscheck.engines.base import ENGINES, Engine, Fleet, HasClock, Simulates, Site
from chaoscheck.errors import ChaosError, EngineUnavailable, PlanError
from chaoscheck.faults.base import FAULTS
from chaoscheck.model import events
from chaoscheck.model.clock import Clock, MonotonicClock
from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import Result
from chaoscheck.phases.chaos import chaos
from chaoscheck.phases.controls import controls
from chaoscheck.phases.load import baseline, final_reads, settle, start_traffic
from chaoscheck.phases.matrix import matrix
from chaoscheck.phases.prepare import prepare
from chaoscheck.phases.probe import Prober
from chaoscheck.phases.sizing import size
from chaoscheck.phases.stage import Stage
from chaoscheck.phases.validate import validate
from chaoscheck.plan.plan import LoadedPlan
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.steps.base import Transport
from chaoscheck.steps.perform import Exchange
from chaoscheck.steps.transports.requests_ import RequestsTransport
from chaoscheck.store import RunFolder, run_id
from chaoscheck.traffic.processes import ProcessTraffic
from chaoscheck.traffic.simulated import SimulatedTraffic

Listener = Callable[[events.Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is not the plan's: where runs go, who listens, whether to keep what was started, where to stop."""

    reports: Path
    listeners: tuple[Listener, ...] = ()
    keep: bool = False
    only_try: bool = False
    command: str = ""
    say: Callable[[str], None] = lambda line: None
    watch: Callable[[Exchange], None] | None = None


def run(loaded: LoadedPlan, options: Options) -> tuple[Result, RunFolder]:
    """Run the plan, whatever comes, to a judged and reported end; everything that was started is gone after it.

    Raises PlanError for a plan that can't be run here and EngineUnavailable; all later trouble is in the result.
    """
    plugins.load()
    validate(loaded)
    engine = choose_engine(loaded)
    with _folder(loaded, options) as folder, _stage(loaded, options, engine, folder) as stage:
        prober = Prober(stage, options.watch)
        prepare(stage)
        stage.enter(Phase.CONTROLS)
        if controls(stage, prober):
            stage.enter(Phase.MATRIX)
            matrix(stage, prober)
            if not options.only_try:
                _under_load(stage, prober.accounts_used)
        stage.emit(events.RunEnded)
    return conclude(folder), folder


def _under_load(stage: Stage, accounts_used: int) -> None:
    sizing = size(stage.plan)
    start_traffic(stage, sizing, first_account=accounts_used)
    stage.enter(Phase.BASELINE)
    baseline(stage)
    stage.enter(Phase.CHAOS)
    chaos(stage, sizing)
    stage.enter(Phase.SETTLE)
    settle(stage)
    stage.enter(Phase.FINAL)
    final_reads(stage)


def conclude(folder: RunFolder) -> Result:
    """Judge what the folder holds and write every report: a pure function of it."""
    result = judge(folder.plan(), folder.events(), folder.histories(), list(folder.balancer()))
    folder.finish(result)
    for name in REPORTERS:
        REPORTERS.get(name)().write(result, folder.events(), folder.path)
    return result


def choose_engine(loaded: LoadedPlan) -> Engine:
    """The engine that the plan names, or the first that can be used here and can start its target.

    Raises EngineUnavailable with what each one said.
    """
    plugins.load()
    plan = loaded.plan
    containers = bool(plan.target.image or plan.target.build)
    wanted = [plan.engine] if plan.engine != "auto" else \
        (["docker"] if containers else []) + (["process"] if plan.target.command else [])
    refusals = []
    for name in wanted:
        engine = ENGINES.get(name)()
        refusal = engine.available()
        if not refusal:
            return engine
        refusals.append(f"{name}: {refusal}")
    raise EngineUnavailable(f"no engine can run this plan ({'; '.join(refusals)})",
                            hint="start a container engine, or give target.command and use --engine process")


@contextmanager
def _folder(loaded: LoadedPlan, options: Options) -> Iterator[RunFolder]:
    options.reports.mkdir(parents=True, exist_ok=True)
    name = run_id(loaded.path, datetime.now(UTC), secrets.token_hex(2))
    with RunFolder.create(options.reports, name, loaded) as folder:
        yield folder


@contextmanager
def _stage(loaded: LoadedPlan, options: Options, engine: Engine, folder: RunFolder) -> Iterator[Stage]:
    """All that a run works with. Trouble and Ctrl-C end the phases here, as events; then everything is taken down."""
    plan = loaded.plan
    clock: Clock = engine.clock() if isinstance(engine, HasClock) else MonotonicClock()
    wall_ns = time.time_ns() - clock.now_ns()

    def record(event: events.Event) -> None:
        folder.on(event)
        for listener in options.listeners:
            listener(event)

    for line in engine.sweep():
        options.say(f"swept what a run that is gone had left: {line}")
    fleet = engine.open(Site(run=folder.run, plan=loaded, clock=clock, folder=folder.path, say=options.say))
    balancer = BALANCERS.get(engine.default_balancer if plan.balancer.kind == "auto" else plan.balancer.kind)()
    fault = FAULTS.get(plan.chaos.fault)()
    refusal = fault.refusal(fleet)
    if refusal:
        raise PlanError(f"fault '{fault.name}' can't be used: {refusal}")
    simulated = isinstance(fleet, Simulates)
    stage = Stage(loaded=loaded, run=folder.run, seed=plan.seed, clock=clock, folder=folder.path, record=record, fleet=fleet,
                  balancer=balancer, fault=fault, transport=_transport(fleet, clock),
                  traffic=SimulatedTraffic(fleet) if isinstance(fleet, Simulates) else ProcessTraffic(folder.path))
    stage.emit(events.RunStarted, run=folder.run, version=chaoscheck.__version__, seed=plan.seed, plan=loaded.path.name,
               engine=engine.name, balancer=balancer.name, instances=plan.instances, command=options.command,
               wall_ns=0 if simulated else wall_ns, environment={} if simulated else _environment())
    stage.enter(Phase.PREPARE)
    try:
        yield stage
    except KeyboardInterrupt:
        stage.emit(events.Interrupted, during=stage.phase.value)
    except ChaosError as error:
        stage.emit(events.Troubled, during=stage.phase.value, kind=type(error).__name__, message=error.message,
                   hint=error.hint, details=error.details)
    finally:
        stage.enter(Phase.CLEAN)
        _take_down(stage, folder, keep=options.keep)


def _take_down(stage: Stage, folder: RunFolder, *, keep: bool) -> None:
    """Stop traffic, save the balancer's word, remove what the run made. Each part is tried whatever came before."""
    with suppress(ChaosError, OSError):
        stage.traffic.stop()
    with suppress(ChaosError, OSError):
        folder.save_balancer(stage.balancer.log())
    if keep:
        return
    for close in (stage.balancer.close, stage.fleet.close, stage.transport.close):
        try:
            close()
        except (ChaosError, OSError) as error:
            stage.emit(events.Warned, text=f"clean-up: {error}")


def _transport(fleet: Fleet, clock: Clock) -> Transport:
    return fleet.transport() if isinstance(fleet, Simulates) else RequestsTransport(clock)


def _environment() -> dict[str, str]:
    return {"python": platform.python_version(), "system": f"{platform.system()} {platform.release()}",
            "cores": str(os.cpu_count()), "chaoscheck": chaoscheck.__version__}


def shell_words(words: list[str]) -> str:
    """The command line as one could type it again."""
    return shlex.join(words)
