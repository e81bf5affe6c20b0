"""Being logged in: a login that was acknowledged holds, on every instance, until a logout is sent."""

from __future__ import annotations

from typing import ClassVar

from chaoscheck.model.ops import Outcome
from chaoscheck.promises.base import KINDS, Hand, Kind, Words, requests

LOGIN = "login"
TRIES = 3


@KINDS.add("session")
class SessionKind(Kind):
    """One object a session: its being logged in as its user."""

    name: ClassVar[str] = "session"
    needs: ClassVar[frozenset[str]] = frozenset({"do", "see"})
    default_of: ClassVar[str] = "session"
    words: ClassVar[Words] = Words(
        one="login",
        many="logins",
        lives="sessions live in the memory (or on the disk) of the instance that took the login",
        died="sessions lived in the memory (or on the disk) of the instance that was killed",
        store="keep sessions in an external store that all instances ask (Redis with a time to live, a database), or "
        "in a signed token that the client carries; if it is a signed cookie or token, give all instances one signing "
        "key",
        fixes={
            "WRONG_USER": "take who is asking from this very request: no global, no object that requests share, no "
            "cached page that holds a name"
        },
        valued=False,
    )

    def requests_a_turn(self) -> float:
        return requests(self.terms.see)

    def begin(self, hand: Hand) -> None:
        """Log in. A login whose end is unknown may have worked, which reading tells."""
        for _ in range(TRIES):
            outcome = hand.do(LOGIN, hand.new_value()).op.outcome
            if outcome == Outcome.OK:
                return
            if outcome == Outcome.UNKNOWN and hand.see(LOGIN, "").op.outcome == Outcome.OK:
                return
            if not hand.alive():
                return

    def turn(self, hand: Hand) -> None:
        """Am I still myself? A user who finds himself logged out logs in again."""
        if hand.see(LOGIN, "").op.outcome == Outcome.GONE and hand.alive():
            hand.do(LOGIN, hand.new_value())

    def end(self, hand: Hand) -> None:
        hand.undo(LOGIN, "")

    def object_of(self, session: str, value: str) -> str:
        return LOGIN
