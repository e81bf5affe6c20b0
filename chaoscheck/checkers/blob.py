"""blob: an upload that was acknowledged is there, whole and the user's own; one of unknown end is whole or absent.

`steps/blob.py` tells what a read shows: the value that the body is a whole version of, "torn:..." or "foreign:...".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS, Anomaly, Death, Tally
from chaoscheck.checkers.register import RegisterChecker
from chaoscheck.checkers.states import ANSWERED, State, Suspicion
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise
from chaoscheck.steps.blob import FOREIGN, TORN, is_empty, values_in
from chaoscheck.steps.render import names_needed, names_taken

ALL_OR_NOTHING = "all-or-nothing"
WRONG_FILE = "WRONG_FILE"
_TORN, _HALF, _NONE = "TORN", "half", "none"
"""Of a doubt: a certain upload that isn't whole; one of unknown end that isn't; and, of an anomaly, that it is none."""

CUT_NS = NS // 2
"""An answer without a length that its instance's death cut off, up to so long before, looks like a torn file."""


@dataclass(slots=True)
class _Unknown:
    """An upload of unknown end: when it was sent, who had it if that is known, and when it was last asked for."""

    value: str
    sent_ns: int
    who: str
    read_ns: int = -1


@CHECKERS.add("blob")
class BlobChecker(RegisterChecker):
    """LOST, FLICKER or STALE, TORN, WRONG_FILE, CROSS_SESSION, PHANTOM.

    `of: value`: each upload is an object of its own, named by its value; else one object, which uploads replace.
    """

    kind: ClassVar[str] = "blob"

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        super().__init__(promise, terms)
        self._each = terms is None or terms.of in (None, "value")
        if self._each:
            self.healed_name = "FLICKER"
        # A file whose address only the lost answer knew can't be asked for.
        late = names_taken(terms.do[-1:]) if terms is not None else frozenset()
        wanted = frozenset[str]().union(*(names_needed(step) for step in terms.see)) if terms is not None else late
        self._addressable = not late & wanted
        self._unknown: dict[str, dict[str, _Unknown]] = {}

    # The protocol.

    def certain(self, session: str) -> list[str]:
        """Those of unknown end too, for only reading them shows whether they are torn."""
        known = super().certain(session)
        return known + [obj for obj, _ in self._undecided(session) if obj not in known]

    def exposed(self, session: str) -> list[str]:
        """Those too that were under way when an instance died."""
        known = super().exposed(session)
        for obj, upload in self._undecided(session):
            if obj not in known and any(_after(death) > upload.read_ns for death in self._killers(upload)):
                known.append(obj)
        return known

    def value_of(self, session: str, obj: str) -> str:
        return super().value_of(session, obj) or (obj if self._each else "")

    def forget(self, session: str) -> None:
        super().forget(session)
        self._unknown.pop(session, None)

    def tally(self) -> Tally:
        seen = super().tally()
        seen.anomalies = [anomaly for anomaly in seen.anomalies if anomaly.name != _NONE]
        return seen

    # Writes.

    def _write(self, state: State, op: Op) -> None:
        super()._write(state, op)
        if op.action != "do" or op.outcome == Outcome.FAIL:
            return
        if op.outcome == Outcome.OK:
            self._unknown.get(op.session, {}).pop(op.obj, None)
        elif self._addressable:
            self._unknown.setdefault(op.session, {})[op.obj] = _Unknown(op.value, op.sent_ns, op.incarnation)
        else:
            # It may have replaced the file whose address is known by one whose address isn't.
            state.uncertain()

    # Reads.

    def _contradiction(self, state: State, op: Op) -> str:
        upload = self._unknown.get(op.session, {}).get(op.obj) if self._unknown else None
        if upload is not None and op.outcome in ANSWERED:
            upload.read_ns = max(upload.read_ns, op.sent_ns)
        seen = op.seen if op.outcome == Outcome.OK else ""
        if not seen.startswith((TORN, FOREIGN)):
            return super()._contradiction(state, op)
        if seen == state.base:
            return self._absent(state)
        if seen.startswith(FOREIGN):
            return self._something(state, seen)
        return "" if state.rebased else self._torn(state, op)

    @staticmethod
    def _something(state: State, seen: str) -> str:
        """A body that isn't ours: a default picture, or a page that says in words that nothing is there."""
        if state.floor is None and state.base is None:
            state.base = seen
        return "" if state.floor is None else "LOST"

    def _torn(self, state: State, op: Op) -> str:
        if state.floor is None and (is_empty(op.seen) or not state.wrote):
            # Nothing was to be expected yet, and an empty answer may be how the service says so.
            state.base = op.seen if state.base is None and not state.wrote else state.base
            return ""
        values = values_in(op.seen)
        if any(self._whose(value) not in ("", op.session) for value in values):
            return "CROSS_SESSION"
        if state.dead and not state.dead.isdisjoint(values):
            return "ABORTED_READ"
        if state.maybe:
            return _HALF
        return _TORN if state.floor is not None else ""

    def _other(self, state: State, op: Op) -> str:
        if not self._each:
            return super()._other(state, op)
        if state.rebased or (state.floor is None and not state.maybe):
            return ""
        whose = self._whose(op.seen)
        return "PHANTOM" if not whose else WRONG_FILE if whose == op.session else "CROSS_SESSION"

    def _whose(self, value: str) -> str:
        """The session of this run that a value is of; "" for none."""
        run = self._prefix()
        if not run or not value.startswith(run):
            return ""
        whose, _, seq = value[len(run) :].rpartition(".")
        return whose if seq.isdecimal() else ""

    # Conclusions.

    def _conclude(self, session: str, obj: str, state: State) -> None:
        doubt = state.suspicion
        if doubt is not None and self._anomaly(session, obj, doubt).name == _NONE:
            state.suspicion = None
            return
        super()._conclude(session, obj, state)

    def _anomaly(self, session: str, obj: str, doubt: Suspicion) -> Anomaly:
        found = super()._anomaly(session, obj, doubt)
        if doubt.name == _HALF:
            return self._half(session, obj, doubt, found)
        if doubt.name == _TORN and found.healed_ns >= 0 and self._cut_off(doubt.read):
            return replace(found, name=_NONE, guarantee="")
        if found.healed_ns < 0 and doubt.name in (_TORN, WRONG_FILE):
            return replace(found, name=doubt.name)
        return found

    def _half(self, session: str, obj: str, doubt: Suspicion, found: Anomaly) -> Anomaly:
        """Of an upload that nobody acknowledged a part is there. One that became whole after all was only slow."""
        if found.healed_ns >= 0:
            return replace(found, name=_NONE, guarantee="")
        upload = self._unknown.get(session, {}).get(obj)
        deaths = sorted(self._killers(upload), key=_after) if upload is not None else []
        blamed = next((death for death in deaths if death.death_ns - death.error_ns <= doubt.read.done_ns), None)
        return replace(
            found,
            name=_TORN,
            value=upload.value if upload is not None else doubt.value,
            acker=blamed.incarnation if blamed is not None else upload.who if upload is not None else "",
            acked_ns=-1,
            guarantee=ALL_OR_NOTHING,
            cause=Cause.MID_WRITE if blamed is not None else None,
        )

    def _cut_off(self, read: Op) -> bool:
        death = self._exposures.deaths.get(read.incarnation)
        return death is not None and read.sent_ns <= _after(death) and death.death_ns - CUT_NS <= read.done_ns

    def _undecided(self, session: str) -> Iterator[tuple[str, _Unknown]]:
        """Uploads that may still be there or not, oldest first."""
        uploads = self._unknown.get(session)
        if not uploads:
            return
        states = self._objects(session)
        for obj, upload in sorted(uploads.items(), key=lambda item: item[1].sent_ns):
            state = states.get(obj)
            if state is not None and state.maybe and state.calm and not state.rebased:
                yield obj, upload

    def _killers(self, upload: _Unknown) -> list[Death]:
        """Deaths that it may have been under way at."""
        if upload.who:
            death = self._exposures.deaths.get(upload.who)
            return [death] if death is not None else []
        return [death for death in self._exposures.deaths.values() if _after(death) >= upload.sent_ns]


def _after(death: Death) -> int:
    return death.death_ns + death.error_ns
