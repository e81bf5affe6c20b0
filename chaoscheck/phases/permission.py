"""What needs the user's word before anything is sent: killing what he started, and load for another machine."""

from __future__ import annotations

from dataclasses import dataclass

from chaoscheck.balancers.base import Balancer, MayBeRemote
from chaoscheck.engines.base import Attaches, Engine, MayBeElsewhere
from chaoscheck.errors import NotAllowed
from chaoscheck.phases.sizing import size
from chaoscheck.phases.validate import controller_sessions
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.plan.steps import Step

UNSEEN = "stores, and all else that it talks to, are not touched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the command line allows; `kills` is False for what never kills anyone (`try`)."""

    kill: bool = False
    remote: bool = False
    kills: bool = True


NOTHING = Allowed()


def permitted(loaded: LoadedPlan, engine: Engine, balancer: Balancer, allowed: Allowed) -> list[str]:
    """What will be killed and sent, a line each, where that needs a word. Raises NotAllowed without it."""
    machine = _machine(engine)
    url = balancer.beyond(loaded) if isinstance(balancer, MayBeRemote) else ""
    killed = _killing(loaded, engine, machine, allowed)
    return [*killed, *_sending(loaded, [place for place in (machine, url) if place], allowed)]


def may_touch(engine: Engine, allowed: Allowed) -> bool:
    """Whether instances that somebody else started may be: also those that a run which is gone left down."""
    return isinstance(engine, Attaches) and allowed.kill and (allowed.remote or not _machine(engine))


def _machine(engine: Engine) -> str:
    """Where instances that somebody else started are; "" where there are none such, or on this machine."""
    return engine.elsewhere() if isinstance(engine, MayBeElsewhere) else ""


def _killing(loaded: LoadedPlan, engine: Engine, machine: str, allowed: Allowed) -> list[str]:
    if not isinstance(engine, Attaches):
        return []
    found = engine.found(loaded)
    if machine and not allowed.remote:
        raise _not_there(loaded.plan, found, machine, allowed)
    lines = [f"  {line}" for line in found]
    there = f" at {machine}" if machine else ""
    watch = loaded.plan.target.attach.watch if loaded.plan.target.attach else ()
    seen = f"only deaths of {', '.join(watch)} are noticed" if watch else "deaths there go unnoticed (attach.watch)"
    if not allowed.kills:
        return [f"attached to {len(found)} containers{there}, of which none is killed:", *lines]
    if not allowed.kill:
        raise NotAllowed(
            f"this run would kill {len(found)} containers that it did not start{there}, each at least once; "
            "none was touched",
            hint="add --allow-kill if these may die, or use `chaoscheck try`, which kills nobody",
            details="\n".join(found),
        )
    attached = f"attached; these {len(found)} containers{there}, and no others, are killed:"
    return [attached, *lines, f"  {UNSEEN}; {seen}"]


def _not_there(plan: Plan, found: tuple[str, ...], machine: str, allowed: Allowed) -> NotAllowed:
    """Names all that it takes at once, and all that would be done there."""
    load, *rest = what_is_sent(plan, kills=allowed.kills)
    theirs = f"{len(found)} containers at {machine}, which is not this machine"
    if allowed.kills:
        does = f"this run would kill {theirs}, each at least once, and send them {load}; none was touched"
        flags = "--allow-remote" if allowed.kill else "--allow-kill and --allow-remote"
        hint = f"add {flags} if these may die there, and get all this"
    else:
        does = f"this would send {load}, to {theirs}; nothing was sent"
        hint = "add --allow-remote if they may get all this"
    return NotAllowed(does, hint=hint, details="\n".join([*found, *rest]))


def _sending(loaded: LoadedPlan, places: list[str], allowed: Allowed) -> list[str]:
    if not places:
        return []
    who = f"{' and '.join(places)} {'is' if len(places) == 1 else 'are'} not this machine"
    lines = what_is_sent(loaded.plan, kills=allowed.kills)
    if not allowed.remote:
        raise NotAllowed(
            f"{who}; nothing was sent there",
            hint="add --allow-remote if it may get all this",
            details="\n".join(lines),
        )
    return [f"{who}; {'it gets' if len(places) == 1 else 'they get'}:", *(f"  {line}" for line in lines)]


def what_is_sent(plan: Plan, *, kills: bool = True) -> list[str]:
    """Load, writes and accounts of a run (or, without kills, of controls and matrix only)."""
    sizing = size(plan)
    sessions = controller_sessions(plan)
    if kills:
        users = f"{sizing.users} users at a time, for about {sizing.seconds:.0f} s"
        load = f"about {plan.traffic.rate:g} requests/s from {users}"
    else:
        load = f"the requests of {sessions} sessions, one after another"
    return [load, *_writes(plan), _accounts(plan, sessions, kills=kills)]


def _writes(plan: Plan) -> list[str]:
    lines = []
    for name, promise in plan.promises.items():
        does = ", ".join(_request(step) for step in promise.do)
        undoes = ", ".join(_request(step) for step in promise.undo)
        if does:
            lines.append(f"{name} writes: {does}; {f'undone by {undoes}' if undoes else 'nothing undoes it'}")
    return lines


def _request(step: Step) -> str:
    return f"{step.method.upper()} {step.path}"


def _accounts(plan: Plan, sessions: int, *, kills: bool) -> str:
    if plan.accounts.template is None:
        return "accounts: those that the plan lists"
    more = " and more, one for each session" if kills else ""
    return f"accounts: new ones named {plan.accounts.template}, {sessions}{more}"
