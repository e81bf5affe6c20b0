"""limit: nobody is let in more often than is allowed, whoever answers and whoever dies; and nobody less often.

A request without a certain end counts as admitted where a refusal is judged, and as not admitted where an excess is. An
excess needs no second look: its admissions were acknowledged. What made it is told from who admitted: an instance that
refuses for what it admitted itself, while others admitted more beside it, counts alone; an excess that only both sides
of a death make together was reset by that death.

A kill is exposed by a refusal after it that nothing but the victim's own admissions explains.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from chaoscheck.checkers.base import CHECKERS, Anomaly, Death, Tally
from chaoscheck.model.allowance import ALWAYS, FOREVER, UNSAID, Admitted
from chaoscheck.model.clock import NS
from chaoscheck.model.history import OpFields
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise
from chaoscheck.steps.classify import is_refusal

NEWS_NS = NS
"""Word of a death takes a moment: so much longer than a window something may still show what became of the counts."""
_OK, _FAIL, _UNKNOWN = Outcome.OK.value, Outcome.FAIL.value, Outcome.UNKNOWN.value


@dataclass(slots=True)
class _Excess:
    """More than the bound. `first` are the admissions that showed it, `most` the greatest number in a window since."""

    op: Op
    first: tuple[Admitted, ...]
    most: tuple[Admitted, ...]
    each: bool = False


@dataclass(slots=True)
class _Key:
    """One user's limit. `possible` are all that may have been admitted since `since_ns`, by their sending; `admitted`
    those that certainly were, since the last excess. `asked_ns`: when the last answered request was sent."""

    since_ns: int
    admitted: list[Admitted] = field(default_factory=list)
    possible: list[Admitted] = field(default_factory=list)
    excess: _Excess | None = None
    rejected: bool = False
    asked_ns: int = -1


@CHECKERS.add("limit")
class LimitChecker:
    """OVER_ADMIT, RESET, OVER_REJECT."""

    kind: ClassVar[str] = "limit"

    def __init__(self, promise: str, terms: Promise | None = None) -> None:
        self.promise = promise
        self._bound = (terms.bound if terms is not None else None) or UNSAID
        self._keys: dict[str, dict[str, _Key]] = {}
        self._deaths: dict[str, Death] = {}
        self._excesses: list[tuple[str, str, _Excess]] = []
        self._rejected: list[Op] = []
        self._remembered: dict[str, int] = {}
        self._outcomes: dict[str, int] = {}
        self._now_ns = -1
        self._together = False

    # The protocol.

    def died(self, death: Death) -> None:
        self._deaths[death.incarnation] = death

    def feed(self, op: Op) -> bool:
        if not op.judged or op.action != "do":
            return False
        name = f"do/{op.outcome}"
        self._outcomes[name] = self._outcomes.get(name, 0) + 1
        self._now_ns = max(self._now_ns, op.done_ns)
        keys = self._keys.setdefault(op.session, {})
        key = keys.get(op.obj)
        if key is None:
            key = keys[op.obj] = _Key(op.sent_ns)
        self._forget_old(key, op.sent_ns)
        if op.outcome == _OK:
            return self._admitted(key, op)
        if op.outcome == _FAIL and is_refusal(op.error):
            return self._refused(key, op)
        if op.outcome == _UNKNOWN:
            insort(key.possible, Admitted(op.sent_ns, FOREVER))
        elif op.status:
            # Whoever said no was another, but the limiter may have counted it.
            insort(key.possible, Admitted(op.sent_ns, op.done_ns))
        return False

    def fold(self, ops: Iterable[OpFields]) -> None:
        for fields in ops:
            self.feed(Op._make(fields))

    def healed(self, session: str, obj: str) -> bool:
        return True

    def certain(self, session: str) -> list[str]:
        return []

    def value_of(self, session: str, obj: str) -> str:
        return ""

    def exposed(self, session: str) -> list[str]:
        """Limits that were reached when someone died who had admitted some of it, and not asked since."""
        return [
            obj
            for obj, key in self._keys.get(session, {}).items()
            if any(self._hangs_on(key, death) for death in self._deaths.values())
        ]

    def forget(self, session: str) -> None:
        self._keys.pop(session, None)

    def tally(self) -> Tally:
        tally = Tally(outcomes=dict(self._outcomes))
        resets = [self._reset_by(one) for _, _, one in self._excesses]
        alone = [one for (_, _, one), death in zip(self._excesses, resets, strict=True) if death is None]
        # Where as many are over without a death, none is needed to explain the others.
        needless = 2 * len(alone) >= len(resets)
        known = any(one.each for one in alone) and not self._together
        for (session, obj, one), death in zip(self._excesses, resets, strict=True):
            by = None if needless else death
            if by is not None:
                tally.lost[by.strike] = 1
            each = known and (one.each or self._each_counts(one.first))
            tally.anomalies.append(self._excess(session, obj, one, by, each=each))
        tally.anomalies += [self._over_reject(op) for op in self._rejected]
        for death in self._deaths.values():
            self._expose(tally, death)
        return tally

    # One answer.

    def _admitted(self, key: _Key, op: Op) -> bool:
        one = Admitted(op.sent_ns, op.done_ns, op.incarnation, op.rid)
        key.asked_ns, key.rejected = max(key.asked_ns, op.sent_ns), False
        insort(key.possible, one)
        insort(key.admitted, one)
        over = self._bound.over(key.admitted)
        if not over:
            self._rebase(key)
            return False
        if key.excess is not None:
            key.excess.most = max(key.excess.most, self._within_a_window(key, op), key=len)
            return False
        key.excess = _Excess(op, tuple(over), max(tuple(over), self._within_a_window(key, op), key=len))
        self._excesses.append((op.session, op.obj, key.excess))
        return True

    def _refused(self, key: _Key, op: Op) -> bool:
        bound = self._bound
        key.asked_ns = max(key.asked_ns, op.sent_ns)
        if bound.must_admit(key.possible, key.since_ns, op.sent_ns, op.done_ns):
            self._rebase(key)
            if key.rejected:
                return False
            key.rejected = True
            self._rejected.append(op)
            return True
        # Whoever refuses with too few admissions of its own knows of the others'.
        theirs = [one for one in key.possible if one.who in ("", op.incarnation)]
        together = op.incarnation and bound.must_admit(theirs, key.since_ns, op.sent_ns, op.done_ns)
        self._together = self._together or bool(together)
        if key.excess is not None:
            own = [one for one in key.admitted if one.who == op.incarnation]
            key.excess.each = self._each_counts(key.admitted) and bound.full(own, op.sent_ns, op.done_ns)
            self._rebase(key)
        elif bound.full(key.admitted, op.sent_ns, op.done_ns):
            self._remember(key, op)
        return False

    def _remember(self, key: _Key, op: Op) -> None:
        """Without whose admissions it would have had to be let in: their counts are known to the one that refused."""
        for who in {one.who for one in key.admitted} - {op.incarnation, ""}:
            others = [one for one in key.possible if one.who != who]
            if op.incarnation and self._bound.must_admit(others, ALWAYS, op.sent_ns, op.done_ns):
                self._remembered[who] = max(self._remembered.get(who, -1), op.sent_ns)

    def _within_a_window(self, key: _Key, op: Op) -> tuple[Admitted, ...]:
        since_ns = op.done_ns - self._bound.per_ns
        return tuple(one for one in key.admitted if one.sent_ns > since_ns)

    def _each_counts(self, admitted: Sequence[Admitted]) -> bool:
        """Whether several admitted, and none more than it may."""
        names = {one.who for one in admitted}
        return len(names) > 1 and not any(
            self._bound.over([one for one in admitted if one.who == who]) for who in names
        )

    @staticmethod
    def _rebase(key: _Key) -> None:
        """One excess is one finding: what was part of it is part of no other."""
        if key.excess is not None:
            key.excess, key.admitted = None, []

    def _forget_old(self, key: _Key, now_ns: int) -> None:
        until_ns = now_ns - self._bound.horizon_ns
        if key.possible and key.possible[0].done_ns < until_ns:
            old = [one.done_ns for one in key.possible if one.done_ns < until_ns]
            key.since_ns = max(key.since_ns, *old)
            key.possible = [one for one in key.possible if one.done_ns >= until_ns]
            key.admitted = [one for one in key.admitted if one.done_ns >= until_ns]

    # Deaths.

    def _reset_by(self, one: _Excess) -> Death | None:
        """The death without which it would be within the bound: before and after it there was not too much."""
        for death in sorted(self._deaths.values(), key=lambda death: death.death_ns):
            before = [each for each in one.first if each.done_ns < death.death_ns - death.error_ns]
            after = [each for each in one.first if each.sent_ns > death.death_ns + death.error_ns]
            rest = [each for each in one.first if each not in after]
            if before and after and not self._bound.over(rest) and not self._bound.over(one.first[len(before) :]):
                return death
        return None

    def _hangs_on(self, key: _Key, death: Death) -> bool:
        at_ns = death.death_ns + death.error_ns
        theirs = any(one.who == death.incarnation for one in key.admitted)
        return theirs and key.asked_ns <= at_ns and self._bound.full(key.admitted, at_ns, at_ns)

    def _expose(self, tally: Tally, death: Death) -> None:
        if death.strike in tally.lost:
            return
        since_ns = death.death_ns + death.error_ns
        if self._remembered.get(death.incarnation, -1) > since_ns:
            tally.exposures[death.strike] = 1
        elif self._now_ns < since_ns + self._bound.per_ns + NEWS_NS:
            tally.pending[death.strike] = 1

    # What it comes to.

    def _excess(self, session: str, obj: str, one: _Excess, death: Death | None, *, each: bool) -> Anomaly:
        names = len({admitted.who for admitted in one.most})
        width_s = (max(each.done_ns for each in one.most) - one.most[0].sent_ns) / NS
        seen = f"{len(one.most)} admitted in {width_s:.2f} s"
        seen += f" by {names} instance{'s' if names != 1 else ''}, {self._allowed()}"
        return Anomaly(
            name="RESET" if death is not None else "OVER_ADMIT",
            promise=self.promise,
            session=session,
            obj=obj,
            value=self._allowed(),
            seen=seen,
            critical=False,
            confirmed=True,
            acker=death.incarnation if death is not None else "",
            acked_ns=one.first[0].done_ns,
            read=one.op._replace(seen=seen),
            healed_ns=-1,
            confirms=(),
            guarantee="no more than allowed",
            cause=Cause.LOST_WITH_INSTANCE if death is not None else Cause.ONE_INSTANCE if each else None,
            besides=tuple(admitted.rid for admitted in one.first if admitted.rid != one.op.rid),
        )

    def _over_reject(self, op: Op) -> Anomaly:
        seen = "refused before it was reached"
        return Anomaly(
            name="OVER_REJECT",
            promise=self.promise,
            session=op.session,
            obj=op.obj,
            value=self._allowed(),
            seen=seen,
            critical=False,
            confirmed=True,
            acker="",
            acked_ns=-1,
            read=op._replace(seen=seen),
            healed_ns=-1,
            confirms=(),
            guarantee="no less than allowed",
        )

    def _allowed(self) -> str:
        bound = self._bound
        burst = f", {bound.burst} at once" if bound.window == "bucket" else ""
        return f"{bound.count} allowed per {bound.per_ns / NS:g} s{burst}"
