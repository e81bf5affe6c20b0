"""Which engine and which balancer a plan gets on this machine, before anything starts."""

from __future__ import annotations

from collections.abc import Callable

from chaoscheck import plugins
from chaoscheck.balancers.base import BALANCERS, Balancer
from chaoscheck.engines.base import ENGINES, Attaches, Engine
from chaoscheck.errors import ChaosError, EngineUnavailable, PlanError
from chaoscheck.plan.plan import LoadedPlan
from chaoscheck.registry import ChecksPlans


def choose_engine(loaded: LoadedPlan, say: Callable[[str], None] = lambda line: None) -> Engine:
    """The engine that the plan names, or the first that can be used here and can run the plan.

    `say` hears why others were passed over. Raises EngineUnavailable with what each one said, and PlanError where that
    is what stands in the way.
    """
    plugins.load()
    plan = loaded.plan
    containers = bool(plan.target.image or plan.target.build)
    wanted = (
        [plan.engine]
        if plan.engine != "auto"
        else ["attach"]
        if plan.target.attach
        else (["docker"] if containers else []) + (["process"] if plan.target.command else [])
    )
    refusals: list[ChaosError] = []
    for name in wanted:
        engine = ENGINES.get(name)()
        try:
            require(engine, loaded)
        except (PlanError, EngineUnavailable) as error:
            refusals.append(error)
            continue
        for refused, refusal in zip(wanted, refusals, strict=False):
            say(f"engine {name}, because {refused} can't be used: {refusal.message}")
        return engine
    if len(refusals) == 1 and isinstance(refusals[0], PlanError):
        raise refusals[0]
    said = "; ".join(f"{name}: {error.message}" for name, error in zip(wanted, refusals, strict=True))
    raise EngineUnavailable(
        f"no engine can run this plan ({said})",
        hint="start a container engine, or give target.command and use --engine process",
    )


def as_found(loaded: LoadedPlan, engine: Engine) -> LoadedPlan:
    """The plan with as many instances as run already, where the engine starts none. PlanError where it says others."""
    if not isinstance(engine, Attaches):
        return loaded
    plan, number = loaded.plan, len(engine.found(loaded))
    if "instances" in plan.model_fields_set and plan.instances != number:
        raise PlanError(
            f"{number} containers run with the labels of target.attach, and instances says {plan.instances}",
            place=loaded.place("instances"),
            hint="scale the service, or leave instances out",
        )
    return loaded.model_copy(update={"plan": plan.model_copy(update={"instances": number})})


def require(engine: Engine, loaded: LoadedPlan) -> None:
    """Raises EngineUnavailable where it can't be used on this machine, and PlanError where it can't run the plan."""
    refusal = engine.available()
    if refusal:
        raise EngineUnavailable(refusal, hint="chaoscheck doctor says what can be used here")
    if isinstance(engine, ChecksPlans):
        engine.check(loaded)


def choose_balancer(loaded: LoadedPlan, engine: Engine) -> Balancer:
    """The balancer that the plan names, or the engine's usual one. Raises PlanError where it doesn't fit the plan."""
    kind = loaded.plan.balancer.kind
    balancer = BALANCERS.get(engine.default_balancer if kind == "auto" else kind)()
    if isinstance(balancer, ChecksPlans):
        balancer.check(loaded)
    return balancer
