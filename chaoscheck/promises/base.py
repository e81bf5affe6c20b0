"""What a kind of promise is, on the side of the session that exercises it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from chaoscheck.model.ops import Op, Outcome
from chaoscheck.plan.steps import Promise, Step
from chaoscheck.registry import Registry
from chaoscheck.steps.calls import Done

READ_BACK_S = 1.5
"""Sessions that a death exposed come back within so long after it was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a kind is spoken of in findings.

    `one` and `many` count its objects ("login", "logins"). `lives` and `died` end the sentence of a finding whose
    cause is state in one instance, or a loss with the instance. `store` is the stateless way, as advice. `broken` maps
    an anomaly to its predicate ("lost", "shown twice"), `because` to a sentence that replaces those two, `fixes` to
    advice that replaces the cause's own. `valued` says whether an object's value means something to the reader;
    `missing` names the anomaly of what was acknowledged and isn't there; `telling` says that what was seen tells how
    bad it is.
    """

    one: str
    many: str
    lives: str
    died: str
    store: str
    broken: Mapping[str, str] = field(default_factory=dict)
    because: Mapping[str, str] = field(default_factory=dict)
    fixes: Mapping[str, str] = field(default_factory=dict)
    valued: bool = True
    missing: str = "LOST"
    telling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What probing said: `holds` None where nothing could be told, of `told` answers `missed` contradicted.

    `healed`: it held a little later; `writer_has`: the writing instance still had it then. `anomaly` names what is
    wrong where it isn't simply lost. `obj` and `note` (with what was answered) are for the reader; `session` is whose
    requests show it, where they aren't the asker's own.
    """

    holds: bool | None
    note: str
    obj: str = ""
    told: int = 0
    missed: int = 0
    healed: bool = False
    writer_has: bool = False
    anomaly: str = ""
    session: str = ""
    by_expect: bool = False
    """What was refused was told by an unmet `expect` alone, so that this means gone in this plan."""


class Asking(Protocol):
    """One user who asks the instance that he is told to (`on`, by name)."""

    def new_value(self) -> str: ...

    def do(self, value: str, on: str) -> Done: ...

    def see(self, value: str, on: str) -> Done: ...

    def elsewhere(self) -> Asking:
        """The same user at another browser with the same cookies, who sees with that one and keeps its streams open
        until it hangs up."""
        ...

    def hang_up(self) -> None: ...

    def now_ns(self) -> int: ...

    def wait(self, seconds: float) -> None: ...


class Bench(Asking, Protocol):
    """The controller's own user, without load or kills."""

    session: str

    def see(self, value: str, on: str, *, fresh: bool = False, given: Mapping[str, str] | None = None) -> Done:
        """With a copy of the jar; `fresh` on a connection of its own; `given` instead of the names its do took."""
        ...

    def see_at_once(self, value: str, on: str) -> list[Done]:
        """Many reads on fresh connections that compete, so that each of the instance's processes is met."""
        ...

    def undo(self, value: str, on: str) -> Done: ...

    def ledger(self, value: str, on: str) -> Done: ...

    def do_at_once(self, values: Sequence[str], on: str) -> list[Done]:
        """Each on a fresh connection that competes with the others."""
        ...

    def newcomer(self) -> Bench:
        """Another user, logged in on no instance yet."""
        ...

    def log_in(self, on: str) -> Done | None:
        """As the plan's session promise does; None where it has none."""
        ...


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What looking at a thing that the service gave out showed: its size in bytes, and problems by the anomaly's name,
    in words that don't repeat it."""

    size: int
    problems: Mapping[str, str]


@runtime_checkable
class Inspects(Protocol):
    """A kind that looks into what its `do` took: no history has it, for secrets are masked there."""

    def inspect(self, taken: Mapping[str, str], account: Mapping[str, str]) -> Inspection | None:
        """`account` are the names that its user knew before. None when there was nothing to look at."""
        ...


@runtime_checkable
class Confirms(Protocol):
    """A kind whose contradicting reads aren't settled by reading the same again through every instance."""

    def confirm(self, bench: Asking, read: Op, instances: list[str]) -> None:
        """Ask whatever settles it, within seconds; the checker hears of every answer. `on` may be "" here: as the
        session's own user does."""
        ...


class Hand(Protocol):
    """What a kind may do with a session. Each call is one operation at the session's own pace, judged as it ends:
    a read that contradicts what is certain has been confirmed through every instance when the call returns."""

    promise: str

    def do(self, obj: str, value: str) -> Done: ...

    def see(self, obj: str, value: str) -> Done: ...

    def undo(self, obj: str, value: str) -> Done: ...

    def ledger(self, obj: str, value: str) -> Done: ...

    def new_value(self) -> str:
        """A value that no other write of the run carries: `run.session.seq`."""
        ...

    def awaited(self) -> list[str]:
        """Objects of this session that were acknowledged and may still be shown as not done, oldest first."""
        ...

    def certain(self) -> list[str]:
        """Objects of this session that should be there now, oldest first."""
        ...

    def retired(self) -> list[str]:
        """Objects of this session that should be gone now, oldest first; empty where the kind doesn't ask for it."""
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
    burst_share: ClassVar[float] = 1.0
    """Less than 1 where a write weighs more than most: of all the turns of a burst, those that are its own."""
    refuses: ClassVar[bool] = False
    """Whether being refused is part of what it promises."""
    volleys: ClassVar[bool] = True
    """Whether volleys write to it although there is something else to write to."""
    final_reads: ClassVar[bool] = True
    """Whether its objects are read through every instance at the end."""
    alone: ClassVar[bool] = False
    """Whether one observer of the whole run looks at it, on each instance in turn, instead of every session."""
    streams: ClassVar[bool] = False
    """Whether its `see` is a stream that it listens to."""
    undoes: ClassVar[bool] = False
    """Whether its turns undo what they did, so that a run in which no `undo` was ok shows too little."""
    pends: ClassVar[bool] = False
    """Whether its `see` may say `pending`."""

    terms: Promise

    def __init__(self, terms: Promise) -> None:
        self.terms = terms

    @classmethod
    def check(cls, terms: Promise) -> str:
        """What is wrong with the promise's own words for this kind, beyond missing keys; "" when nothing is."""
        return ""

    @classmethod
    def lists(cls, terms: Promise) -> bool:
        """Whether `see` asks for a list of which an object may drop out without being lost, not for the object."""
        return False

    def shows(self, seen: str, value: str) -> bool:
        """Whether a read that was ok and returned `seen` shows the write of `value`."""
        return True

    @classmethod
    def kills_needed(cls, kills: int, planned: int) -> int:
        """Of a `per_kill` kind: how many of the kills that were made must have exposed it."""
        return kills

    def hurry_s(self) -> float:
        """What a death exposed is looked at within so long, lest it show nothing any more."""
        return READ_BACK_S

    def looks_every_s(self) -> float:
        """How long the observer of an `alone` kind waits until it asks the same instance again."""
        return 1.0

    def patience_s(self) -> float:
        """How long after a write (or a death) a final read may still have to wait for what it shows."""
        return 0.0

    def requests_a_turn(self) -> float:
        """About how many requests one turn of a session makes."""
        return requests(self.terms.see) + requests(self.terms.do)

    def begin(self, hand: Hand) -> None:
        """At the session's start (for the session kind: log in)."""
        ...

    def turn(self, hand: Hand) -> None:
        """One turn of the session: read before writing."""
        ...

    def read_back(self, hand: Hand, obj: str) -> None:
        """Show, with as few requests as can be, whether `obj` outlived a death."""
        hand.see(obj, "")

    def end(self, hand: Hand) -> None:
        """At the session's end (for the session kind: log out, if the plan can)."""
        ...

    def object_of(self, session: str, value: str) -> str:
        """The object that a write of `value` by `session` is about."""
        ...


TRIES = 5
PAUSE_S = 0.1


def acknowledged(bench: Bench, value: str, on: str) -> Done | None:
    """Do it there until it is acknowledged, a few times at most; None when it never was."""
    for _ in range(TRIES):
        done = bench.do(value, on)
        if done.reached and done.op.outcome == Outcome.OK:
            return done
        bench.wait(PAUSE_S)
    return None


def answered(see: Callable[[], Done], bench: Bench) -> list[Done]:
    """Two answered reads, or as many as came of a few tries."""
    reads: list[Done] = []
    for _ in range(TRIES):
        done = see()
        if done.op.outcome == Outcome.DROPPED:
            bench.wait(PAUSE_S)
            continue
        reads.append(done)
        if len(reads) == 2:
            break
    return reads


def requests(steps: tuple[Step, ...]) -> int:
    """Requests of an action: submitting a form takes two."""
    return sum(2 if step.submit is not None else 1 for step in steps)


KINDS: Registry[type[Kind]] = Registry("kind of promise")
