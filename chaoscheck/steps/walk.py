"""One action under way, and the operation that each of its attempts begins as."""

from __future__ import annotations

from chaoscheck.model.ops import READS, Lane, Op, Outcome
from chaoscheck.steps.calls import Call, Router
from chaoscheck.steps.client import Client
from chaoscheck.steps.prepared import PreparedPromise, PreparedStep
from chaoscheck.steps.render import CompiledStep

_UNKNOWN, _DROPPED = Outcome.UNKNOWN.value, Outcome.DROPPED.value
_LANES = {lane: lane.value for lane in Lane}


class Walk:
    """One action under way: who does it, what it knows, where its requests go."""

    __slots__ = ("actor", "call", "client", "guest", "intended_ns", "names", "promise", "replaced", "router", "taken")

    def __init__(self, call: Call, client: Client, router: Router, promise: PreparedPromise) -> None:
        self.call = call
        self.client = self.actor = client
        self.router = router
        self.promise = promise
        self.guest: Client | None = None
        self.intended_ns = call.intended_ns
        self.replaced: tuple[str, ...] = ()
        self.taken: dict[str, str] = {}
        self.names: dict[str, str] = {}


def compiled_for(step: PreparedStep, actor: Client) -> CompiledStep:
    if actor.is_guest:
        return step.bare
    return step.logged_in if actor.logged_in else step.plain


def begun(walk: Walk, rid: str, attempt: int, via: str, judged: bool, sent_ns: int) -> Op:
    call = walk.call
    outcome = _DROPPED if call.action in READS else _UNKNOWN
    return Op(
        rid,
        walk.client.session,
        call.promise,
        call.action,
        call.obj,
        call.seq,
        attempt,
        call.value,
        _LANES[call.lane],
        via,
        judged,
        walk.intended_ns,
        sent_ns,
        -1,
        outcome,
        0,
        "",
        "",
        "",
        "",
    )
