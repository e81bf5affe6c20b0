"""A rate limit: a user is let in so often and no more, whichever instance answers and whichever dies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from chaoscheck.model.allowance import UNSAID, Admitted, Bound
from chaoscheck.model.clock import NS
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import KINDS, READ_BACK_S, Bench, Hand, Kind, Told, Words, requests
from chaoscheck.steps.calls import Done
from chaoscheck.steps.classify import is_refusal

OWN = "own"
LARGEST = 100
"""A limit that takes more requests to reach than this is reached too seldom to be tested."""
TIMES_OVER = 8
"""A user who is never refused stops at so many times the limit."""
COMPETING = 24
"""Requests at a time on one instance: its processes share the connections."""
CROWDS = 4
"""After so many of those each process that counts for itself has had its fill, and lets nobody in any more."""
USERS = 3
"""A fixed window may end between any two requests, but not between those of so many users one after the other."""


@KINDS.add("limit")
class LimitKind(Kind):
    """One object a session: its user's own limit."""

    name: ClassVar[str] = "limit"
    needs: ClassVar[frozenset[str]] = frozenset({"do"})
    may_have: ClassVar[frozenset[str]] = frozenset()
    options: ClassVar[frozenset[str]] = frozenset({"allow", "window", "burst"})
    default_of: ClassVar[str] = "session"
    plain_pairs: ClassVar[bool] = False
    per_kill: ClassVar[bool] = True
    refuses: ClassVar[bool] = True
    volleys: ClassVar[bool] = False
    final_reads: ClassVar[bool] = False
    words: ClassVar[Words] = Words(
        one="user's limit",
        many="users' limits",
        lives="each instance counts for itself, so that N of them admit up to N times the limit",
        died="what was counted lived in the memory of the instance that was killed",
        store="count where all instances count together: one atomic operation in a shared store (a Redis script, INCR "
        "with EXPIRE, an upsert), or a limiter in front of all instances",
        broken={
            "OVER_ADMIT": "exceeded",
            "RESET": "forgotten",
            "OVER_REJECT": "refused too early",
        },
        fixes={
            "OVER_REJECT": "count each admitted request once and no refused one, let counts expire with the window, "
            "and give each user a count of his own",
        },
        telling=True,
    )

    @classmethod
    def check(cls, terms: Promise) -> str:
        bound = terms.bound
        if bound is None:
            return "a limit needs allow, such as allow: 5 per 2s"
        if terms.burst is not None and bound.window != "bucket":
            return f"burst is for window: bucket; a {bound.window} window has none"
        if terms.of not in (None, "session"):
            return "a limit is each session's own, so it has no of"
        if bound.at_once > LARGEST:
            return (
                f"a limit of {bound.at_once} takes too many requests to reach: give the service under test a smaller "
                f"one ({LARGEST} at most, 5 per 2s is best) by its environment"
            )
        return ""

    @classmethod
    def kills_needed(cls, kills: int, planned: int) -> int:
        """One that falls on the end of everybody's window shows nothing; later ones make up for it."""
        return min(kills, planned)

    def requests_a_turn(self) -> float:
        return requests(self.terms.do) * (self._bound.at_once + 1)

    def hurry_s(self) -> float:
        """Counts are tested before the window forgets them."""
        return min(READ_BACK_S, self._bound.per_ns / NS / 4)

    def begin(self, hand: Hand) -> None:
        """Nothing: the limit is there."""

    def turn(self, hand: Hand) -> None:
        """Ask until refused: at once where the window hasn't passed since the last turn."""
        for _ in range(TIMES_OVER * self._bound.at_once):
            if not hand.alive() or hand.do(OWN, hand.new_value()).op.outcome == Outcome.FAIL:
                return

    def read_back(self, hand: Hand, obj: str) -> None:
        hand.do(obj, hand.new_value())

    def end(self, hand: Hand) -> None:
        """Counts expire by themselves."""

    def object_of(self, session: str, value: str) -> str:
        return OWN

    @property
    def _bound(self) -> Bound:
        return self.terms.bound or UNSAID

    # Confirming.

    def confirm(self, bench: object, read: Op, instances: list[str]) -> None:
        """What was acknowledged is proof enough; asking again would only be counted as well."""

    # Controls.

    def control(self, bench: Bench, where: str) -> list[tuple[str, Told]]:
        """A user who goes on asking must be refused in the end; he and another must be let in at first."""
        asked = self._ask(bench, where, TIMES_OVER * self._bound.at_once)
        if not any(_ok(done) or _refused(done) for done in asked):
            bench = bench.newcomer()
            bench.log_in(where)
            asked = self._ask(bench, where, TIMES_OVER * self._bound.at_once)
        began = next((done for done in asked if _ok(done) or _refused(done)), asked[0])
        refused = _refused(asked[-1])
        other = bench.newcomer()
        entered = other.log_in(where)
        first = self._first(other, where)
        let_in = _ok(began) and _ok(first)
        last = asked[-1].op
        never = f"{len(asked)} requests one after the other were all let in, with {self._said()}"
        never = never if _ok(asked[-1]) else f"no refusal that the plan knows, but {last.status} {last.excerpt}"
        early = "one user's requests used up another's limit" if _refused(first) else "a first request was not let in"
        early = "another user could not log in" if entered is not None and not _ok(entered) else early
        answer = (first if _ok(began) else began).op
        return [
            ("fail", Told(holds=not refused, note="" if refused else never, told=1, missed=int(refused))),
            (
                "hold",
                Told(
                    holds=let_in,
                    note="" if let_in else f"{early} ({answer.status} {answer.excerpt})",
                    told=1,
                    missed=int(not let_in),
                ),
            ),
        ]

    # The matrix.

    def pair(self, bench: Bench, writer: str, reader: str) -> Told | None:
        """Use the limit up on one, then ask the other: what it lets in is too much. Each time as a new user."""
        told: list[Told] = []
        certain = USERS if self._bound.window == "fixed" else 1
        for _ in range(USERS):
            user = bench.newcomer()
            entered = user.log_in(writer)
            if entered is not None and not _ok(entered):
                return Told(holds=None, note="the login was not acknowledged", obj=OWN)
            told.append(self._crowd(user, writer) if writer == reader else self._both(user, writer, reader))
            broken = [one for one in told if one.holds is False]
            if told[-1].holds or told[-1].anomaly == "OVER_REJECT" or len(broken) >= certain:
                return told[-1]
        return next((one for one in told if one.holds is None), told[-1])

    def _both(self, user: Bench, writer: str, reader: str) -> Told:
        at_once = self._bound.at_once
        asked = self._ask(user, writer, at_once)
        if early := self._too_early(user, asked):
            return early
        if sum(map(_ok, asked)) < at_once:
            return Told(holds=None, note="not every request was answered", obj=OWN, session=user.session)
        there = self._ask(user, reader, at_once + 1)
        admitted = _admitted([*asked, *there])
        if not self._over(admitted):
            refused = _refused(there[-1])
            note = "" if refused else f"{len(admitted)} let in, slowly enough to be within the limit"
            return Told(holds=True if refused else None, note=note, obj=OWN, told=1, session=user.session)
        more = len(admitted) - at_once
        home = any(_refused(done) for done in self._ask(user, writer, 2))
        return Told(
            holds=False,
            note=f"{len(admitted)} admitted with {self._said()}: {at_once} on {writer} and {more} more on {reader}"
            f"{f', while {writer} refused' if home else ''}",
            obj=OWN,
            told=len(there),
            missed=more,
            # Whoever counts for himself lets in as many again; fewer are a matter of how all of them count.
            writer_has=home and more >= at_once,
            anomaly="OVER_ADMIT",
            session=user.session,
        )

    def _crowd(self, user: Bench, where: str) -> Told:
        """Many requests to one instance at a time: each of its processes must know of the others'."""
        asked = self._at_once(user, where)
        admitted = _admitted(asked)
        if not admitted and any(map(_refused, asked)):
            return self._rejected(user, asked)
        more = len(admitted) - self._bound.at_once
        if more <= 0 or not self._over(admitted):
            held = any(map(_refused, asked))
            note = "" if held else "none was refused, but they were slow enough to be within the limit"
            return Told(holds=True if held else None, note=note, obj=OWN, told=len(asked), session=user.session)
        return Told(
            holds=False,
            note=f"{len(admitted)} of {len(asked)} requests at a time admitted on {where} alone, with {self._said()}",
            obj=OWN,
            told=len(asked),
            missed=more,
            writer_has=self._apart(user, where, len(admitted)),
            anomaly="OVER_ADMIT",
            session=user.session,
        )

    def _apart(self, user: Bench, where: str, admitted: int) -> bool:
        """Whether each of several counts for itself: in the end all are full, and had let in a limit each at least."""
        for _ in range(CROWDS):
            more = sum(map(_ok, self._at_once(user, where)))
            if not more:
                return admitted >= 2 * self._bound.at_once
            admitted += more
        return False

    def _at_once(self, user: Bench, where: str) -> list[Done]:
        values = [user.new_value() for _ in range(max(COMPETING, 2 * self._bound.at_once))]
        return user.do_at_once(values, where)

    def _over(self, admitted: Sequence[Admitted]) -> bool:
        """More than the limit at once; what a fixed window's end may explain, several users in a row don't."""
        bound = self._bound
        if bound.window != "fixed":
            return bool(bound.over(admitted))
        width_ns = max(one.done_ns for one in admitted) - admitted[0].sent_ns if admitted else 0
        return len(admitted) > bound.count and width_ns < bound.per_ns / USERS

    def _too_early(self, user: Bench, asked: Sequence[Done]) -> Told | None:
        """Nobody has been let in before a new user's first requests."""
        last = asked[-1].op
        possible = [Admitted(done.op.sent_ns, done.op.done_ns) for done in asked[:-1]]
        since_ns = asked[0].op.sent_ns - self._bound.horizon_ns
        if _refused(asked[-1]) and self._bound.must_admit(possible, since_ns, last.sent_ns, last.done_ns):
            return self._rejected(user, asked)
        return None

    def _rejected(self, user: Bench, asked: Sequence[Done]) -> Told:
        note = f"a new user was refused after {sum(map(_ok, asked))} admitted requests, with {self._said()}"
        return Told(
            holds=False, note=note, obj=OWN, told=len(asked), missed=1, anomaly="OVER_REJECT", session=user.session
        )

    def _first(self, user: Bench, where: str) -> Done:
        """The first answer that says yes or no; errors before it may have been counted, so there are few."""
        asked = [user.do(user.new_value(), where)]
        while len(asked) < self._bound.at_once and not (_ok(asked[-1]) or _refused(asked[-1])):
            asked.append(user.do(user.new_value(), where))
        return asked[-1]

    def _ask(self, user: Bench, where: str, most: int) -> list[Done]:
        """Until it is refused, or so often."""
        asked: list[Done] = []
        while len(asked) < most and not (asked and asked[-1].op.outcome == Outcome.FAIL):
            asked.append(user.do(user.new_value(), where))
        return asked

    def _said(self) -> str:
        bound = self._bound
        return f"{bound.at_once if bound.window == 'bucket' else bound.count} allowed in {bound.per_ns / NS:g} s"


def _ok(done: Done) -> bool:
    return done.reached and done.op.outcome == Outcome.OK


def _refused(done: Done) -> bool:
    return done.reached and done.op.outcome == Outcome.FAIL and is_refusal(done.op.error)


def _admitted(asked: Sequence[Done]) -> list[Admitted]:
    return sorted(Admitted(done.op.sent_ns, done.op.done_ns, done.op.incarnation) for done in asked if _ok(done))
