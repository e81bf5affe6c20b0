"""Write on i, read on j, straight to the instances: finds state in one instance, whatever the balancer hides."""

from __future__ import annotations

from itertools import product

from chaoscheck.engines.base import Instance
from chaoscheck.model import events
from chaoscheck.model.clock import wait_s
from chaoscheck.model.ops import Lane, Outcome
from chaoscheck.phases.bench import ProbeBench, at_once, log_in, try_do
from chaoscheck.phases.controls import holds
from chaoscheck.phases.probe import Prober, Split, Visitor
from chaoscheck.phases.stage import Stage
from chaoscheck.promises.base import Pairs

OTHER_READS = 2
CONFIRM_PAUSES_S = (0.02, 0.1, 0.3)


def matrix(stage: Stage, prober: Prober) -> None:
    """Every ordered pair of instances, i = i on fresh connections included, for every promise."""
    if not stage.asks_each:
        stage.emit(
            events.Warned,
            text="no matrix, no bursts: no instance can be asked alone, so state in one may stay unseen; "
            "this run can't end in PASS",
        )
        return
    for writer, reader in product(stage.instances.values(), repeat=2):
        visitor = prober.visitor(Lane.MATRIX)
        logged_in = _login_pair(stage, prober, visitor, writer, reader)
        for promise in stage.plan.promises:
            if promise != stage.plan.login:
                _promise_pair(stage, prober, visitor, promise, writer, reader, logged_in)
        _finish_elsewhere(stage, prober, visitor, writer, reader, logged_in)


def _own_pair(stage: Stage, prober: Prober, visitor: Visitor, promise: str, writer: Instance, reader: Instance) -> None:
    """What the kind itself wants to know of such a pair."""
    kind = prober.kind(promise)
    if not isinstance(kind, Pairs):
        return
    told = kind.pair(ProbeBench(stage, prober, visitor, promise), writer.name, reader.name)
    if told is not None:
        _tell(
            stage,
            promise,
            writer,
            reader,
            told.holds,
            told.note,
            visitor,
            told.obj,
            told=told.told,
            missed=told.missed,
            healed=told.healed,
            writer_has=told.writer_has,
            anomaly=told.anomaly,
            session=told.session,
        )


def _login_pair(stage: Stage, prober: Prober, visitor: Visitor, writer: Instance, reader: Instance) -> bool:
    """Log in on one, be oneself on the other; True when that holds (or when the plan has no login)."""
    login = stage.plan.login
    if login is None:
        return True
    done = log_in(stage, prober, visitor, writer)
    if done is None or done.op.outcome != Outcome.OK:
        _tell(stage, login, writer, reader, None, "the login was not acknowledged", visitor, "")
        return False
    return _read(stage, prober, visitor, login, "", writer, reader)


def _promise_pair(
    stage: Stage, prober: Prober, visitor: Visitor, promise: str, writer: Instance, reader: Instance, logged_in: bool
) -> None:
    kind = prober.kind(promise)
    if not kind.plain_pairs and not isinstance(kind, Pairs):
        return
    if not stage.plan.promises[promise].seen_by_guest and not logged_in:
        _tell(
            stage,
            promise,
            writer,
            reader,
            None,
            "not told: the session itself doesn't hold between these two",
            visitor,
            "",
        )
        return
    if kind.plain_pairs:
        _plain_pair(stage, prober, visitor, promise, writer, reader)
    _own_pair(stage, prober, visitor, promise, writer, reader)


def _plain_pair(
    stage: Stage, prober: Prober, visitor: Visitor, promise: str, writer: Instance, reader: Instance
) -> None:
    value = prober.new_value(visitor)
    done = try_do(stage, prober, visitor, promise, value, writer)
    if done.op.outcome != Outcome.OK:
        _tell(
            stage,
            promise,
            writer,
            reader,
            None,
            f"the write was not acknowledged ({done.op.outcome})",
            visitor,
            done.op.obj,
        )
        return
    _read(stage, prober, visitor, promise, value, writer, reader)


def _read(
    stage: Stage, prober: Prober, visitor: Visitor, promise: str, value: str, writer: Instance, reader: Instance
) -> bool:
    """Read on `reader` with copies of the jar; a miss is confirmed before it counts."""
    reads = (
        at_once(stage, prober, visitor, promise, value, reader)
        if writer is reader
        else [
            prober.call(visitor, promise, "see", value, reader, client=visitor.client.copy(), fresh=True)
            for _ in range(OTHER_READS)
        ]
    )
    answered = [done for done in reads if done.op.outcome != Outcome.DROPPED]
    misses = [done for done in answered if not holds(prober, promise, done, value)]
    told, missed = len(answered), len(misses)
    note = (misses[0].op.excerpt or misses[0].op.outcome) if misses else ""
    obj = prober.kind(promise).object_of(visitor.session, value)
    if told == 0:
        _tell(stage, promise, writer, reader, None, "no read was answered", visitor, obj)
        return False
    healed = writer_has = False
    if missed:
        healed, writer_has = _later(stage, prober, visitor, promise, value, writer, reader)
        later = "there later" if healed else "still missing later"
        note = (
            f"{missed} of {told} reads missed it; {later} on {reader.name}; "
            f"{writer.name} {'has it' if writer_has else 'has it no more either'}; {note}"
        )
    _tell(
        stage,
        promise,
        writer,
        reader,
        missed == 0,
        note,
        visitor,
        obj,
        told=told,
        missed=missed,
        healed=healed,
        writer_has=writer_has,
    )
    return missed == 0


def _later(
    stage: Stage, prober: Prober, visitor: Visitor, promise: str, value: str, writer: Instance, reader: Instance
) -> tuple[bool, bool]:
    """Whether reader and writer show it a little later: the evidence that tells a lag from a loss."""

    def shown(where: Instance) -> bool:
        done = prober.call(visitor, promise, "see", value, where, client=visitor.client.copy(), fresh=True)
        return holds(prober, promise, done, value)

    visitor.lane, lane = Lane.CONFIRM, visitor.lane
    try:
        for pause_s in CONFIRM_PAUSES_S:
            wait_s(stage.clock, pause_s)
            again = shown(reader)
        if writer is reader:
            # One of its processes says nothing of the others.
            reads = at_once(stage, prober, visitor, promise, value, reader)
            told = [holds(prober, promise, done, value) for done in reads if done.op.outcome != Outcome.DROPPED]
            return bool(told) and all(told), any(told)
        there = shown(writer)
        # It may have reached both between these two reads.
        return again or (there and shown(reader)), there
    finally:
        visitor.lane = lane


def _finish_elsewhere(
    stage: Stage, prober: Prober, visitor: Visitor, writer: Instance, reader: Instance, logged_in: bool
) -> None:
    """Actions of several requests: prepare on one instance, finish on the other."""
    if writer is reader:
        return
    for promise, plan in stage.plan.promises.items():
        requests = sum(2 if step.submit is not None else 1 for step in plan.do)
        # Whoever isn't logged in there is refused for that.
        if requests < 2 or promise == stage.plan.login or not (logged_in or plan.as_ == "guest"):
            continue
        value = prober.new_value(visitor)
        done = prober.call(visitor, promise, "do", value, Split(writer, reader, requests), client=visitor.client.copy())
        if done.op.outcome in (Outcome.UNKNOWN, Outcome.DROPPED):
            continue
        ok = done.reached and done.op.outcome == Outcome.OK
        note = (
            "prepared there, finished here"
            if ok
            else f"prepared on {writer.name}, refused by {reader.name}: {done.op.excerpt}"
        )
        anomaly = "" if ok else "REFUSED_ELSEWHERE"
        _tell(stage, promise, writer, reader, ok, note, visitor, done.op.obj, anomaly=anomaly)


def _tell(
    stage: Stage,
    promise: str,
    writer: Instance,
    reader: Instance,
    held: bool | None,
    note: str,
    visitor: Visitor,
    obj: str,
    *,
    told: int = 0,
    missed: int = 0,
    healed: bool = False,
    writer_has: bool = False,
    anomaly: str = "",
    session: str = "",
) -> None:
    stage.emit(
        events.MatrixProbed,
        promise=promise,
        writer=writer.name,
        reader=reader.name,
        holds=held,
        note=note[:400],
        session=session or visitor.session,
        obj=obj,
        told=told,
        missed=missed,
        healed=healed,
        writer_has=writer_has,
        anomaly=anomaly,
    )
