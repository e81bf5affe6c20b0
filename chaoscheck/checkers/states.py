"""What is known of one object, and the fold that the presence and value checkers share.

One writer per object keeps the possible states few: the newest certain write (`floor`), writes that may have landed or
may yet (`maybe`) and writes that certainly never did (`dead`). Exposures are evaluated late, from the greatest time at
which another incarnation was asked and agreed; that makes the counts the same whether a death is told before or after
the reads that follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from chaoscheck.checkers.base import NEWEST, Anomaly, Death, Reread, Tally
from chaoscheck.checkers.exposures import Exposures
from chaoscheck.model.history import USUAL_READ, USUAL_WRITE, Batch, OpFields, batches
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.plan.steps import Promise

ANSWERED = frozenset({Outcome.OK.value, Outcome.GONE.value})
CERTAIN_AT_ONCE = frozenset({"ABORTED_READ", "CROSS_SESSION", "PHANTOM", "WRONG_USER"})
CRITICAL = frozenset({"CROSS_SESSION", "WRONG_USER"})
WRONG_USER = "wrong user"
"""The error of a `see` that showed another user than the session's own."""

_OK = Outcome.OK.value
_CONFIRM = Lane.CONFIRM.value
_FINAL = Lane.FINAL.value


Parked = tuple[str, str | None, str, int, int, int, str | None]
"""An object of which nothing unusual is known: (obj, floor, acker, acked_ns, done_ns, other_sent_ns, base)."""

Resumed = tuple["dict[str, State | Parked] | None", bool, str | None, str, int, int, int, str | None]

_NEW: Parked = ("", None, "", -1, -1, -1, None)


class State:
    """One object as its only writer knows it. `floor` None: nothing is certain.

    `spent`: the pair (object, kill) counts no more. `rebased`: a loss was reported and no write made certain since.
    `ended`: a removal may land at any later time, so that nothing becomes certain any more. `calm`: no suspicion, no
    overlap. `base` is the first value read, `wrote` the last one written.
    """

    __slots__ = (
        "acked_ns", "acker", "base", "by_read", "dead", "done_ns", "ended", "floor", "maybe", "other_sent_ns",
        "rebased", "spent", "suspicion", "torn", "wrote",
    )  # fmt: skip

    def __init__(self, parked: Parked = _NEW) -> None:
        _, self.floor, self.acker, self.acked_ns, self.done_ns, self.other_sent_ns, self.base = parked
        self.wrote = self.floor or ""
        self.by_read = self.spent = self.torn = self.ended = self.rebased = False
        self.maybe: dict[str, int] | None = None
        self.dead: set[str] | None = None
        self.suspicion: Suspicion | None = None

    @property
    def calm(self) -> bool:
        return not self.torn and self.suspicion is None

    def parked(self, obj: str) -> Parked | None:
        """All there is to know of it in one tuple; None when that is more than a tuple says."""
        unusual = self.by_read or self.spent or self.rebased or self.ended or self.maybe or self.dead
        if unusual or not self.calm or self.wrote not in ("", self.floor):
            return None
        return obj, self.floor, self.acker, self.acked_ns, self.done_ns, self.other_sent_ns, self.base

    def certain(self, value: str, op: Op, *, by_read: bool) -> None:
        """From now on `value` is what is certain, on the word of the incarnation that answered `op`."""
        self.floor = value
        self.by_read = by_read
        self.acker = op.incarnation
        self.acked_ns = op.done_ns
        self.other_sent_ns = -1
        self.spent = self.rebased = False

    def uncertain(self) -> None:
        """Nothing is certain any more."""
        self.floor = None
        self.acker = ""
        self.other_sent_ns = -1


class Suspicion:
    """A read that contradicts what was certain then, and the re-reads of it so far."""

    __slots__ = ("acked_ns", "acker", "agreed", "agreed_ns", "by_read", "confirms", "name", "read", "shown_ns", "value")

    def __init__(self, name: str, read: Op, state: State) -> None:
        self.name = name
        self.read = read
        self.value = state.floor or ""
        self.acker = state.acker
        self.acked_ns = state.acked_ns
        self.by_read = state.by_read
        self.shown_ns = state.other_sent_ns
        self.confirms: list[Reread] = []
        self.agreed: dict[str, bool] = {read.via: False} if read.lane == _FINAL else {}
        self.agreed_ns: dict[str, int] = {}

    def add(self, op: Op, agrees: bool) -> None:
        """One more read through an instance; only answers that say something come here."""
        self.confirms.append(Reread(op.via, op.outcome, op.seen, op.done_ns, agrees))
        if not self.agreed.get(op.via, False):
            self.agreed_ns[op.via] = op.done_ns
        self.agreed[op.via] = agrees

    @property
    def healed_ns(self) -> int:
        """When the last instance came round, -1 while one of them has not."""
        if not self.confirms or not all(self.agreed.values()):
            return -1
        return max(self.agreed_ns.values())


class Fold:
    """The shared part of the checkers of session, register and kept; a kind says what its writes and reads mean."""

    kind: ClassVar[str] = ""
    by_value: ClassVar[bool] = False
    healed_name: str = "FLICKER"

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        self.promise = promise
        self.terms = terms
        # A history has many more sessions than instances: one with a single usual object is that one tuple.
        self._sessions: dict[str, Parked | dict[str, State | Parked]] = {}
        self._tally = Tally()
        self._exposures = Exposures(self._tally)
        self._open: dict[tuple[str, str, int], Anomaly] = {}

    # What a kind has to say.

    def _write(self, state: State, op: Op) -> None:
        raise NotImplementedError

    def _contradiction(self, state: State, op: Op) -> str:
        """The anomaly that this answered read shows, "" for none; may make a value certain that was only possible."""
        raise NotImplementedError

    def _agrees(self, state: State, op: Op) -> bool:
        """Whether a read shows what is certain."""
        return op.outcome == _OK and state.floor is not None and (not self.by_value or op.seen == state.floor)

    # The protocol.

    def died(self, death: Death) -> None:
        self._exposures.died(death)

    def feed(self, op: Op) -> bool:
        if not op.judged:
            return False
        state = self._state(op.session, op.obj)
        if op.lane == _CONFIRM:
            self._confirm(state, op)
            return False
        self._note(f"{op.action}/{op.outcome}", 1)
        return self._step(state, op)

    def fold(self, ops: Iterable[OpFields]) -> None:
        for batch in batches(ops):
            self._fold(batch)

    def _fold(self, batch: Batch) -> None:
        # The common operations, a user's acknowledged write and a read that agrees, are settled here with the object in
        # local names; `usual` is False while those don't hold it, and `floor` None then.
        presence, sessions, closed = not self.by_value, self._sessions, self._exposures.closed
        glances, at = batch.glances, 0
        session = obj = acker = ""
        objects: dict[str, State | Parked] | None = None
        floor = base = None
        acked_ns = last_ns = other_ns = -1
        usual = False
        writes = slow = 0
        reads, makes = USUAL_READ, USUAL_WRITE
        for whose, what, code, text, who, sent, done in glances:
            if whose != session or what != obj:
                if usual:
                    held = (obj, floor, acker, acked_ns, last_ns, other_ns, base)
                    if objects is None:
                        sessions[session] = held
                    else:
                        objects[obj] = held
                session, obj = whose, what
                known = sessions.get(whose)
                if known is None:
                    objects = None
                elif isinstance(known, dict):
                    objects = known
                elif known[0] == what:
                    objects = None
                else:
                    sessions[whose] = objects = {known[0]: known}
                if known is not None and (objects is None or what in objects):
                    objects, usual, floor, acker, acked_ns, last_ns, other_ns, base = self._resume(whose, what)
                else:
                    floor = base = None
                    acker, acked_ns, last_ns, other_ns, usual = "", -1, -1, -1, True
            if sent >= last_ns:
                if code == reads:
                    if text == floor or (presence and floor is not None):
                        last_ns = done
                        if who != acker and who:
                            other_ns = sent
                        continue
                elif code == makes and usual:
                    if other_ns >= 0:
                        if acker in closed:
                            closed[acker] += (acked_ns, other_ns)
                        elif acker:
                            self._exposures.seal(acker, acked_ns, other_ns)
                    writes += 1
                    floor, acker, acked_ns, last_ns, other_ns = text, who, done, done, -1
                    continue
            slow += 1
            if usual:
                self._hold(session, (obj, floor, acker, acked_ns, last_ns, other_ns, base))
            # Few come here, so that looking for the whole operation is cheaper than counting all of them.
            at = glances.index((whose, what, code, text, who, sent, done), at)
            self.feed(Op._make(batch.whole[at]))
            at += 1
            objects, usual, floor, acker, acked_ns, last_ns, other_ns, base = self._resume(whose, what)
        if usual:
            self._hold(session, (obj, floor, acker, acked_ns, last_ns, other_ns, base))
        self._exposures.trim()
        self._note("see/ok", len(glances) - writes - slow)
        self._note("do/ok", writes)

    def healed(self, session: str, obj: str) -> bool:
        state = self._objects(session).get(obj)
        if state is None or state.suspicion is None:
            return True
        return state.suspicion.healed_ns >= 0

    def certain(self, session: str) -> list[str]:
        known = [
            (state.acked_ns, obj)
            for obj, state in self._objects(session).items()
            if state.floor is not None and not state.torn
        ]
        return [obj for _, obj in sorted(known)]

    def value_of(self, session: str, obj: str) -> str:
        state = self._objects(session).get(obj)
        return state.floor or "" if state is not None else ""

    def exposed(self, session: str) -> list[str]:
        open_ = [
            (state.acked_ns, obj) for obj, state in self._objects(session).items() if self._pending(state) is not None
        ]
        return [obj for _, obj in sorted(open_)]

    def forget(self, session: str) -> None:
        for obj, state in self._objects(session).items():
            self._conclude(session, obj, state)
            self._close(state)
        self._sessions.pop(session, None)

    def tally(self) -> Tally:
        seen = Tally()
        seen.merge(self._tally)
        doubted = dict(self._open)
        for session, obj, state in self._states():
            death = self._exposures.deaths.get(state.acker) if self._countable(state) else None
            if death is not None and not self._exposures.count(seen, death, state.acked_ns, state.other_sent_ns):
                seen.pending[death.strike] = seen.pending.get(death.strike, 0) + 1
            if state.suspicion is not None:
                anomaly = self._anomaly(session, obj, state.suspicion)
                known = doubted.pop((session, obj, anomaly.acked_ns), anomaly)
                seen.anomalies.append(anomaly if anomaly.confirmed else known)
        seen.anomalies.extend(doubted.values())
        for victim, times in seen.kept_after.items():
            seen.kept_after[victim] = sorted(times)[-NEWEST:]
        self._count_lost(seen)
        return seen

    # One operation.

    def _step(self, state: State, op: Op) -> bool:
        if state.suspicion is not None:
            if op.lane == _FINAL and state.suspicion.read.lane == _FINAL:
                self._confirm(state, op)
                self._tally.final_done += op.outcome in ANSWERED
                return False
            self._conclude(op.session, op.obj, state)
        if state.torn or self._overlaps(state, op):
            return False
        if op.done_ns >= 0:
            state.done_ns = op.done_ns
        if op.action != "see":
            self._write(state, op)
            return False
        return self._read(state, op)

    def _read(self, state: State, op: Op) -> bool:
        if op.lane == _FINAL:
            self._tally.final_done += op.outcome in ANSWERED
        name = self._contradiction(state, op)
        if name:
            state.suspicion = Suspicion(name, op, state)
            return True
        if self._agrees(state, op) and op.incarnation and op.incarnation != state.acker:
            state.other_sent_ns = max(state.other_sent_ns, op.sent_ns)
        return False

    def _confirm(self, state: State, op: Op) -> None:
        if state.suspicion is not None and (op.outcome in ANSWERED or op.error == WRONG_USER):
            state.suspicion.add(op, self._contradiction(state, op) == "")

    def _overlaps(self, state: State, op: Op) -> bool:
        if op.sent_ns >= state.done_ns:
            return False
        state.torn = True
        self._close(state)
        state.uncertain()
        self._tally.inconclusive.append(f"{op.session}: operations on {op.obj} overlapped in time")
        # A value that seemed to be nobody's may have been this write's, read before its own end was known.
        self._tally.anomalies = [
            known
            for known in self._tally.anomalies
            if not (
                known.name == "PHANTOM"
                and known.session == op.session
                and known.obj == op.obj
                and known.seen == op.value
            )
        ]
        return True

    # Conclusions.

    def _conclude(self, session: str, obj: str, state: State) -> None:
        if state.suspicion is None:
            return
        anomaly = self._anomaly(session, obj, state.suspicion)
        state.suspicion = None
        if not anomaly.confirmed:
            # The value stays certain, so that every later read doubts it again: one doubt of it is kept.
            self._open.setdefault((session, obj, anomaly.acked_ns), anomaly)
            state.spent = True
            return
        self._open.pop((session, obj, anomaly.acked_ns), None)
        self._tally.anomalies.append(anomaly)
        if anomaly.name == self.healed_name:
            # The pair's first read contradicted: whatever is read later, it counts as lost and never as an exposure.
            state.spent = True
        else:
            state.uncertain()
            state.rebased = True

    def _anomaly(self, session: str, obj: str, doubt: Suspicion) -> Anomaly:
        at_once = doubt.name in CERTAIN_AT_ONCE
        healed_ns = doubt.healed_ns
        name = doubt.name if at_once else self.healed_name if healed_ns >= 0 else "LOST"
        guarantee = "" if at_once else "monotonic-reads" if doubt.by_read else "read-your-writes"
        return Anomaly(
            name=name,
            promise=self.promise,
            session=session,
            obj=obj,
            value=doubt.value,
            seen=doubt.read.seen,
            critical=doubt.name in CRITICAL,
            confirmed=at_once or bool(doubt.confirms),
            acker=doubt.acker,
            acked_ns=doubt.acked_ns,
            read=doubt.read,
            healed_ns=healed_ns,
            confirms=tuple(doubt.confirms),
            guarantee=guarantee,
            shown_ns=doubt.shown_ns,
        )

    # Exposures.

    def _countable(self, state: State) -> bool:
        return state.floor is not None and state.calm and not state.by_read and not state.spent and state.acker != ""

    def _pending(self, state: State) -> Death | None:
        death = self._exposures.deaths.get(state.acker) if self._countable(state) else None
        return None if death is None or self._exposures.after(death, state.other_sent_ns) else death

    def _close(self, state: State) -> None:
        """A later write (or the session's end) comes: what was read back until now is all that counts."""
        if self._countable(state) and state.other_sent_ns >= 0:
            self._exposures.seal(state.acker, state.acked_ns, state.other_sent_ns)

    def _count_lost(self, tally: Tally) -> None:
        counted: set[tuple[str, str, int]] = set()
        for anomaly in tally.anomalies:
            death = self._exposures.deaths.get(anomaly.acker)
            pair = (anomaly.session, anomaly.obj, anomaly.acked_ns)
            if death is None or not anomaly.confirmed or anomaly.guarantee != "read-your-writes" or pair in counted:
                continue
            if self._exposures.after(death, anomaly.read.sent_ns):
                counted.add(pair)
                tally.lost[death.strike] = tally.lost.get(death.strike, 0) + 1

    # Small things.

    def _state(self, session: str, obj: str) -> State:
        objects = self._held(session)
        state = objects.get(obj)
        if not isinstance(state, State):
            state = objects[obj] = State(_NEW if state is None else state)
        return state

    def _held(self, session: str) -> dict[str, State | Parked]:
        """The session's objects, as a mapping from now on."""
        known = self._sessions.get(session)
        if not isinstance(known, dict):
            known = self._sessions[session] = {} if known is None else {known[0]: known}
        return known

    def _hold(self, session: str, parked: Parked) -> None:
        known = self._sessions.get(session)
        if isinstance(known, dict):
            known[parked[0]] = parked
        else:
            self._sessions[session] = parked

    def _resume(self, session: str, obj: str) -> Resumed:
        """What folding goes on from: a session's other objects, whether all of this one is told, and what."""
        known = self._sessions.get(session)
        if isinstance(known, tuple) and known[0] == obj:
            return None, True, *known[1:]
        objects = self._held(session)
        state = objects.get(obj, _NEW)
        parked = state.parked(obj) if isinstance(state, State) else state
        return objects, parked is not None, *(parked or _NEW)[1:]

    def _objects(self, session: str) -> dict[str, State]:
        if session not in self._sessions:
            return {}
        return {obj: self._state(session, obj) for obj in self._held(session)}

    def _states(self) -> Iterator[tuple[str, str, State]]:
        for session, known in self._sessions.items():
            if isinstance(known, tuple):
                yield session, known[0], State(known)
                continue
            for obj, state in known.items():
                yield session, obj, state if isinstance(state, State) else State(state)

    def _note(self, name: str, count: int) -> None:
        if count:
            self._tally.outcomes[name] = self._tally.outcomes.get(name, 0) + count
