"""One run, from a plan to a verdict."""

from __future__ import annotations

import os
import platform
import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import chaoscheck
from chaoscheck import plugins
from chaoscheck.balancers.base import Balancer
from chaoscheck.checkers.judge import judge
from chaoscheck.engines.base import Attaches, Engine, Fleet, HasClock, Simulates, Site
from chaoscheck.errors import EnvironmentTrouble
from chaoscheck.faults.base import FAULTS
from chaoscheck.model import events
from chaoscheck.model.clock import Clock, MonotonicClock
from chaoscheck.model.ops import Phase
from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.phases.chaos import chaos
from chaoscheck.phases.choose import as_found, choose_balancer, choose_engine
from chaoscheck.phases.controls import controls
from chaoscheck.phases.ending import Interrupts, ending, writing
from chaoscheck.phases.load import baseline, final_reads, settle, start_traffic, warm_traffic
from chaoscheck.phases.matrix import matrix
from chaoscheck.phases.permission import Allowed, may_touch, permitted
from chaoscheck.phases.prepare import prepare
from chaoscheck.phases.probe import Prober
from chaoscheck.phases.sizing import size
from chaoscheck.phases.sparing import Sparing
from chaoscheck.phases.stage import Stage
from chaoscheck.phases.testimony import testify
from chaoscheck.phases.validate import validate
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.reporting.index import write_index
from chaoscheck.steps.base import Transport
from chaoscheck.steps.confidential import confidential
from chaoscheck.steps.mask import Masker
from chaoscheck.steps.perform import Exchange
from chaoscheck.steps.transports.requests_ import RequestsTransport
from chaoscheck.steps.transports.tls import Tls
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
    allow_kill: bool = False
    """Whether instances that somebody else started may be killed."""
    allow_remote: bool = False
    """Whether load may be sent to another machine."""
    enough: Callable[[Result], bool] | None = None
    """Asked between phases and strikes of what is shown so far: True ends the run there."""

    @property
    def allowed(self) -> Allowed:
        return Allowed(kill=self.allow_kill, remote=self.allow_remote, kills=not self.only_try)


def run(loaded: LoadedPlan, options: Options) -> tuple[Result, RunFolder]:
    """Run the plan, whatever comes, to a judged and reported end; everything that was started is gone after it.

    Raises PlanError for a plan that can't be run here, NotAllowed and EngineUnavailable; all later trouble is in the
    result. Raises KeyboardInterrupt, with nothing left, when it comes before the start, twice, or while judging.
    """
    plugins.load()
    validate(loaded)
    engine = choose_engine(loaded)
    if may_touch(engine, options.allowed):
        # Before anybody is counted: what a dead run left down is one of them.
        sweep(engine, options.say)
    loaded = as_found(loaded, engine)
    balancer = choose_balancer(loaded, engine)
    for line in permitted(loaded, engine, balancer, options.allowed):
        options.say(line)
    with Interrupts() as interrupts:
        sweep(engine, options.say)
        with _folder(loaded, options) as folder, _stage(loaded, options, engine, balancer, folder, interrupts) as stage:
            if not options.only_try:
                warm_traffic(stage)
            prepare(stage)
            with closing(Prober(stage, options.watch)) as prober:
                stage.enter(Phase.CONTROLS)
                sound = controls(stage, prober)
                prober.tell_time()
                if sound:
                    stage.enter(Phase.MATRIX)
                    matrix(stage, prober)
                testify(stage, prober.trouble, sound=sound)
            if sound and not options.only_try and not stage.enough():
                _under_load(stage, prober.accounts_used)
                # A store that died since the last look explains what was lost, and ends the run as it would have then.
                stage.watch()
            stage.emit(events.RunEnded)
        result = _conclude_unless_stopped(folder, interrupts)
        write_index(options.reports)
        return result, folder


def _under_load(stage: Stage, accounts_used: int) -> None:
    sizing = size(stage.plan)
    start_traffic(stage, sizing, first_account=accounts_used)
    stage.enter(Phase.BASELINE)
    sizing = baseline(stage, sizing)
    if stage.enough():
        return
    stage.enter(Phase.CHAOS)
    if chaos(stage, sizing):
        return
    stage.enter(Phase.SETTLE)
    settle(stage)
    stage.enter(Phase.FINAL)
    final_reads(stage)


def _shown(folder: RunFolder, options: Options) -> Callable[[], bool]:
    """Whether what the run has shown so far is enough for whoever asked for it."""
    enough = options.enough
    if enough is None:
        return lambda: False
    return Sparing(lambda: enough(_judged(folder)))


def _broken(folder: RunFolder, plan: Plan) -> Callable[[], bool]:
    """Whether anything that counts is broken so far: what workers confirm counts unless the plan says otherwise."""
    if not (plan.known or plan.gates):
        return lambda: True
    return Sparing(lambda: any(one.verdict is Verdict.FAIL for one in _judged(folder).decisive))


def _judged(folder: RunFolder) -> Result:
    return judge(folder.plan(), folder.events(), folder.histories(), list(folder.balancer()))


def sweep(engine: Engine, say: Callable[[str], None]) -> None:
    """What dead runs left must not stop this one."""
    try:
        for line in engine.sweep():
            say(f"swept what a run that is gone had left: {line}")
    except EnvironmentTrouble as error:
        say(f"could not sweep what a run that is gone had left: {error.message}")


def _conclude_unless_stopped(folder: RunFolder, interrupts: Interrupts) -> Result:
    """A second Ctrl-C spares the user the judging; the history is there to be judged later."""
    try:
        if interrupts.count > 1:
            raise KeyboardInterrupt
        return conclude(folder)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"cleaned up, but not judged: chaoscheck check {folder.path} does that") from None


def conclude(folder: RunFolder) -> Result:
    """Judge what the folder holds and write every report: a pure function of it."""
    result = _judged(folder)
    with writing(folder):
        folder.finish(result)
        for name in REPORTERS:
            REPORTERS.get(name)().write(result, folder.events(), folder.path)
    return result


@contextmanager
def _folder(loaded: LoadedPlan, options: Options) -> Iterator[RunFolder]:
    name = run_id(loaded.path, datetime.now(UTC), secrets.token_hex(2))
    try:
        options.reports.mkdir(parents=True, exist_ok=True)
        made = RunFolder.create(options.reports, name, loaded)
    except OSError as error:
        raise EnvironmentTrouble(
            f"the run's folder can't be made in {options.reports}: {error.strerror}",
            hint="name a folder that can be written with --out",
        ) from None
    with made as folder:
        yield folder


@contextmanager
def _stage(
    loaded: LoadedPlan, options: Options, engine: Engine, balancer: Balancer, folder: RunFolder, interrupts: Interrupts
) -> Iterator[Stage]:
    """All that a run works with."""
    plan = loaded.plan
    clock: Clock = engine.clock() if isinstance(engine, HasClock) else MonotonicClock()
    wall_ns = time.time_ns() - clock.now_ns()

    def record(event: events.Event) -> None:
        with writing(folder):
            folder.on(event)
        for listener in options.listeners:
            listener(event)

    say = _discreet(options.say, loaded)
    may_kill = options.allow_kill and not options.only_try
    site = Site(run=folder.run, plan=loaded, clock=clock, folder=folder.path, say=say, allow_kill=may_kill)
    fleet = engine.open(site)
    fault = FAULTS.get(plan.chaos.fault)()
    simulated = isinstance(fleet, Simulates)
    stage = Stage(
        loaded=loaded,
        run=folder.run,
        seed=plan.seed,
        clock=clock,
        folder=folder.path,
        record=record,
        fleet=fleet,
        balancer=balancer,
        fault=fault,
        transport=_transport(fleet, clock, loaded),
        traffic=SimulatedTraffic(fleet) if isinstance(fleet, Simulates) else ProcessTraffic(folder.path),
        say=say,
        shown=_shown(folder, options),
        broken=_broken(folder, plan),
    )
    with ending(stage, folder, interrupts, keep=options.keep and not isinstance(engine, Attaches)):
        stage.emit(
            events.RunStarted,
            run=folder.run,
            version=chaoscheck.__version__,
            seed=plan.seed,
            plan=loaded.path.name,
            engine=engine.name,
            balancer=balancer.name,
            instances=plan.instances,
            command=options.command,
            wall_ns=0 if simulated else wall_ns,
            environment={} if simulated else _environment(),
        )
        stage.enter(Phase.PREPARE)
        yield stage


def _discreet(say: Callable[[str], None], loaded: LoadedPlan) -> Callable[[str], None]:
    """Says it without the plan's secrets: commands of setup, and what a service answers while it is awaited."""
    masker = Masker(confidential(loaded.plan, loaded.filled))
    return lambda line: say(masker.known(line))


def _transport(fleet: Fleet, clock: Clock, loaded: LoadedPlan) -> Transport:
    if isinstance(fleet, Simulates):
        return fleet.transport()
    return RequestsTransport(clock, Tls(loaded.plan, loaded.folder))


def _environment() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "cores": str(os.cpu_count()),
        "chaoscheck": chaoscheck.__version__,
    }


def shell_words(words: list[str]) -> str:
    """The command line as one could type it again."""
    return shlex.join(words)
