"""One value that each write replaces: what was written last is what is read."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.promises.base import KINDS, Hand, Kind, Words

OWN = "own"


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
