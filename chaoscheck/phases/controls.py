"""Tests of the plan before the service: a check that can't fail proves nothing, nor does one that never holds."""

from __future__ import annotations

from chaoscheck.engines.base import Instance
from chaoscheck.model import events
from chaoscheck.model.clock import wait_s
from chaoscheck.model.ops import Lane, Outcome
from chaoscheck.phases.bench import DO_TRIES, ProbeBench, log_in, try_do
from chaoscheck.phases.probe import Prober, Visitor
from chaoscheck.phases.stage import Stage
from chaoscheck.promises.base import Controls
from chaoscheck.steps.calls import Done
from chaoscheck.steps.mask import printable
from chaoscheck.steps.perform import Exchange

TRIES = 6
"""A check that holds now and then (one of two worker processes, say) passes for never holding once in 2^6."""

PAUSE_S = 0.02
LISTS = (
    "its see asks for a list, not for the object: where that shows only some, the oldest drop out of it unlost; take "
    "the object's id or address in do, and ask for that"
)


def controls(stage: Stage, prober: Prober) -> bool:
    """Probe every promise on one instance; False when the plan can't prove anything and the run should end here."""
    where = stage.instances[min(stage.instances)]
    sound = True
    for name in _in_order(stage):
        if prober.kind(name).lists(stage.plan.promises[name]):
            stage.emit(events.Warned, text=f"{name}: {LISTS}")
        visitor = prober.visitor(Lane.CONTROL)
        sound = _one(stage, prober, visitor, name, where) and sound
    return sound


def holds(prober: Prober, promise: str, done: Done, value: str) -> bool:
    """Whether this read shows what was written."""
    if done.op.outcome != Outcome.OK or not done.reached:
        return False
    return prober.kind(promise).shows(done.op.seen, value)


def _in_order(stage: Stage) -> list[str]:
    login = stage.plan.login
    return ([login] if login else []) + [name for name in stage.plan.promises if name != login]


def _one(stage: Stage, prober: Prober, visitor: Visitor, promise: str, where: Instance) -> bool:
    is_login = promise == stage.plan.login
    if not is_login and stage.plan.promises[promise].as_ != "guest":
        entered = log_in(stage, prober, visitor, where)
        if entered is not None and entered.op.outcome != Outcome.OK:
            return False
    kind = prober.kind(promise)
    if isinstance(kind, Controls):
        return _own_controls(stage, prober, kind, visitor, promise, where)
    value = prober.new_value(visitor)
    fails = _must_fail(stage, prober, visitor, promise, value, where)
    if not fails:
        return False
    prober.taken()
    done = try_do(stage, prober, visitor, promise, value, where)
    if done.op.outcome != Outcome.OK or not done.reached:
        _say(stage, prober, promise, "hold", DO_TRIES, 0, where.name, gone_by_expect=False, undone=True)
        return False
    return _must_hold(stage, prober, visitor, promise, value, where)


def _own_controls(
    stage: Stage, prober: Prober, kind: Controls, visitor: Visitor, promise: str, where: Instance
) -> bool:
    """What the kind itself calls a check that can fail and can hold."""
    prober.taken()
    sound = True
    for must, told in kind.control(ProbeBench(stage, prober, visitor, promise), where.name):
        held = told.told - told.missed
        # What never holds is a matter of the plan's own line, more often than not.
        gone = must == "fail" and told.by_expect and not held
        if gone:
            stage.gone_by_expect.add(promise)
        place = f" ({stage.loaded.place('promises', promise, 'see')})" if must == "hold" and not held else ""
        answer = told.note + place
        _say(stage, prober, promise, must, told.told, held, where.name, gone_by_expect=gone, answer=answer)
        sound = sound and told.told > 0 and (held == 0 if must == "fail" else held > 0)
    return sound


def _must_fail(stage: Stage, prober: Prober, visitor: Visitor, promise: str, value: str, where: Instance) -> bool:
    """A guest must not see the identity; a value that nobody wrote must not be seen."""
    guest = visitor.client.guest() if promise == stage.plan.login else None
    held = tries = 0
    by_expect = False
    for _ in range(TRIES):
        done = prober.call(visitor, promise, "see", value, where, client=guest)
        if done.op.outcome == Outcome.DROPPED:
            wait_s(stage.clock, PAUSE_S)
            continue
        tries += 1
        held += holds(prober, promise, done, value)
        by_expect = by_expect or done.op.outcome == Outcome.UNRECOGNISED
        if tries == 2:
            break
    if by_expect and not held:
        stage.gone_by_expect.add(promise)
    _say(stage, prober, promise, "fail", tries, held, where.name, gone_by_expect=by_expect)
    return tries > 0 and held == 0


def _must_hold(stage: Stage, prober: Prober, visitor: Visitor, promise: str, value: str, where: Instance) -> bool:
    held = tries = 0
    for _ in range(2 * TRIES):
        prober.taken()
        done = prober.call(visitor, promise, "see", value, where, client=visitor.client.copy())
        if done.op.outcome == Outcome.DROPPED:
            wait_s(stage.clock, PAUSE_S)
            continue
        tries += 1
        held += holds(prober, promise, done, value)
        if tries == TRIES:
            break
    _say(stage, prober, promise, "hold", tries, held, where.name, gone_by_expect=False)
    return held > 0


def _say(
    stage: Stage,
    prober: Prober,
    promise: str,
    must: str,
    tries: int,
    held: int,
    instance: str,
    *,
    gone_by_expect: bool,
    answer: str = "",
    undone: bool = False,
) -> None:
    exchanges: list[Exchange] = prober.taken()
    last = exchanges[-1] if exchanges else None
    stage.emit(
        events.ControlProbed,
        promise=promise,
        must=must,
        tries=tries,
        held=held,
        instance=instance,
        request=f"{last.wire.method} {last.wire.path}" if last else "",
        answer=answer or (_excerpt(last) if last else ""),
        gone_by_expect=gone_by_expect,
        undone=undone,
    )


def _excerpt(exchange: Exchange) -> str:
    """The answer in a line: status or what went wrong, and how the body begins."""
    op = exchange.op
    return f"{op.status or op.error} {printable(exchange.text)[:200]}".strip()
