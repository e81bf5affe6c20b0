"""A cart: elements that its session adds one by one and takes out again; a read shows all of them."""

from __future__ import annotations

import json
from typing import ClassVar

from chaoscheck.model.ops import Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import KINDS, Bench, Hand, Kind, Told, Words, requests

OWN = "own"
FEW = 4
"""So many elements a session keeps about; with fewer it mostly adds, with more it mostly removes."""
SETTLE_S = (0.02, 0.1, 0.3)
"""Pauses of the matrix before a removal that isn't seen elsewhere is called lost."""
READS = 8
"""Reads on fresh connections to the very instance that removed: other worker processes must know of it too."""


@KINDS.add("set")
class SetKind(Kind):
    """One set a session, which only that session changes; elements are the values that were written."""

    name: ClassVar[str] = "set"
    needs: ClassVar[frozenset[str]] = frozenset({"do", "see"})
    default_of: ClassVar[str] = "session"
    words: ClassVar[Words] = Words(
        one="set",
        many="sets",
        lives="sets live in the memory (or on the disk) of the instance that took the elements",
        died="sets lived in the memory (or on the disk) of the instance that was killed",
        store="keep them in a database or an external store (a Redis set or hash), and acknowledge an element only "
        "when it is there",
        missing="LOST_ELEMENT",
        broken={
            "LOST_ELEMENT": "lost elements",
            "RESURRECTED": "showed elements again that had been removed",
            "DUPLICATE_ELEMENT": "showed one element twice",
            "FLICKER": "were not as written for a while",
        },
        fixes={
            "RESURRECTED": "remove where everybody reads: delete from the shared store before answering, invalidate or "
            "leave out local caches, and let no replica or merge bring removed elements back",
            "DUPLICATE_ELEMENT": "make adding idempotent: a unique key, or one atomic 'add if absent' (SADD, INSERT "
            ".. ON CONFLICT DO NOTHING) instead of reading the list and writing it back",
        },
    )

    @classmethod
    def check(cls, terms: Promise) -> str:
        """Its elements must be readable, and each write must carry the one it is about."""
        if not terms.see[-1].values:
            return 'the last step of see says how to read the elements: values: "json:items[*]"'
        silent = [action for action in ("do", "undo") if terms.action(action) and not _carries(terms, action)]
        return f"{' and '.join(silent)} must say which element it is about, with $value" if silent else ""

    def requests_a_turn(self) -> float:
        return requests(self.terms.see) + max(requests(self.terms.do), requests(self.terms.undo))

    def shows(self, seen: str, value: str) -> bool:
        return value in elements(seen)

    def begin(self, hand: Hand) -> None:
        """Nothing: the first turn's read is the base."""

    def turn(self, hand: Hand) -> None:
        """Look, then change one thing: what a death took would be hidden by a change before the look."""
        read = hand.see(OWN, "").op
        if not hand.alive():
            return
        own = [item for item in elements(read.seen) if f".{read.session}." in item]
        if read.outcome == Outcome.OK and own and self.terms.undo and hand.draw() * (FEW + len(own)) < len(own):
            hand.undo(OWN, own[int(hand.draw() * len(own))])
        elif self.terms.undo or hand.draw() * (1 + len(own) / FEW) < 1:
            hand.do(OWN, hand.new_value())

    def end(self, hand: Hand) -> None:
        """The set stays as it is."""

    def object_of(self, session: str, value: str) -> str:
        return OWN

    def pair(self, bench: Bench, writer: str, reader: str) -> Told | None:
        """Add on one and see it on the other; remove it there, and it must be gone here. None without `undo`."""
        if not self.terms.undo:
            return None
        value = bench.new_value()
        if bench.do(value, writer).op.outcome != Outcome.OK:
            return Told(holds=None, note="the add was not acknowledged", obj=OWN)
        if not self._arrived(bench, value, reader):
            return Told(holds=None, note="not told: the element itself was not seen there", obj=OWN)
        undone = bench.undo(value, writer).op
        if undone.outcome != Outcome.OK:
            return Told(holds=None, note=f"the removal was not acknowledged ({undone.outcome})", obj=OWN)
        return self._gone(bench, value, writer, reader)

    def _arrived(self, bench: Bench, value: str, reader: str) -> bool:
        """Whether the element is seen there in the end; a cache that holds it now must learn of its removal."""
        for pause_s in (0.0, *SETTLE_S):
            bench.wait(pause_s)
            if self._there(bench, value, reader):
                return True
        return False

    def _gone(self, bench: Bench, value: str, writer: str, reader: str) -> Told:
        reads = [self._there(bench, value, reader) for _ in range(READS if writer == reader else 2)]
        told, missed = sum(there is not None for there in reads), sum(there is True for there in reads)
        if not told:
            return Told(holds=None, note="no read was answered", obj=OWN)
        if not missed:
            return Told(holds=True, note="", obj=OWN, told=told)
        later: bool | None = True
        for pause_s in SETTLE_S:
            bench.wait(pause_s)
            later = self._there(bench, value, reader)
        kept = self._there(bench, value, writer) is False
        note = (
            f"{missed} of {told} reads still showed what had been removed; {'gone' if later is False else 'there'} "
            f"later on {reader}; {writer} {'shows it no more' if kept else 'shows it again as well'}"
        )
        return Told(
            holds=False, note=note, obj=OWN, told=told, missed=missed, healed=later is False, writer_has=kept,
            anomaly="FLICKER" if later is False and missed == told else "RESURRECTED",
        )  # fmt: skip

    def _there(self, bench: Bench, value: str, on: str) -> bool | None:
        """Whether a read there shows it; None when it told nothing."""
        op = bench.see(value, on, fresh=True).op
        if op.outcome == Outcome.GONE:
            return False
        return self.shows(op.seen, value) if op.outcome == Outcome.OK else None


def elements(seen: str) -> list[str]:
    """What `values` read; empty for an answer that says nothing."""
    try:
        found = json.loads(seen) if seen else []
    except ValueError:
        found = [seen]
    return [str(item) for item in found] if isinstance(found, list) else []


def _carries(terms: Promise, action: str) -> bool:
    said = str([step.model_dump() for step in terms.action(action)])
    return "$value" in said or "${value}" in said
