"""Work that outlasts its acknowledgement: a job that was taken is done by its deadline, and its result stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chaoscheck.model.clock import NS
from chaoscheck.model.listed import listed
from chaoscheck.model.ops import Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import (
    KINDS,
    PAUSE_S,
    TRIES,
    Bench,
    Hand,
    Kind,
    Told,
    Words,
    acknowledged,
    answered,
    requests,
)
from chaoscheck.steps.calls import Done

READ_BACK = 8
"""Jobs that one turn looks at, at most: the rest is the next turn's, so that no turn takes for ever."""
FEW = 4
"""So many jobs a session submits at one a turn; then ever more slowly, for each is read again at the end."""
POLLS = 3
"""Looks at a job in the turn that submitted it; then it waits for a later turn."""
AGAIN_S = 0.4
"""What one instance missed is asked for again after so long: the time that tells a lag from a loss."""

_THERE = frozenset({Outcome.OK.value, Outcome.PENDING.value})
_TOLD = _THERE | {Outcome.GONE.value}
_OTHER = str.maketrans(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "5678901234defabcuvwxyzghijklmnopqrstDEFABCUVWXYZGHIJKLMNOPQRST",
)
_NUMBERS_APART = 1_000_003


@KINDS.add("job")
class JobKind(Kind):
    """An object is a submission, named by the value that it carried."""

    name: ClassVar[str] = "job"
    needs: ClassVar[frozenset[str]] = frozenset({"do", "see"})
    may_have: ClassVar[frozenset[str]] = frozenset({"ledger"})
    options: ClassVar[frozenset[str]] = frozenset({"deadline"})
    default_of: ClassVar[str] = "value"
    plain_pairs: ClassVar[bool] = False
    pends: ClassVar[bool] = True
    burst_share: ClassVar[float] = 0.25
    words: ClassVar[Words] = Words(
        one="job",
        many="jobs",
        lives="jobs, or their results, live in the memory (or on the disk) of the instance that took them",
        died="jobs, or their results, lived in the memory (or on the disk) of the instance that was killed",
        store="keep jobs and their results in a database or a shared queue before acknowledging them, so that any "
        "instance can run and show them",
        broken={
            "BACKWARDS": "shown as done, then as not done",
            "CHANGED": "shown with another result than before",
            "STUCK": "not done at the deadline",
            "DUPLICATE_RUN": "completed twice",
        },
        because={"STUCK": "the run died with its instance (or never began), and nobody took the job over"},
        fixes={
            "STUCK": "give a running job a lease in the shared queue that its runner renews: when the runner dies the "
            "lease runs out, and another instance takes the job over",
            "DUPLICATE_RUN": "let a runner claim a job in the shared store before it runs, and record the completion "
            "only while the claim is still its own, in one transaction",
            "CHANGED": "let the first completion win: record a result once, in the shared store, and show only that",
        },
    )

    @classmethod
    def check(cls, terms: Promise) -> str:
        if any(step.values is not None for step in terms.see):
            return "see of a job shows one result: write value instead of values"
        if terms.ledger and terms.ledger[-1].values is None:
            return 'ledger lists the completed runs of a job, so it needs values, such as "json:runs[*]"'
        return ""

    def requests_a_turn(self) -> float:
        return requests(self.terms.do) + 2 * requests(self.terms.see) + requests(self.terms.ledger)

    def patience_s(self) -> float:
        return 2 * self.terms.deadline_s

    def begin(self, hand: Hand) -> None:
        """Nothing was submitted yet."""

    def turn(self, hand: Hand) -> None:
        for obj in self._to_read(hand):
            if hand.alive():
                hand.see(obj, obj)
        self._audit(hand)
        if hand.alive() and len(hand.awaited()) < READ_BACK and hand.draw() * (1 + len(hand.certain()) / FEW) < 1:
            self._submit(hand)

    def end(self, hand: Hand) -> None:
        """What was done stays."""

    def object_of(self, session: str, value: str) -> str:
        return value

    # A turn.

    def _submit(self, hand: Hand) -> None:
        value = hand.new_value()
        if hand.do(value, value).op.outcome != Outcome.OK:
            return
        for _ in range(POLLS):
            if not hand.alive() or hand.see(value, value).op.outcome != Outcome.PENDING:
                return

    def _audit(self, hand: Hand) -> None:
        """Now and then: has a job that is done been completed once?"""
        if not self.terms.ledger or not hand.alive():
            return
        awaited = set(hand.awaited())
        done = [obj for obj in hand.certain() if obj not in awaited]
        if done:
            obj = done[int(hand.draw() * len(done))]
            hand.ledger(obj, obj)

    def _to_read(self, hand: Hand) -> list[str]:
        urgent = list(dict.fromkeys([*hand.exposed(), *hand.awaited()]))
        if urgent:
            return urgent[:READ_BACK]
        certain = hand.certain()
        return [certain[int(hand.draw() * len(certain))]] if certain else []

    # Controls.

    def control(self, bench: Bench, where: str) -> list[tuple[str, Told]]:
        """An id that nobody was given shows no job; a job that was taken becomes done within its deadline."""
        value = bench.new_value()
        done = acknowledged(bench, value, where)
        if done is None:
            refused = Told(holds=False, note="no submission was acknowledged", told=TRIES, missed=TRIES)
            return [("fail", self._unknown(bench, where, {})), ("hold", refused)]
        strange = {name: unlike(text) for name, text in done.taken.items()}
        failed = self._unknown(bench, where, strange)
        last = self._await_done(bench, value, where)
        holds = last.op.outcome == Outcome.OK
        note = f"{last.op.outcome} {last.op.status}: {last.op.seen or last.op.excerpt}".rstrip(": ")
        held = Told(holds=holds, note=note, obj=value, told=1, missed=int(not holds))
        return [("fail", failed), ("hold", self._lists(bench, value, where) if holds and self.terms.ledger else held)]

    def _unknown(self, bench: Bench, where: str, given: Mapping[str, str]) -> Told:
        value = bench.new_value()
        reads = answered(lambda: bench.see(value, where, given=given), bench)
        missed = sum(read.op.outcome not in _THERE for read in reads)
        note = f"{reads[-1].op.status}: {reads[-1].op.seen or reads[-1].op.excerpt}" if reads else "no answer"
        return Told(holds=missed < len(reads), note=note, obj=value, told=len(reads), missed=missed)

    def _lists(self, bench: Bench, value: str, where: str) -> Told:
        """A ledger that doesn't know the run of a job that is done would never show two."""
        note = ""
        for _ in range(TRIES):
            last = bench.ledger(value, where).op
            if last.outcome == Outcome.OK and listed(last.seen):
                return Told(holds=True, note="", obj=value, told=1)
            note = f"the ledger lists no run of a job that is done: {last.outcome} {last.excerpt or last.seen}"
            bench.wait(AGAIN_S)
        return Told(holds=False, note=note, obj=value, told=1, missed=1)

    def _await_done(self, bench: Bench, value: str, where: str) -> Done:
        """The first read that shows it done, or the last one before the deadline is over."""
        end_ns = bench.now_ns() + int(self.terms.deadline_s * NS)
        while True:
            done = bench.see(value, where)
            if done.op.outcome == Outcome.OK or bench.now_ns() >= end_ns:
                return done
            bench.wait(PAUSE_S)

    # The matrix.

    def pair(self, bench: Bench, writer: str, reader: str) -> Told | None:
        """Submitted on one, the other knows it at once, shows it done in time, and with the same result."""
        value = bench.new_value()
        if acknowledged(bench, value, writer) is None:
            return Told(holds=None, note="no submission was acknowledged", obj=value)
        known = self._known(bench, value, writer, reader)
        if known.holds is not True:
            return known
        last = self._await_done(bench, value, reader)
        if last.op.outcome != Outcome.OK:
            return self._never_done(bench, value, writer, last)
        if writer == reader:
            return self._known(bench, value, writer, reader, there=frozenset({Outcome.OK.value}))
        return self._same_result(bench, value, writer, known, last.op.seen)

    def _known(self, bench: Bench, value: str, writer: str, reader: str, *, there: frozenset[str] = _THERE) -> Told:
        reads = bench.see_at_once(value, reader) if writer == reader else [bench.see(value, reader, fresh=True)]
        told = [read.op for read in reads if read.op.outcome in _TOLD]
        missed = [op for op in told if op.outcome not in there]
        if not told:
            note = f"no answer told anything of it: {reads[-1].op.excerpt or reads[-1].op.outcome}"
            return Told(holds=None, note=note, obj=value)
        if not missed:
            return Told(holds=True, note="", obj=value, told=len(told))
        bench.wait(AGAIN_S)
        healed = bench.see(value, reader, fresh=True).op.outcome in there
        writer_has = bench.see(value, writer).op.outcome in _THERE
        note = (
            f"{len(missed)} of {len(told)} reads missed it; {'there later' if healed else 'still missing later'} on "
            f"{reader}; {writer} {'has it' if writer_has else 'has it no more either'}; {missed[0].excerpt}"
        )
        return Told(
            holds=False, note=note, obj=value, told=len(told), missed=len(missed), healed=healed, writer_has=writer_has
        )

    def _never_done(self, bench: Bench, value: str, writer: str, last: Done) -> Told:
        if last.op.outcome not in _TOLD:
            return Told(holds=None, note=f"no answer told whether it is done: {last.op.excerpt}", obj=value)
        writer_has = bench.see(value, writer).op.outcome == Outcome.OK
        note = f"{last.op.outcome} after {self.terms.deadline_s:g} s; done on {writer}: {'yes' if writer_has else 'no'}"
        anomaly = "STUCK" if last.op.outcome == Outcome.PENDING else ""
        return Told(holds=False, note=note, obj=value, told=1, missed=1, writer_has=writer_has, anomaly=anomaly)

    def _same_result(self, bench: Bench, value: str, writer: str, known: Told, seen: str) -> Told:
        end_ns = bench.now_ns() + int(self.terms.deadline_s * NS)
        again = bench.see(value, writer)
        while again.op.outcome == Outcome.PENDING and bench.now_ns() < end_ns:
            bench.wait(PAUSE_S)
            again = bench.see(value, writer)
        if again.op.outcome == Outcome.OK and again.op.seen != seen:
            note = f"{writer} shows {again.op.seen!r}, the other {seen!r}"
            return Told(holds=False, note=note, obj=value, told=1, missed=1, writer_has=True, anomaly="CHANGED")
        return known


def unlike(text: str) -> str:
    """An id of the same make that was given to nobody (a number far away, other letters and digits at the end)."""
    return str(int(text) + _NUMBERS_APART) if text.isdecimal() else text[:-12] + text[-12:].translate(_OTHER)
