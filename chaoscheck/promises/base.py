"""What a kind of promise is, on the side of the session that exercises it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from chaoscheck.plan.steps import Promise, Step
from chaoscheck.registry import Registry
from chaoscheck.steps.calls import Done


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a kind is spoken of in findings.

    `one` and `many` count its objects ("login", "logins"). `lives` and `died` end the sentence of a finding whose
    cause is state in one instance, or a loss with the instance. `store` is the stateless way, as advice. `broken` maps
    an anomaly to its predicate ("lost", "shown twice"), `fixes` to advice that replaces the cause's own. `valued` says
    whether an object's value means something to the reader.
    """

    one: str
    many: str
    lives: str
    died: str
    store: str
    broken: Mapping[str, str] = field(default_factory=dict)
    fixes: Mapping[str, str] = field(default_factory=dict)
    valued: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What probing said: `holds` None where nothing could be told, of `told` answers `missed` contradicted.

    `healed`: it held a little later; `writer_has`: the writing instance still had it then. `anomaly` names what is
    wrong where it isn't simply lost. `obj` and `note` (with what was answered) are for the reader.
    """

    holds: bool | None
    note: str
    obj: str = ""
    told: int = 0
    missed: int = 0
    healed: bool = False
    writer_has: bool = False
    anomaly: str = ""


class Bench(Protocol):
    """The controller's own user, who asks the instance that he is told to (`on`, by name), without load or kills."""

    session: str

    def new_value(self) -> str: ...

    def do(self, value: str, on: str) -> Done: ...

    def see(self, value: str, on: str, *, fresh: bool = False) -> Done:
        """With a copy of the jar; `fresh` on a connection of its own."""
        ...

    def undo(self, value: str, on: str) -> Done: ...

    def newcomer(self) -> Bench:
        """Another user, logged in on no instance yet."""
        ...

    def log_in(self, on: str) -> Done | None:
        """As the plan's session promise does; None where it has none."""
        ...

    def now_ns(self) -> int: ...

    def wait(self, seconds: float) -> None: ...


@runtime_checkable
class Controls(Protocol):
    """A kind whose controls aren't "see fails before do, and holds after it"."""

    def control(self, bench: Bench, where: str) -> list[tuple[str, Told]]:
        """("fail" or "hold", what was told) of each: "fail" must not hold, "hold" must."""
        ...


@runtime_checkable
class Pairs(Protocol):
    """A kind whose matrix isn't "write on i, read on j", or whose cells tell more than that."""

    def pair(self, bench: Bench, writer: str, reader: str) -> Told | None:
        """None where this kind says nothing of such a pair."""
        ...


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
    """One kind of promise, under the terms that the plan sets. Kinds derive from this.

    It keeps nothing between calls: what is certain is the checker's to know.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    may_have: ClassVar[frozenset[str]] = frozenset({"undo"})
    options: ClassVar[frozenset[str]] = frozenset()
    """Keys of the plan's promise that only some kinds take."""
    default_of: ClassVar[str]
    words: ClassVar[Words]
    plain_pairs: ClassVar[bool] = True
    """Whether "write on i, read on j" is a pair of its matrix; a kind that is `Pairs` may have others besides."""
    per_kill: ClassVar[bool] = False
    """Whether a kill exposes it once at most, so that evidence is counted in kills instead of objects."""
    final_reads: ClassVar[bool] = True
    """Whether its objects are read through every instance at the end."""

    terms: Promise

    def __init__(self, terms: Promise) -> None:
        self.terms = terms

    @classmethod
    def check(cls, terms: Promise) -> str:
        """What is wrong with the promise's own words for this kind, beyond missing keys; "" when nothing is."""
        return ""

    def shows(self, seen: str, value: str) -> bool:
        """Whether a read that was ok and returned `seen` shows the write of `value`."""
        return True

    def requests_a_turn(self) -> float:
        """About how many requests one turn of a session makes."""
        return requests(self.terms.see) + requests(self.terms.do)

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


def requests(steps: tuple[Step, ...]) -> int:
    """Requests of an action: submitting a form takes two."""
    return sum(2 if step.submit is not None else 1 for step in steps)


KINDS: Registry[type[Kind]] = Registry("kind of promise")
