"""What only the plug-ins can say of a plan, before anything starts: whether what it names exists, and fits."""

from __future__ import annotations

from chaoscheck.balancers.base import BALANCERS
from chaoscheck.checkers.known import check_known
from chaoscheck.checkers.levels import check_gates
from chaoscheck.engines.base import ENGINES
from chaoscheck.errors import PlanError
from chaoscheck.faults.base import FAULTS
from chaoscheck.phases.sizing import size
from chaoscheck.plan.load import as_written
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.promises.base import KINDS
from chaoscheck.registry import Registry, nearest
from chaoscheck.steps.base import EVENTS, WEBSOCKET
from chaoscheck.steps.prepared import check_names, prepare
from chaoscheck.steps.render import Origin
from chaoscheck.traffic.accounts import listed

OBSERVERS = 1
SURVIVABLE = ("another-instance", "kill")


def validate(loaded: LoadedPlan) -> None:
    """Raises PlanError, with the line, for the first thing that can't be."""
    plan = loaded.plan
    _known(loaded, FAULTS, plan.chaos.fault, "chaos", "fault")
    if plan.engine != "auto":
        _known(loaded, ENGINES, plan.engine, "engine")
    if plan.balancer.kind != "auto":
        _known(loaded, BALANCERS, plan.balancer.kind, "balancer", "kind")
    for name, promise in plan.promises.items():
        _known(loaded, KINDS, promise.kind, "promises", name, "kind")
        _fits_kind(loaded, name)
        for fate in promise.survives:
            if fate not in SURVIVABLE:
                raise PlanError(
                    f"promises.{name}.survives: '{fate}' is not known",
                    hint=nearest(fate, SURVIVABLE),
                    place=loaded.place("promises", name, "survives"),
                )
    check_known(loaded)
    check_gates(loaded)
    extra = set(listed(plan.accounts, loaded.folder)[0]) if plan.accounts.csv else set()

    def place(*keys: str) -> str:
        return loaded.place(*as_written(keys, loaded.lines))

    try:
        check_names(plan.promises, extra, plan.target.auth, place)
        prepare(plan.promises, Origin(url="http://localhost"), plan.traffic.timeout, plan.target.auth, place)
    except PlanError as error:
        raise PlanError(error.message, hint=error.hint, place=error.place or loaded.place("promises")) from None
    if all(KINDS.get(promise.kind).alone for promise in plan.promises.values()):
        raise PlanError(
            f"promises: users do none of this, so there is no load: {', '.join(plan.promises)}",
            hint="add what users do, the login for example",
            place=loaded.place("promises"),
        )
    _enough_accounts(loaded)


def _fits_kind(loaded: LoadedPlan, name: str) -> None:
    """Its actions and options are those that its kind needs and takes."""
    terms = loaded.plan.promises[name]
    kind = KINDS.get(terms.kind)
    has, takes = set(terms.actions), kind.needs | kind.may_have
    place = loaded.place("promises", name)
    if missing := sorted(kind.needs - has):
        raise PlanError(
            f"promises.{name}: a promise of kind {kind.name} needs {' and '.join(missing)}",
            hint=f"it has {', '.join(sorted(has)) or 'no action'} and takes {', '.join(sorted(takes))}",
            place=place,
        )
    for odd in sorted((has - takes) | (terms.options - kind.options)):
        raise PlanError(
            f"promises.{name}: a promise of kind {kind.name} has no {odd}",
            hint=f"it takes {', '.join(sorted(takes | kind.options))}",
            place=loaded.place("promises", name, odd),
        )
    for action, steps in terms.actions.items():
        if any(step.pending is not None for step in steps) and not (kind.pends and action == "see"):
            raise PlanError(
                f"promises.{name}: pending has no meaning in {action} of a promise of kind {kind.name}",
                hint='it says what "not done yet" looks like, in `see` of a job',
                place=loaded.place("promises", name, action),
            )
        if any(step.method in (WEBSOCKET, EVENTS) for step in steps) and not (kind.streams and action == "see"):
            raise PlanError(
                f"promises.{name}: a stream has no place in {action} of a promise of kind {kind.name}",
                hint="websocket and events are for `see` of a channel",
                place=loaded.place("promises", name, action),
            )
    if wrong := kind.check(terms):
        raise PlanError(f"promises.{name}: {wrong}", place=place, hint=f"docs/kinds/{kind.name}.md has an example")


def _known(loaded: LoadedPlan, registry: Registry, name: str, *keys: str) -> None:  # type: ignore[type-arg]
    if name not in registry:
        raise PlanError(
            f"{'.'.join(keys)}: no {registry.what} is named '{name}'",
            hint=nearest(name, registry),
            place=loaded.place(*keys),
        )


def controller_sessions(plan: Plan) -> int:
    """Accounts that controls and matrix take before any user comes."""
    return len(plan.promises) + plan.instances**2


def _enough_accounts(loaded: LoadedPlan) -> None:
    """Two live sessions never share an account."""
    plan = loaded.plan
    if plan.accounts.template is not None:
        return
    have = len(listed(plan.accounts, loaded.folder))
    sizing = size(plan)
    strikes = sizing.kills + sizing.shams
    need = controller_sessions(plan) + sizing.users + strikes * 8 + OBSERVERS
    if have < need:
        raise PlanError(
            f"{have} accounts are too few: {need} sessions need one of their own",
            place=loaded.place("accounts"),
            hint="list more, use a template such as user-$run-$n, or lower traffic.users and chaos.rounds",
        )
