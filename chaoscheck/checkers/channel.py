"""channel: an acknowledged message reaches who listened without a break, soon, in order, and nobody else.

What is certain of a session is its last whole circle: a message that one incarnation acknowledged, heard on a
subscription that one serves. A kill of either exposes it; the next whole circle, published after the death and without
the dead, shows that it outlived it. Nothing is owed while one isn't subscribed, nor to messages of unknown end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar, NamedTuple

from chaoscheck.checkers.base import CHECKERS, NEWEST, Anomaly, Death, Reread, Tally
from chaoscheck.checkers.exposures import Exposures
from chaoscheck.model.clock import NS
from chaoscheck.model.heard import Heard, read_heard
from chaoscheck.model.history import OpFields
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise
from chaoscheck.steps.listen import WITHIN_S

REMEMBERED = 1024
"""Messages of a session that are remembered; those before them were judged long ago."""
LOST, LATE, DEAF = "LOST_MESSAGE", "LATE_MESSAGE", "DEAF_INSTANCE"
REORDERED, PHANTOM, CROSS_SESSION = "REORDERED", "PHANTOM", "CROSS_SESSION"

_CONFIRM = Lane.CONFIRM.value
_TOLD = frozenset({Outcome.OK.value, Outcome.GONE.value})
_LISTENING = _TOLD | {Outcome.PENDING.value}


class Sent:
    """One message. `acked_ns` -1: nobody acknowledged it. `failed`: every attempt certainly came to nothing; `over`:
    nothing more is expected of it."""

    __slots__ = ("acked_ns", "acker", "failed", "heard_ns", "over", "sent_ns", "value")

    def __init__(self, value: str, sent_ns: int) -> None:
        self.value = value
        self.sent_ns = sent_ns
        self.acked_ns = -1
        self.acker = ""
        self.failed = True
        self.heard_ns = -1
        self.over = False

    @property
    def heard(self) -> bool:
        return self.heard_ns >= 0


class Circle(NamedTuple):
    """A message that was acknowledged and heard: by whom, and on whose subscription."""

    acker: str
    server: str
    acked_ns: int

    @property
    def parties(self) -> set[str]:
        return {self.acker, self.server} - {""}


class Doubt:
    """What contradicts the promise, and what was asked since."""

    __slots__ = ("before", "cells", "message", "name", "probes", "read", "rereads", "seen")

    def __init__(self, name: str, read: Op, message: Sent | None, before: Circle | None, seen: str) -> None:
        self.name = name
        self.read = read
        self.message = message
        self.before = before
        self.seen = seen
        self.rereads: list[Reread] = []
        self.probes: dict[str, str] = {}
        self.cells: dict[tuple[str, str], list[Reread]] = {}


class Talk:
    """All there is to know of one session."""

    __slots__ = ("circle", "doubt", "latest", "named", "obj", "sent", "since_ns", "waiting")

    def __init__(self, obj: str) -> None:
        self.obj = obj
        self.sent: dict[str, Sent] = {}
        self.waiting: list[Sent] = []
        self.circle: Circle | None = None
        self.doubt: Doubt | None = None
        self.since_ns = -1
        self.latest: Sent | None = None
        self.named: set[str] = set()


@CHECKERS.add("channel")
class ChannelChecker:
    """LOST_MESSAGE, LATE_MESSAGE, DEAF_INSTANCE, REORDERED, PHANTOM, CROSS_SESSION."""

    kind: ClassVar[str] = "channel"

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        self.promise = promise
        within_s = terms.within if terms is not None else None
        self._within_ns = int((WITHIN_S if within_s is None else within_s) * NS)
        self._private = terms is None or terms.of in (None, "session")
        self._talks: dict[str, Talk] = {}
        self._tally = Tally()
        self._exposures = Exposures(self._tally)
        self._delivered: dict[str, deque[int]] = {}
        self._concluded: list[tuple[str, Doubt]] = []

    # The protocol.

    def died(self, death: Death) -> None:
        self._exposures.died(death)

    def feed(self, op: Op) -> bool:
        if not op.judged:
            return False
        talk = self._talks.get(op.session)
        if talk is None:
            talk = self._talks[op.session] = Talk(op.obj)
        if op.lane == _CONFIRM:
            self._confirm(talk, op)
            return False
        self._conclude(op.session, talk)
        name = f"{op.action}/{op.outcome}"
        self._tally.outcomes[name] = self._tally.outcomes.get(name, 0) + 1
        if op.action != "see":
            _publish(talk, op)
            return False
        talk.doubt = self._listened(talk, op)
        return talk.doubt is not None

    def fold(self, ops: Iterable[OpFields]) -> None:
        for fields in ops:
            self.feed(Op._make(fields))

    def healed(self, session: str, obj: str) -> bool:
        doubt = self._talks[session].doubt if session in self._talks else None
        return doubt is None or any(again.agrees for again in doubt.rereads)

    def certain(self, session: str) -> list[str]:
        """Nothing stays to be read: a message is heard once, or never."""
        return []

    def value_of(self, session: str, obj: str) -> str:
        """The newest acknowledged message that is still to be listened for."""
        talk = self._talks.get(session)
        waiting = _awaited(talk) if talk is not None else []
        return waiting[-1].value if waiting else ""

    def exposed(self, session: str) -> list[str]:
        talk = self._talks.get(session)
        return [talk.obj] if talk is not None and any(True for _ in self._pending(talk)) else []

    def forget(self, session: str) -> None:
        talk = self._talks.pop(session, None)
        if talk is not None:
            self._conclude(session, talk)

    def tally(self) -> Tally:
        seen = Tally()
        seen.merge(self._tally)
        open_ = [(session, talk.doubt) for session, talk in self._talks.items() if talk.doubt is not None]
        doubts = [(self._anomaly(session, doubt), doubt) for session, doubt in (*self._concluded, *open_)]
        for talk in self._talks.values():
            for death in self._pending(talk):
                seen.pending[death.strike] = seen.pending.get(death.strike, 0) + 1
        seen.anomalies = _named([anomaly for anomaly, _ in doubts])
        for anomaly, doubt in doubts:
            for strike in self._lost(doubt) if anomaly.confirmed else ():
                seen.lost[strike] = seen.lost.get(strike, 0) + 1
        dead = self._exposures.deaths.keys() & self._delivered.keys()
        seen.kept_after = {victim: sorted(self._delivered[victim]) for victim in sorted(dead)}
        return seen

    # One time of listening.

    def _listened(self, talk: Talk, op: Op) -> Doubt | None:
        told = read_heard(op.seen)
        about = talk.sent.get(op.value)
        if told is None:
            _give_up(talk, op)
            return None
        if told.since_ns >= 0 and told.since_ns != talk.since_ns:
            talk.since_ns, talk.latest = told.since_ns, None
        odd = self._values(talk, op, told)
        missing = self._missing(talk, op, told)
        whole = _whole(talk, op, told)
        if whole is not None and (missing is None or whole.sent_ns < missing.sent_ns):
            self._round(talk, op, whole)
        if about is not None:
            about.over = True
        if op.outcome == Outcome.DROPPED:
            _give_up(talk, op)
        if missing is None or odd is not None:
            return odd
        before, talk.circle = talk.circle, None
        return Doubt(LOST, op, missing, before, f"{len(told.values)} other messages")

    def _values(self, talk: Talk, op: Op, told: Heard) -> Doubt | None:
        """Each value in its order: whose is it, was it sent, may it come now? The first that is odd."""
        odd: Doubt | None = None
        for value in told.values:
            sent = talk.sent.get(value)
            name = self._stranger(op, value) if sent is None else _wrong(talk, sent, told)
            if sent is not None and not sent.heard:
                self._deliver(sent, op)
            if name and name not in talk.named and odd is None:
                talk.named.add(name)
                latest = talk.latest.value if name == REORDERED and talk.latest is not None else ""
                odd = Doubt(name, op, sent, talk.circle, f"{value} after {latest}" if latest else value)
            if sent is not None and told.since_ns >= 0 and sent.sent_ns >= told.since_ns:
                talk.latest = sent if talk.latest is None or sent.sent_ns > talk.latest.sent_ns else talk.latest
        return odd

    def _stranger(self, op: Op, value: str) -> str:
        """Another session's message, where they are private. One's own that isn't known was some other promise's."""
        own = f".{op.session}."
        return CROSS_SESSION if self._private and own not in value else ""

    def _missing(self, talk: Talk, op: Op, told: Heard) -> Sent | None:
        """The oldest message that is overdue; all that are overdue by now count as that one."""
        if told.since_ns < 0 or op.outcome not in _LISTENING:
            return None
        overdue = [
            one
            for one in _awaited(talk)
            if one.sent_ns >= told.since_ns and one.acked_ns + self._within_ns <= op.done_ns
        ]
        for one in _awaited(talk):
            one.over = one.over or one in overdue or one.sent_ns < told.since_ns
        return overdue[0] if overdue else None

    def _round(self, talk: Talk, op: Op, newest: Sent) -> None:
        """What made the whole way is certain from now on, and shows that the circle before it outlived its dead."""
        made = Circle(newest.acker, op.incarnation, newest.acked_ns)
        if talk.circle is not None:
            for party in sorted(talk.circle.parties - made.parties):
                self._exposures.seal(party, talk.circle.acked_ns, newest.sent_ns)
        talk.circle = made

    def _deliver(self, sent: Sent, op: Op) -> None:
        sent.heard_ns = op.done_ns
        if sent.acked_ns >= 0 and sent.acker:
            self._delivered.setdefault(sent.acker, deque(maxlen=NEWEST)).append(sent.acked_ns)

    def _confirm(self, talk: Talk, op: Op) -> None:
        """One more listening on the session's own subscription, or a message of the mesh that is asked in its stead."""
        doubt = talk.doubt
        if doubt is None:
            return
        if op.action != "see":
            if op.outcome == Outcome.OK:
                doubt.probes[op.value] = op.via
        elif op.value in doubt.probes:
            again = Reread(op.via, op.outcome, "", op.done_ns, op.outcome == Outcome.OK)
            if op.outcome in _TOLD:
                doubt.cells.setdefault((doubt.probes[op.value], op.via), []).append(again)
        elif op.value == doubt.read.value and (told := read_heard(op.seen)) is not None:
            for value in told.values:
                if value in talk.sent and not talk.sent[value].heard:
                    self._deliver(talk.sent[value], op)
            came = doubt.message is not None and doubt.message.value in told.values
            if op.outcome in _TOLD and doubt.name == LOST:
                doubt.rereads.append(Reread(op.via, op.outcome, "", op.done_ns, came))

    # Conclusions.

    def _conclude(self, session: str, talk: Talk) -> None:
        if talk.doubt is not None:
            self._concluded.append((session, talk.doubt))
            talk.doubt = None

    def _anomaly(self, session: str, doubt: Doubt) -> Anomaly:
        message = doubt.message
        name, acker, confirms = doubt.name, message.acker if message else "", list(doubt.rereads)
        cause: Cause | None = None
        at_once = name != LOST
        healed_ns = message.heard_ns if message is not None and not at_once else -1
        deaf = None if at_once else _deaf(doubt)
        if deaf is not None:
            name, healed_ns, cause = DEAF, -1, Cause.ONE_INSTANCE
            acker, confirms = deaf
        elif healed_ns >= 0:
            name = LATE
        elif not at_once and message is not None:
            cause = self._not_by_death(message, doubt.read)
        return Anomaly(
            name=name,
            promise=self.promise,
            session=session,
            obj=doubt.read.obj,
            value=message.value if message is not None and not at_once else "",
            seen=doubt.seen,
            critical=name == CROSS_SESSION,
            # Whatever comes at last was late, whether or not anybody asked again.
            confirmed=at_once or bool(confirms) or healed_ns >= 0,
            acker=acker,
            acked_ns=message.acked_ns if message is not None else -1,
            read=doubt.read,
            healed_ns=healed_ns,
            confirms=tuple(confirms),
            guarantee="" if at_once else "read-your-writes",
            cause=cause,
        )

    def _not_by_death(self, message: Sent, read: Op) -> Cause | None:
        """Whoever acknowledged it died only after it was overdue: that can't have lost it."""
        death = self._exposures.deaths.get(message.acker)
        late = death is not None and death.death_ns - death.error_ns > read.done_ns
        return Cause.BACKGROUND if late else None

    def _pending(self, talk: Talk) -> Iterator[Death]:
        """Deaths of those who made the last circle whole; there is none since."""
        for party in talk.circle.parties if talk.circle is not None else ():
            death = self._exposures.deaths.get(party)
            if death is not None:
                yield death

    def _lost(self, doubt: Doubt) -> set[int]:
        """Strikes whose exposure was read back as a loss."""
        message, deaths = doubt.message, self._exposures.deaths
        if message is None or doubt.name != LOST:
            return set()
        before = doubt.before.parties if doubt.before is not None else set()
        exposed = {
            deaths[party].strike
            for party in before
            if party in deaths and Exposures.after(deaths[party], message.sent_ns)
        }
        return exposed | ({deaths[message.acker].strike} if message.acker in deaths else set())


def _named(anomalies: list[Anomaly]) -> list[Anomaly]:
    """What nobody re-asked has the name of what was: lost between two instances where instances are deaf."""
    deaf = any(one.name == DEAF for one in anomalies)
    return [
        replace(one, name=DEAF, cause=Cause.ONE_INSTANCE)
        if one.name == LOST and not one.confirmed and deaf and one.acker != one.read.incarnation
        else one
        for one in anomalies
    ]


def _publish(talk: Talk, op: Op) -> None:
    sent = talk.sent.get(op.value)
    if sent is None:
        sent = talk.sent[op.value] = Sent(op.value, op.sent_ns)
        if len(talk.sent) > REMEMBERED:
            del talk.sent[next(iter(talk.sent))]
    if op.outcome == Outcome.OK and sent.acked_ns < 0:
        sent.acked_ns, sent.acker = op.done_ns, op.incarnation
        talk.waiting.append(sent)
    sent.failed = sent.failed and op.outcome == Outcome.FAIL


def _awaited(talk: Talk) -> list[Sent]:
    """Acknowledged, not heard, and not yet given up; oldest first."""
    talk.waiting = [one for one in talk.waiting if not one.heard and not one.over]
    return talk.waiting


def _give_up(talk: Talk, op: Op) -> None:
    """The subscription is no more: what was under way may be lost without breaking anything."""
    for one in _awaited(talk):
        one.over = one.over or one.sent_ns <= op.done_ns


def _whole(talk: Talk, op: Op, told: Heard) -> Sent | None:
    """The newest message that made the whole way, on a subscription whose server is known."""
    known = [talk.sent[value] for value in told.values if value in talk.sent]
    whole = [one for one in known if one.acked_ns >= 0 and one.acker]
    if not whole or not op.incarnation or op.outcome not in _TOLD:
        return None
    return max(whole, key=lambda one: one.sent_ns)


def _wrong(talk: Talk, sent: Sent, told: Heard) -> str:
    """What is wrong with hearing this message now."""
    if sent.failed:
        return PHANTOM
    latest = talk.latest
    late = latest is not None and sent.acked_ns >= 0 and sent.acked_ns < latest.sent_ns
    return REORDERED if late and not sent.heard and 0 <= told.since_ns <= sent.sent_ns else ""


def _deaf(doubt: Doubt) -> tuple[str, list[Reread]] | None:
    """Who was heard on itself and never elsewhere, and the words that show it; the acknowledger first."""
    acker = doubt.message.acker if doubt.message is not None else ""
    for publisher in sorted({one for one, _ in doubt.cells}, key=lambda one: (one != acker, one)):
        home = [again for again in doubt.cells.get((publisher, publisher), ()) if again.agrees]
        missed = [
            words[-1]
            for (one, other), words in sorted(doubt.cells.items())
            if one == publisher and other != publisher and not any(again.agrees for again in words)
        ]
        if home and missed:
            return publisher, [home[-1], *missed]
    return None
