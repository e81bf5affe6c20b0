"""What a worker counts between two ticks, and the exposures that its checkers know of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chaoscheck.checkers.base import PromiseChecker
from chaoscheck.model.ops import Lane, Op
from chaoscheck.steps.attempts import NOT_SENT, is_bad
from chaoscheck.traffic.base import Tick
from chaoscheck.traffic.routes import BALANCER

MS = 1_000_000
_USER = Lane.USER.value


class Counters:
    """Attempts of scheduled user traffic since the last tick; bursts, confirms and final reads are not in it."""

    __slots__ = ("_bad", "_lag_ns", "_latencies_ns", "_spent_s", "_told")

    def __init__(self, spent_s: Callable[[], float] | None = None) -> None:
        self._spent_s = spent_s
        self._told: tuple[int, float] | None = None
        self._latencies_ns: list[int] = []
        self._bad = 0
        self._lag_ns = 0

    def ended(self, op: Op) -> None:
        if op.lane == _USER:
            self._latencies_ns.append(op.done_ns - op.intended_ns)
            # What was not sent goes elsewhere, unless a balancer decides; the judge looks at how it ended.
            if is_bad(op) and (op.via == BALANCER or op.error not in NOT_SENT):
                self._bad += 1

    def lagged(self, lag_ns: int) -> None:
        if lag_ns > self._lag_ns:
            self._lag_ns = lag_ns

    def tick(self, worker: str, t_ns: int, sessions: int, checkers: Mapping[str, PromiseChecker]) -> Tick:
        """The message of what was seen since the last one; counts begin again."""
        taken = sorted(self._latencies_ns)
        exposures, exposed, read_back = _exposures(checkers)
        made = Tick(
            worker=worker,
            t_ns=t_ns,
            requests=len(taken),
            bad=self._bad,
            sessions=sessions,
            late_ms=self._lag_ns / MS,
            p50_ms=_quantile_ms(taken, 0.5),
            p95_ms=_quantile_ms(taken, 0.95),
            exposures=exposures,
            exposed=exposed,
            read_back=read_back,
            busy=self._busy(t_ns),
        )
        self._latencies_ns, self._bad, self._lag_ns = [], 0, 0
        return made

    def _busy(self, t_ns: int) -> float:
        """The share of one processor used since the last tick; -1.0 where it isn't known."""
        if self._spent_s is None:
            return -1.0
        before, self._told = self._told, (t_ns, self._spent_s())
        if before is None or t_ns <= before[0]:
            return -1.0
        return round((self._told[1] - before[1]) / ((t_ns - before[0]) / 1e9), 3)


_ByStrike = dict[str, dict[str, int]]


def _exposures(checkers: Mapping[str, PromiseChecker]) -> tuple[dict[str, int], _ByStrike, _ByStrike]:
    """Exposures a promise; pairs exposed and pairs read back (a loss is read back too) a strike and promise."""
    totals: dict[str, int] = {}
    exposed: _ByStrike = {}
    read_back: _ByStrike = {}
    for promise, checker in checkers.items():
        tally = checker.tally()
        totals[promise] = sum(tally.exposures.values())
        for strike in tally.exposures.keys() | tally.pending.keys() | tally.lost.keys():
            read = tally.exposures.get(strike, 0) + tally.lost.get(strike, 0)
            read_back.setdefault(str(strike), {})[promise] = read
            exposed.setdefault(str(strike), {})[promise] = read + tally.pending.get(strike, 0)
    return totals, exposed, read_back


def _quantile_ms(ordered: list[int], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] / MS if ordered else 0.0
