"""I made it, it is there: every write makes a new object, and none of them ever goes away."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import KINDS, Hand, Kind, Words
from chaoscheck.steps.render import names_sent, names_taken

READ_BACK = 8
"""Exposed objects that one turn reads at most; the rest is the next turn's, so that no turn takes for ever."""
FEW = 4
"""So many objects a session makes at one a turn; then ever more slowly, for each is read again at the end."""


@KINDS.add("kept")
class KeptKind(Kind):
    """An object is named by the value that made it."""

    name: ClassVar[str] = "kept"
    needs: ClassVar[frozenset[str]] = frozenset({"do", "see"})
    default_of: ClassVar[str] = "value"
    words: ClassVar[Words] = Words(
        one="object",
        many="objects",
        lives="objects live in the memory (or on the disk) of the instance that made them",
        died="objects lived in the memory (or on the disk) of the instance that was killed",
        store="write new objects to a database (uploads: stream them to object storage) before acknowledging them",
    )

    @classmethod
    def lists(cls, promise: Promise) -> bool:
        own = {"value", *names_taken(promise.do)}
        return not any(names_sent(step) & own for step in promise.see)

    def begin(self, hand: Hand) -> None:
        """Nothing is there yet."""

    def turn(self, hand: Hand) -> None:
        for obj in self._to_read(hand):
            if hand.alive():
                hand.see(obj, obj)
        if hand.alive() and hand.draw() * (1 + len(hand.certain()) / FEW) < 1:
            value = hand.new_value()
            hand.do(value, value)

    def end(self, hand: Hand) -> None:
        """What was made stays."""

    def object_of(self, session: str, value: str) -> str:
        return value

    def _to_read(self, hand: Hand) -> list[str]:
        exposed = hand.exposed()
        if exposed:
            return exposed[:READ_BACK]
        certain = hand.certain()
        return [certain[int(hand.draw() * len(certain))]] if certain else []
