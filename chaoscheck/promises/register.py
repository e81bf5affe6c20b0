"""One value that each write replaces: what was written last is what is read."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.model.ops import Outcome
from chaoscheck.promises.base import KINDS, Bench, Hand, Kind, Told, Words

OWN = "own"
SETTLE_S = (0.02, 0.1, 0.3)
"""Pauses of the matrix before an older version is called one that stays."""


@KINDS.add("register")
class RegisterKind(Kind):
    """One object a session, which only that session writes."""

    name: ClassVar[str] = "register"
    needs: ClassVar[frozenset[str]] = frozenset({"do", "see"})
    default_of: ClassVar[str] = "session"
    words: ClassVar[Words] = Words(
        one="value",
        many="values",
        lives="values live in the memory (or on the disk) of the instance that took them",
        died="values lived in the memory (or on the disk) of the instance that was killed",
        store="write users' data to a database or an external session store before acknowledging it",
        broken={"STALE": "shown in an older version"},
        because={"STALE": "an instance goes on showing a copy of its own after another one has replaced the value"},
        fixes={
            "STALE": "answer reads from the shared store, or tell every instance's cache of each write before "
            "acknowledging it"
        },
    )

    def shows(self, seen: str, value: str) -> bool:
        return seen == value

    def begin(self, hand: Hand) -> None:
        """Nothing: the first turn's read is the base."""

    def turn(self, hand: Hand) -> None:
        hand.see(OWN, "")
        if hand.alive():
            hand.do(OWN, hand.new_value())

    def end(self, hand: Hand) -> None:
        """The value stays."""

    def object_of(self, session: str, value: str) -> str:
        return OWN

    def pair(self, bench: Bench, writer: str, reader: str) -> Told | None:
        """Seen on one, then replaced on the other: a copy that the first one keeps must not be shown any more."""
        before = bench.see("", reader, fresh=True).op
        if before.outcome != Outcome.OK or f".{bench.session}." not in before.seen:
            # Nothing of ours was there to be kept; why it wasn't is another pair's finding.
            return None
        value = bench.new_value()
        if bench.do(value, writer).op.outcome != Outcome.OK:
            return Told(holds=None, note="the write was not acknowledged", obj=OWN)
        read = bench.see(value, reader, fresh=True).op
        if read.outcome != Outcome.OK or read.seen != before.seen:
            # Anything but the older version says nothing of copies.
            if read.outcome == Outcome.OK and self.shows(read.seen, value):
                return Told(holds=True, note="", obj=OWN, told=1)
            return Told(holds=None, note="no read told anything of it", obj=OWN)
        return self._older(bench, value, writer, reader)

    def _older(self, bench: Bench, value: str, writer: str, reader: str) -> Told:
        later = ""
        for pause_s in SETTLE_S:
            bench.wait(pause_s)
            later = bench.see(value, reader, fresh=True).op.seen
        healed, kept = self.shows(later, value), self.shows(bench.see(value, writer).op.seen, value)
        note = (
            f"{reader} still showed the version before; {'the newest' if healed else 'an older one'} later; "
            f"{writer} {'shows the newest' if kept else 'shows an older one as well'}"
        )
        return Told(holds=False, note=note, obj=OWN, told=1, missed=1, healed=healed, writer_has=kept, anomaly="STALE")
