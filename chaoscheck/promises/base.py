"""What a kind of promise is, on the side of the session that exercises it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from chaoscheck.registry import Registry
from chaoscheck.steps.calls import Done


class Hand(Protocol):
    """What a kind may do with a session. Each call is one operation at the session's own pace, judged as it ends:
    a read that contradicts what is certain has been confirmed through every instance when the call returns."""

    promise: str

    def do(self, obj: str, value: str) -> Done: ...

    def see(self, obj: str, value: str) -> Done: ...

    def undo(self, obj: str, value: str) -> Done: ...

    def new_value(self) -> str:
        """A value that no other write of the run carries: `run.session.seq`."""
        ...

    def certain(self) -> list[str]:
        """Objects of this session that should be there now, oldest first."""
        ...

    def exposed(self) -> list[str]:
        """Those whose newest certain write was acknowledged by an instance that died since, and not read since."""
        ...

    def draw(self) -> float:
        """The session's own stream of numbers in [0, 1)."""
        ...

    def alive(self) -> bool:
        """False once the session should end: return soon then."""
        ...


class Kind(Protocol):
    """One kind of promise. It keeps nothing between calls: what is certain is the checker's to know."""

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    default_of: ClassVar[str]

    def begin(self, hand: Hand) -> None:
        """At the session's start (for the session kind: log in)."""
        ...

    def turn(self, hand: Hand) -> None:
        """One turn of the session: read before writing."""
        ...

    def end(self, hand: Hand) -> None:
        """At the session's end (for the session kind: log out, if the plan can)."""
        ...

    def object_of(self, session: str, value: str) -> str:
        """The object that a write of `value` by `session` is about."""
        ...


KINDS: Registry[Callable[[], Kind]] = Registry("kind of promise")
