"""Live messages: whoever is subscribed, on whichever instance, hears what any instance acknowledged."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.model.ops import Op, Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import KINDS, Asking, Bench, Hand, Kind, Told, Words
from chaoscheck.steps.base import EVENTS, WEBSOCKET
from chaoscheck.steps.calls import Done
from chaoscheck.steps.listen import WITHIN_S

OWN = "own"
TRIES = 5
PAUSE_S = 0.05
CIRCLES = 3
"""So often a session publishes at its start until it hears itself."""
IN_A_ROW = 0.25
"""Share of turns that publish twice before they listen: only then can the order be wrong."""
LISTENERS = 4
"""Subscriptions at a time on one instance's own pair: its worker processes share the connections."""
ROUNDS = 3
"""Messages of a pair that missed one: always missed is deaf, now and then is lossy."""

_OPEN = frozenset({Outcome.OK.value, Outcome.PENDING.value, Outcome.GONE.value})
_TOLD = frozenset({Outcome.OK.value, Outcome.GONE.value})


@KINDS.add("channel")
class ChannelKind(Kind):
    """One object a session: its subscription, on which it hears what it publishes itself."""

    name: ClassVar[str] = "channel"
    needs: ClassVar[frozenset[str]] = frozenset({"do", "see"})
    may_have: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[frozenset[str]] = frozenset({"within"})
    default_of: ClassVar[str] = "session"
    plain_pairs: ClassVar[bool] = False
    final_reads: ClassVar[bool] = False
    streams: ClassVar[bool] = True
    words: ClassVar[Words] = Words(
        one="message",
        many="messages",
        lives="subscribers are known only to the memory of the instance that they are connected to",
        died="messages waited in the memory of the instance that was killed",
        store="publish through something that all instances share (Redis pub/sub or streams, LISTEN/NOTIFY of the "
        "database, a message broker), to which each instance subscribes for its own connections, and acknowledge a "
        "message only once it is there",
        broken={
            "LOST_MESSAGE": "acknowledged and never heard",
            "LATE_MESSAGE": "heard too late",
            "DEAF_INSTANCE": "acknowledged on one instance and never heard by subscribers of another",
            "REORDERED": "heard in another order than they were sent in",
            "PHANTOM": "heard although sending them had failed",
            "CROSS_SESSION": "heard by another user",
        },
        fixes={
            "CROSS_SESSION": "choose the connections that get a message by the user whom they authenticated as, at "
            "each delivery, never by an index or a global that another connection may have taken over",
            "REORDERED": "give one publisher's messages one way: one stream or partition by user, one consumer that "
            "hands them on in its order",
            "PHANTOM": "send nothing before it is certain: publish after the transaction is committed",
        },
    )

    @classmethod
    def check(cls, terms: Promise) -> str:
        *before, last = terms.see
        if last.method not in (WEBSOCKET, EVENTS) or any(step.method in (WEBSOCKET, EVENTS) for step in before):
            return "see of a channel ends with the stream that it listens to: {websocket: /ws} or {events: /events}"
        if last.value is None or last.values is not None:
            return 'see of a channel says where a message has its value: value: "json:text"'
        if last.expect is not None and (last.expect.statuses or last.expect.header):
            return "expect of a stream is the message that says one is subscribed: expect: {text: ready}"
        if last.refused is not None or last.gone is not None or last.take:
            return "a stream has no refused, gone or take"
        return ""

    def shows(self, seen: str, value: str) -> bool:
        return f'"{value}"' in seen

    def patience_s(self) -> float:
        """A turn may miss a message, and have it confirmed."""
        return 4 * (WITHIN_S if self.terms.within is None else self.terms.within)

    def begin(self, hand: Hand) -> None:
        """Subscribe, and hear oneself once."""
        for _ in range(CIRCLES):
            if not hand.alive() or self._circle(hand, 1):
                return

    def turn(self, hand: Hand) -> None:
        self._circle(hand, 2 if hand.draw() < IN_A_ROW else 1)

    def read_back(self, hand: Hand, obj: str) -> None:
        self._circle(hand, 1)

    def end(self, hand: Hand) -> None:
        """Whoever ends the session closes its streams."""

    def object_of(self, session: str, value: str) -> str:
        return OWN

    def _circle(self, hand: Hand, messages: int) -> bool:
        """Be subscribed, publish, hear the last one. Listening tells of what came before as well."""
        if not self._subscribed(hand):
            return False
        value, done = "", None
        for _ in range(messages):
            if not hand.alive():
                return False
            value = hand.new_value()
            done = hand.do(OWN, value)
        if done is None or done.op.outcome != Outcome.OK or not done.reached:
            return False
        return hand.see(OWN, value).op.outcome == Outcome.OK

    @staticmethod
    def _subscribed(hand: Hand) -> bool:
        """Also hears what was published and not listened for; a stream that is found to have ended is opened anew."""
        return any(hand.alive() and hand.see(OWN, "").op.outcome in _OPEN for _ in range(2))

    # Controls.

    def control(self, bench: Bench, where: str) -> list[tuple[str, Told]]:
        """A value that nobody published must not be heard, a published one must."""
        ear = bench.elsewhere()
        try:
            return self._control(bench, ear, where)
        finally:
            ear.hang_up()

    def _control(self, bench: Bench, ear: Asking, where: str) -> list[tuple[str, Told]]:
        opened = _opened(ear, where)
        if opened.op.outcome not in _OPEN:
            note = opened.op.excerpt or opened.op.error
            return [
                ("fail", Told(holds=False, note=note, told=1, missed=1)),
                ("hold", Told(holds=False, note=note, told=1, missed=1)),
            ]
        never = bench.new_value()
        heard, asked = 0, []
        for _ in range(TRIES):
            value = bench.new_value()
            if not _acked(bench.do(value, where)):
                bench.wait(PAUSE_S)
                continue
            asked.append(ear.see(value, where))
            heard += asked[-1].op.outcome == Outcome.OK
            if heard == 2:
                break
        stray = sum(self.shows(done.op.seen, never) for done in [*asked, ear.see(never, where)])
        note = next((done.op.excerpt for done in asked if done.op.excerpt), "")
        # Echoes that came before one was known to be subscribed are owed to nobody.
        told = [done for done in asked if done.op.outcome != Outcome.PENDING] if heard else asked
        note = note or ("" if heard else "no message came back: not one echo of what was published")
        missed = len(told) - heard
        return [
            ("fail", Told(holds=stray > 0, note="", told=1 + len(asked), missed=1 + len(asked) - stray)),
            ("hold", Told(holds=missed == 0, note=note, told=len(told) or 1, missed=missed if told else 1)),
        ]

    # The matrix.

    def pair(self, bench: Bench, writer: str, reader: str) -> Told | None:
        """Published on one, heard on the other; whoever isn't, is it heard on the first?"""
        at_reader = LISTENERS if writer == reader else 1
        ears: list[tuple[str, Asking]] = [(reader, bench.elsewhere()) for _ in range(at_reader)]
        ears += [(writer, bench.elsewhere())] if writer != reader else []
        try:
            return self._pair(bench, writer, reader, ears)
        finally:
            for _, ear in ears:
                ear.hang_up()

    def _pair(self, bench: Bench, writer: str, reader: str, ears: list[tuple[str, Asking]]) -> Told:
        subscribed = {index: self._ready(bench, ear, on) for index, (on, ear) in enumerate(ears)}
        refused = next((why for index, why in subscribed.items() if why and ears[index][0] == reader), "")
        at_writer = [ear for index, (on, ear) in enumerate(ears) if on == writer and not subscribed[index]]
        if refused:
            deaf = bool(at_writer) and writer != reader
            return Told(
                holds=False if deaf else None,
                note=f"no subscription on {reader}: {refused}",
                obj=OWN,
                told=int(deaf),
                missed=int(deaf),
                writer_has=deaf,
                anomaly="DEAF_INSTANCE" if deaf else "",
            )
        readers = [ear for on, ear in ears if on == reader]
        return self._rounds(bench, writer, reader, readers, at_writer if writer != reader else [])

    def _rounds(self, bench: Bench, writer: str, reader: str, readers: list[Asking], at_writer: list[Asking]) -> Told:
        told: list[Op] = []
        home = 0
        for _ in range(ROUNDS):
            value = bench.new_value()
            if not _acked(bench.do(value, writer)):
                bench.wait(PAUSE_S)
                continue
            told += [op for ear in readers if (op := ear.see(value, reader).op).outcome in _TOLD]
            home += sum(ear.see(value, writer).op.outcome == Outcome.OK for ear in at_writer)
            if told and all(op.outcome == Outcome.OK for op in told):
                return Told(holds=True, note="", obj=OWN, told=len(told))
        if not told:
            return Told(holds=None, note="no message was acknowledged, or no subscription lasted", obj=OWN)
        missed = sum(op.outcome == Outcome.GONE for op in told)
        deaf = missed == len(told) and (home > 0 or writer == reader)
        some = 0 < missed < len(told) and writer == reader
        note = f"{missed} of {len(told)} messages published on {writer} were not heard on {reader}"
        note += f", while {writer} heard {home}" if writer != reader else ""
        return Told(
            holds=missed == 0,
            note=note,
            obj=OWN,
            told=len(told),
            missed=missed,
            writer_has=(deaf and writer != reader) or some,
            anomaly=("DEAF_INSTANCE" if deaf and writer != reader else "LOST_MESSAGE") if missed else "",
        )

    def _ready(self, bench: Asking, ear: Asking, on: str) -> str:
        """Why that ear isn't subscribed; "" when it is."""
        opened = _opened(ear, on)
        if opened.op.outcome not in _OPEN:
            return opened.op.error or opened.op.outcome
        if self.terms.see[-1].expect is not None:
            return ""
        for _ in range(TRIES):
            value = bench.new_value()
            if _acked(bench.do(value, on)) and ear.see(value, on).op.outcome == Outcome.OK:
                return ""
        return f"it never heard what was published on {on} itself"

    # Confirming.

    def confirm(self, bench: Asking, read: Op, instances: list[str]) -> None:
        """Does it come late? And who hears whom now, on fresh subscriptions: that tells deaf from lost."""
        bench.see(read.value, "")
        ears = {name: bench.elsewhere() for name in instances}
        try:
            self._mesh(bench, {name: ear for name, ear in ears.items() if not self._ready(bench, ear, name)})
        finally:
            for ear in ears.values():
                ear.hang_up()

    @staticmethod
    def _mesh(bench: Asking, ears: dict[str, Asking]) -> None:
        """All publish, then all listen: so the waiting for what doesn't come is one for all."""
        values = [value for name in ears if _acked(bench.do(value := bench.new_value(), name))]
        for value in values:
            for name, ear in ears.items():
                ear.see(value, name)


def _opened(ear: Asking, on: str) -> Done:
    done = ear.see("", on)
    for _ in range(TRIES - 1):
        if done.op.outcome != Outcome.DROPPED:
            break
        ear.wait(PAUSE_S)
        done = ear.see("", on)
    return done


def _acked(done: Done) -> bool:
    return done.reached and done.op.outcome == Outcome.OK
