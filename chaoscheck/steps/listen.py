"""Listening to a stream: since when one is subscribed, what was heard, and what that says of a published value.

Subscribed means more than a granted upgrade: the service may begin to deliver later. It is sure from the plan's
`ready` message on (the `expect` of the step), or else from the first own message that came back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from chaoscheck.model.clock import NS, Clock
from chaoscheck.model.heard import Heard
from chaoscheck.model.ops import Outcome
from chaoscheck.steps.base import Answer, Said, Stream, Trouble, Wire

WITHIN_S = 2.0
"""So long after its acknowledgement a message may take, where the plan says nothing."""
PROBE_S = 0.4
"""So long one waits for an echo that would show that one is subscribed: the next message may bring it instead."""
ECHOES = 3
"""After so many times `within` without any echo, the stream shows nothing: another one is asked for."""
LATER_S = 1.0
"""So much longer one listens for what was missed, to tell late from lost."""
REMEMBERED = 64
"""Values a session and promise whose times are kept."""
OTHERS = 20
"""Values of other sessions that one time of listening tells of."""


class Published(NamedTuple):
    """When a value was sent, and acknowledged (-1: it was not)."""

    sent_ns: int
    acked_ns: int


class Ear:
    """One subscription of one client. `recent` are own values heard on it, `asked` is the last one listened for."""

    __slots__ = ("asked", "incarnation", "opened_ns", "recent", "since_ns", "status", "stream", "via", "wire")

    def __init__(self, stream: Stream, via: str, incarnation: str, wire: Wire) -> None:
        self.stream = stream
        self.via = via
        self.incarnation = incarnation
        self.wire = wire
        self.status = stream.answer.status
        self.opened_ns = stream.answer.done_ns
        self.since_ns = -1
        self.recent: deque[str] = deque(maxlen=REMEMBERED)
        self.asked = ""


class Listened(NamedTuple):
    """What one time of listening came to: `claims` says that the outcome says something of the value. Pending: it was
    not heard, and nothing says that it should have been."""

    outcome: Outcome
    why: str
    heard: Heard
    texts: tuple[str, ...]
    claims: bool


class Diary:
    """When each session published what, of late."""

    def __init__(self) -> None:
        self._published: dict[tuple[str, str], dict[str, Published]] = {}

    def note(self, session: str, promise: str, value: str, published: Published) -> None:
        known = self._published.setdefault((session, promise), {})
        known[value] = published
        if len(known) > REMEMBERED:
            del known[next(iter(known))]

    def find(self, session: str, promise: str, value: str) -> Published | None:
        return self._published.get((session, promise), {}).get(value)

    def forget(self, session: str) -> None:
        for key in [key for key in self._published if key[0] == session]:
            del self._published[key]


class Hearing:
    """Listens on one ear. `read` finds the value in a message, None where it carries none."""

    def __init__(self, ear: Ear, clock: Clock, within_s: float, read: Callable[[Answer], str | None]) -> None:
        self._ear = ear
        self._clock = clock
        self._within_ns = int(within_s * NS)
        self._read = read

    def ready(self, is_ready: Callable[[Answer], bool]) -> bool:
        """Wait for the plan's own word that one is subscribed."""
        ear, until_ns = self._ear, self._ear.opened_ns + self._within_ns
        while (said := ear.stream.recv(until_ns)) is not None:
            if is_ready(as_answer(said)):
                ear.since_ns = said.at_ns
                return True
        return False

    def hear(self, value: str, session: str, published: Published | None) -> Listened:
        """Listen for `value` until it is heard or overdue, and tell of all that came. Asked for the same value again,
        listen on for a while, whatever comes."""
        ear, clock = self._ear, self._clock
        again = ear.asked == value
        ear.asked = value
        until_ns = clock.now_ns() + int(LATER_S * NS) if again else self._until(published)
        own = value.rpartition(".")[0] + "."
        run = own.removesuffix(f"{session}.")
        values = [value] if value in ear.recent else []
        texts: list[str] = []
        others = 0
        while (said := ear.stream.recv(0 if value in values and not again else until_ns)) is not None:
            texts.append(said.text)
            found = self._read(as_answer(said)) or ""
            if found.startswith(own):
                values.append(found)
                ear.recent.append(found)
                if ear.since_ns < 0:
                    ear.since_ns = said.at_ns
                    until_ns = self._until(published)
            elif found.startswith(run) and others < OTHERS:
                values.append(found)
                others += 1
        alive = ear.stream.alive
        outcome, why, claims = self._outcome(value in values, again, published, clock.now_ns())
        # Of a stream that ended nobody knows until when it would have brought what is missing.
        heard = Heard(ear.since_ns if alive else -1, tuple(values))
        return Listened(outcome, why, heard, tuple(texts[:OTHERS]), claims)

    def _until(self, published: Published | None) -> int:
        now_ns, since_ns = self._clock.now_ns(), self._ear.since_ns
        if since_ns < 0:
            return now_ns + min(self._within_ns, int(PROBE_S * NS))
        if published is None or published.acked_ns < 0 or since_ns > published.sent_ns:
            return now_ns
        return published.acked_ns + self._within_ns

    def _outcome(self, heard: bool, again: bool, published: Published | None, now_ns: int) -> tuple[Outcome, str, bool]:
        ear = self._ear
        if heard and (ear.stream.alive or not again):
            return Outcome.OK, "", True
        if not ear.stream.alive:
            return Outcome.DROPPED, "the stream ended", False
        if ear.since_ns < 0:
            if now_ns - ear.opened_ns > ECHOES * max(self._within_ns, NS):
                return Outcome.UNRECOGNISED, "nothing that was published came back since the stream was opened", False
            return Outcome.PENDING, "", False
        if published is None or published.acked_ns < 0 or ear.since_ns > published.sent_ns:
            return Outcome.PENDING, "", False
        if now_ns < published.acked_ns + self._within_ns:
            return Outcome.PENDING, "", False
        return Outcome.GONE, f"not heard within {self._within_ns / NS:g} s", True


def as_answer(said: Said) -> Answer:
    """A message in the shape that readers and expectations read."""
    return Answer(200, (), said.text.encode("utf-8", "replace"), Trouble.NONE, True, said.at_ns, said.at_ns)
