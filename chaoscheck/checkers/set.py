"""set: elements that its session adds and removes; a read shows the certain ones, and any that may have landed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS, Death, Tally
from chaoscheck.checkers.bursts import MOST_IN_FLIGHT, MOST_UNKNOWN, in_flight, outcomes
from chaoscheck.checkers.carts import ANSWERED, CartMachine, one_way, plain
from chaoscheck.checkers.contents import Contents
from chaoscheck.checkers.doubt import Doubt
from chaoscheck.checkers.doubts import Doubts
from chaoscheck.checkers.element import counted, without_one
from chaoscheck.checkers.elements import Acks, Elements, Parked, Recent
from chaoscheck.checkers.exposures import Exposures
from chaoscheck.model.history import USUAL_READ, USUAL_UNDO, USUAL_WRITE, Batch, OpFields, batches
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.plan.steps import Promise

_CONFIRM, _FINAL = Lane.CONFIRM.value, Lane.FINAL.value


@CHECKERS.add("set")
class SetChecker:
    """LOST_ELEMENT, RESURRECTED, DUPLICATE_ELEMENT, ABORTED_READ, PHANTOM, CROSS_SESSION; FLICKER for what healed.

    Values look like run.session.seq. One writer a set; what others put there is theirs.
    """

    kind: ClassVar[str] = "set"

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        self.promise = promise
        self._sets = Contents()
        self._tally = Tally()
        self._exposures = Exposures(self._tally)
        self._doubts = Doubts(promise, self._tally, self._exposures)

    # The protocol.

    def died(self, death: Death) -> None:
        self._exposures.died(death)

    def feed(self, op: Op) -> bool:
        if not op.judged:
            return False
        known = self._sets.the(op.session, op.obj)
        if op.lane == _CONFIRM:
            self._confirm(known, op)
            return False
        self._note(f"{op.action}/{op.outcome}", 1)
        return self._step(known, op)

    def fold(self, ops: Iterable[OpFields]) -> None:
        for batch in batches(ops):
            self._fold(batch)

    def _fold(self, batch: Batch) -> None:
        # The common operations, acknowledged writes and a read that shows just what was expected, are settled here with
        # the set in local names, and no read need be taken apart. `known` is None while they say all there is.
        glances, sessions, taken, closed = batch.glances, self._sets.sessions, self._sets.taken, self._exposures.closed
        session = obj = acker = ""
        shown: str | None = None
        known: Elements | None = Elements("")
        acks: Acks = None
        acked_ns = last_ns = other_ns = -1
        unread = True
        at = 0
        reads, removes, slow, added, removed = USUAL_READ, USUAL_UNDO, 0, 0, 0
        for whose, what, code, text, who, sent, done in glances:
            if whose != session or what != obj:
                if known is None:
                    sessions[session] = (obj, shown, acks, acker, acked_ns, last_ns, other_ns, unread)
                else:
                    known.resume(last_ns, other_ns, unread)
                session, obj = whose, what
                if whose in sessions:
                    known, (_, shown, acks, acker, acked_ns, last_ns, other_ns, unread) = taken(whose, what)
                else:
                    known, shown, acks, acker, unread = None, "[]", None, "", True
                    acked_ns = last_ns = other_ns = -1
            if sent >= last_ns:
                if code == reads:
                    if text == shown:
                        # The same text comes again and again: an object is the sooner compared with itself.
                        shown = text
                        last_ns = done
                        unread = False
                        if who != acker and who:
                            other_ns = sent
                        continue
                elif known is None and code and shown:
                    acks = (acks, code, text, who, sent, done)
                    if code == removes:
                        removed += 1
                        shown = without_one(shown, text) or None
                    else:
                        added += 1
                        # Our own values are as they are in JSON; a wrong guess only makes the next read a slow one.
                        shown = f'{shown[:-1]},"{text}"]' if shown != "[]" else f'["{text}"]'
                    if other_ns >= 0:
                        if acker in closed:
                            closed[acker] += (acked_ns, other_ns)
                        elif acker:
                            self._exposures.seal(acker, acked_ns, other_ns)
                        other_ns = -1
                    acker = who
                    acked_ns = last_ns = done
                    continue
            # Few come here, so that looking for the whole operation is cheaper than counting all of them.
            at = glances.index((whose, what, code, text, who, sent, done), at)
            if code and known is not None and known.burst is not None and known.doubt is None:
                self._beside(session, known, batch.whole[at], sent, done)
                last_ns, other_ns, unread, shown = known.done_ns, known.other_ns, known.base is None, None
                added += code == USUAL_WRITE
                removed += code == removes
            else:
                self._put(session, known, (obj, shown, acks, acker, acked_ns, last_ns, other_ns, unread))
                slow += 1
                self.feed(Op._make(batch.whole[at]))
                known, (_, shown, acks, acker, acked_ns, last_ns, other_ns, unread) = taken(session, obj)
            at += 1
        self._put(session, known, (obj, shown, acks, acker, acked_ns, last_ns, other_ns, unread))
        self._exposures.trim()
        self._note("see/ok", len(glances) - slow - added - removed)
        self._note("do/ok", added)
        self._note("undo/ok", removed)

    def _put(self, session: str, known: Elements | None, parked: Parked) -> None:
        """What folding came to."""
        if known is None:
            self._sets.sessions[session] = parked
        else:
            *_, done_ns, other_ns, unread = parked
            known.resume(done_ns, other_ns, unread)

    def healed(self, session: str, obj: str) -> bool:
        known = self._sets.find(session, obj)
        return known is None or known.doubt is None or known.doubt.healed

    def certain(self, session: str) -> list[str]:
        sets = [(one.acked_ns, one.obj) for one in self._sets.of(session) if one.acked_ns >= 0 and not one.torn]
        return [obj for _, obj in sorted(sets)]

    def value_of(self, session: str, obj: str) -> str:
        """The element that was added last, of those that are certain."""
        known = self._sets.find(session, obj)
        return next(reversed(known.held), "") if known is not None else ""

    def exposed(self, session: str) -> list[str]:
        sets = [(known.acked_ns, known.obj) for known in self._sets.of(session) if self._pending(known)]
        return [obj for _, obj in sorted(sets)]

    def forget(self, session: str) -> None:
        self._sets.run()
        for known in self._sets.of(session):
            self._settle(session, known)
            self._conclude(session, known)
            self._close(known)
        self._sets.sessions.pop(session, None)

    def tally(self) -> Tally:
        seen = Tally()
        seen.merge(self._tally)
        doubted = []
        for session, known in self._sets.all():
            if known.burst and len(known.burst) > 1:
                seen.inconclusive.append(f"{session}: operations that overlapped were not judged yet ({known.obj})")
            death = self._exposures.deaths.get(known.acker) if known.countable else None
            if death is not None and not self._exposures.count(seen, death, known.acked_ns, known.other_ns):
                seen.pending[death.strike] = seen.pending.get(death.strike, 0) + 1
            if known.doubt is not None:
                doubted.append((session, known, known.doubt))
        self._doubts.tell(seen, doubted)
        return seen

    # One operation.

    def _step(self, known: Elements, op: Op) -> bool:
        if known.doubt is not None:
            if op.lane == _FINAL and known.doubt.read.lane == _FINAL:
                self._confirm(known, op)
                self._tally.final_done += op.outcome in ANSWERED
                return False
            self._conclude(op.session, known)
        if known.torn:
            if op.sent_ns < known.done_ns:
                self._doubts.withdraw(op.session, known.obj, op.sent_ns)
            return False
        if known.burst is not None and op.lane == _FINAL and op.sent_ns >= known.done_ns:
            self._settle(op.session, known)
            self._conclude(op.session, known)
            known.burst = None
        if known.burst is not None or op.sent_ns < known.done_ns:
            self._beside(op.session, known, op, op.sent_ns, op.done_ns)
            return False
        return not known.torn and self._judge(known, op)

    def _judge(self, known: Elements, op: Op) -> bool:
        """One that nothing overlapped."""
        if op.done_ns >= 0:
            known.done_ns = op.done_ns
        if op.action != "see":
            self._write(known, op)
            return False
        return self._read(known, op)

    def _write(self, known: Elements, op: Op) -> None:
        add = op.action == "do"
        if op.outcome == Outcome.FAIL:
            if add:
                known.failed(op.value)
            return
        self._close(known)
        if op.outcome == Outcome.UNKNOWN:
            known.unknown(op.value, add=add)
        else:
            known.wrote(op.value, op.incarnation, op.sent_ns, op.done_ns, add=add)

    def _read(self, known: Elements, op: Op) -> bool:
        if op.lane == _FINAL:
            self._tally.final_done += op.outcome in ANSWERED
        if op.outcome not in ANSWERED:
            return False
        counts = counted(op)
        broken = self._sets.broken(known, op, counts)
        known.text = ""
        if broken:
            known.doubt = Doubt(op, broken, counted=known.countable)
            return True
        known.learn(counts, op)
        if op.outcome == Outcome.OK:
            known.text = op.seen
            if op.incarnation and op.incarnation != known.acker:
                known.other_ns = max(known.other_ns, op.sent_ns)
        return False

    def _confirm(self, known: Elements, op: Op) -> None:
        if known.doubt is not None and op.outcome in ANSWERED:
            known.doubt.add(op, counted(op))

    def _conclude(self, session: str, known: Elements) -> None:
        doubt, known.doubt = known.doubt, None
        if doubt is not None:
            self._doubts.conclude(session, known, doubt)

    # Operations that overlap.

    def _beside(self, session: str, known: Elements, op: OpFields, sent_ns: int, done_ns: int) -> None:
        """An operation of a session that does several things at a time. They are judged once all of them ended."""
        if known.burst is None or sent_ns < known.done_ns:
            if known.burst is None or sent_ns < known.judged_ns:
                self._reach(session, known, op, sent_ns)
            if known.burst is not None:
                known.burst.append(op)
        else:
            self._settle(session, known)
            if not known.torn:
                known.burst = [op]
        if done_ns > known.done_ns:
            known.done_ns = done_ns

    def _reach(self, session: str, known: Elements, op: OpFields, sent_ns: int) -> None:
        """Take back into the burst what was judged by itself, and had not ended when this operation was sent."""
        # A write may explain what was found to contradict beside it; another read can't.
        changes = op[3] != "see"
        judged = changes and self._doubts.withdraw(session, known.obj, sent_ns)
        taken = None if judged else known.undone(sent_ns)
        known.spent = True
        if taken is None:
            self._tear(session, known, "operations overlapped in time")
            return
        if changes:
            known.judged_ns = sent_ns
        elif known.burst is None:
            known.judged_ns = known.done_ns
        known.burst = [*(_again(op, one) for one in taken), *(known.burst or ())]

    def _settle(self, session: str, known: Elements) -> None:
        """Judge a burst that is over."""
        burst = known.burst
        if not burst:
            return
        known.burst = []
        # It ended when the last of it did, for whatever comes next was sent later.
        known.judged_ns = known.settled_ns = max(known.settled_ns, known.done_ns)
        if len(burst) == 1:
            self._judge(known, Op._make(burst[0]))
        elif len(burst) > MOST_IN_FLIGHT or not self._plain(known, burst):
            self._together(session, known, [Op._make(fields) for fields in burst])

    def _plain(self, known: Elements, burst: list[OpFields]) -> bool:
        found = plain(known, burst)
        if found is None:
            return False
        write, after = found
        if known.base is None and len(burst) > (write is not None):
            known.base = set()
        if write is not None:
            _, _, _, action, _, _, _, value, _, _, _, _, sent_ns, done_ns, _, _, _, who, _, _ = write
            self._close(known)
            known.wrote(value, who, sent_ns, done_ns, add=action == "do", after=after)
        known.spent = True
        return True

    def _together(self, session: str, known: Elements, burst: list[Op]) -> None:
        """Judge operations that overlapped."""
        if known.unknowns > MOST_UNKNOWN or in_flight(burst) > MOST_IN_FLIGHT:
            self._tear(session, known, "too much was in flight at once")
            return
        written = {op.value for op in burst if op.action != "see"}
        for value in written:
            self._sets.learn(session, value)
        moving = written | {value for value, one in (known.odd or {}).items() if one.adds or one.removes}
        reads = [op for op in burst if op.action == "see" and op.outcome in ANSWERED]
        for op in reads:
            broken = self._sets.broken(known, op, counted(op), moving)
            if broken:
                self._conclude(session, known)
                known.doubt = Doubt(op, broken, counted=False)
        state = tuple(sorted(known.item(value) for value in moving if known.judged(value)))
        told = [op for op in burst if op.action == "see" or known.judged(op.value)]
        ends = one_way(told, state)
        if ends is None:
            ends = outcomes(CartMachine(only={item[0] for item in state}), told, [state])
        for op in burst:
            if op.action != "see":
                self._write(known, op)
        known.end(ends or [state], moving, sure=bool(ends))
        if not ends:
            why = "no order of overlapping operations explains what was read"
            self._tally.inconclusive.append(f"{session}: {why} ({known.obj})")
        elif not known.odd and known.doubt is None:
            last = (op.seen for op in reversed(reads) if not self._sets.broken(known, op, counted(op)))
            known.text = next(last, "")

    def _tear(self, session: str, known: Elements, why: str) -> None:
        known.torn = True
        known.text, known.burst = "", None
        self._tally.inconclusive.append(f"{session}: {why} ({known.obj})")

    # Exposures.

    def _close(self, known: Elements) -> None:
        """A later write (or the session's end) comes."""
        if known.countable and known.other_ns >= 0:
            self._exposures.seal(known.acker, known.acked_ns, known.other_ns)

    def _pending(self, known: Elements) -> bool:
        death = self._exposures.deaths.get(known.acker) if known.countable else None
        return death is not None and not self._exposures.after(death, known.other_ns)

    def _note(self, name: str, count: int) -> None:
        if count:
            self._tally.outcomes[name] = self._tally.outcomes.get(name, 0) + count


def _again(op: OpFields, one: Recent) -> OpFields:
    """A write that was judged by itself, as an operation of the burst that `op` makes of it."""
    return Op._make(op)._replace(
        action="do" if one.add else "undo", value=one.value, outcome=Outcome.OK.value, seen="", incarnation=one.who,
        sent_ns=one.sent_ns, done_ns=one.done_ns, lane=Lane.USER.value,
    )  # fmt: skip
