"""What is said of a plan that takes its service from elsewhere: from a compose file, or from what already runs."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from chaoscheck.errors import NotAllowed
from chaoscheck.phases.choose import as_found, choose_balancer, choose_engine
from chaoscheck.phases.permission import Allowed, may_touch, permitted
from chaoscheck.plan.plan import LoadedPlan
from chaoscheck.run import sweep


def say_taken(loaded: LoadedPlan, console: Console, *, whole: bool) -> None:
    """What a compose file gave (where `whole`), and what of it is left out."""
    for line in loaded.taken if whole else ():
        console.print(f"compose: {line}", soft_wrap=True)
    for line in loaded.doubts:
        console.print(f"warning: {line}", soft_wrap=True)


def settle(loaded: LoadedPlan, allowed: Allowed, say: Callable[[str], None]) -> LoadedPlan:
    """The plan with what is found of what runs already. Raises NotAllowed before anything is sent or killed."""
    engine = choose_engine(loaded, say=say)
    if may_touch(engine, allowed):
        sweep(engine, say)
    found = as_found(loaded, engine)
    permitted(found, engine, choose_balancer(found, engine), allowed)
    return found


def prospect(loaded: LoadedPlan, console: Console) -> LoadedPlan:
    """For a dry run: what would be killed and sent elsewhere, and by which flags."""
    target = loaded.plan.target
    if target.attach is None and loaded.plan.balancer.kind != "external":
        return loaded
    engine = choose_engine(loaded)
    found = as_found(loaded, engine)
    balancer = choose_balancer(found, engine)
    for line in permitted(found, engine, balancer, Allowed(kill=True, remote=True)):
        console.print(line, soft_wrap=True)
    try:
        permitted(found, engine, balancer, Allowed())
    except NotAllowed as error:
        console.print(f"not yet: {error.hint}", soft_wrap=True)
    return found
