"""Series: counts are exact, percentiles within 2 %, nothing is invented where nothing was."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pytest

from chaoscheck.checkers.series import SeriesFold
from chaoscheck.model.ops import Lane, Op
from chaoscheck.model.series import Series
from chaoscheck.steps.attempts import Attempts

MS = 1_000_000
S = 1_000_000_000


def op(at_ns: int, took_ms: float = 5.0, *, outcome: str = "ok", lane: str = "user") -> Op:
    """A request due at `at_ns`; took_ms -1 for one whose end nobody knows."""
    done = -1 if took_ms < 0 else int(at_ns + took_ms * MS)
    return Op(
        "r", "s", "p", "see", "o", 0, 0, "", lane, "lb", True, at_ns, at_ns, done, outcome, 200, "", "web-0.1", "", ""
    )


def series(ops: Iterable[Op], start_ns: int, end_ns: int, bins: int = 200) -> Series:
    """Fed as judging feeds it: users' requests by the attempt that decides."""
    fold, attempts = SeriesFold(start_ns, end_ns, bins), Attempts()
    for one in ops:
        fold.seen(one)
        if one.lane == Lane.USER:
            for noticed in attempts.add(one):
                fold.noticed(noticed)
    for noticed in attempts.close():
        fold.noticed(noticed)
    return fold.series()


def test_requests_counted_where_they_were_due() -> None:
    """Each user request is in the bin of its intended start, also when it ended much later."""
    made = series([op(S // 2, 3000), op(S // 2), op(3 * S + 1)], 0, 4 * S, bins=4)
    assert made.users == (2, 0, 0, 1)


def test_traffic_of_our_own_is_kept_apart() -> None:
    """Bursts and probes count neither as users' requests nor as users' errors nor in users' latency."""
    made = series([op(1, 900, lane="burst", outcome="unknown"), op(2, lane="final")], 0, S, bins=1)
    assert (made.users, made.others, made.bad) == ((0,), (2,), {})
    assert math.isnan(made.p99_ms[0])


def test_errors_counted_are_those_that_a_user_would_call_so() -> None:
    """A read that rightly says "nothing yet" and a refusal by the service are answers; what got none is an error."""
    rows = [op(1, outcome=name) for name in ("ok", "fail", "unknown", "unknown", "gone", "dropped", "unrecognised")]
    rows += [op(2, outcome="fail")._replace(status=0), op(3, outcome="gone")._replace(status=503)]
    made = series(rows, 0, S, bins=1)
    assert made.bad == {"dropped": (1,), "fail": (1,), "gone": (1,), "unknown": (2,), "unrecognised": (1,)}
    assert made.users == (9,)


def test_attempt_that_went_elsewhere_unnoticed_is_no_error() -> None:
    """Refused by the dead and answered by another: one request, due when the first attempt was."""
    refused = op(1, outcome="fail")._replace(status=0, error="connection refused")
    made = series([refused, op(S // 2)._replace(attempt=1)], 0, S, bins=4)
    assert (made.users, made.bad) == ((1, 0, 0, 0), {})
    alone = series([refused], 0, S, bins=1)
    assert (alone.users, alone.bad) == ((1,), {"fail": (1,)})


def test_requests_outside_of_the_time_count_in_the_lanes_only() -> None:
    """Totals are of the whole history."""
    made = series([op(0), op(50 * S), op(5 * S, lane="matrix")], 10 * S, 20 * S)
    assert sum(made.users + made.others) == 0
    assert made.lanes == {"matrix": {"ok": 1}, "user": {"ok": 2}}


def test_request_without_an_end_has_no_latency() -> None:
    """An unknown end is no fast answer."""
    made = series([op(1, -1, outcome="unknown")], 0, S, bins=1)
    assert made.users == (1,) and math.isnan(made.p50_ms[0])


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_within_two_percent(seed: int) -> None:
    """Against nearest rank over the sorted latencies."""
    rng = random.Random(seed)
    taken = [rng.lognormvariate(2, 1) for _ in range(1 + seed * 333)]
    made = series([op(1, took) for took in taken], 0, S, bins=1)
    for share, found in ((0.5, made.p50_ms), (0.95, made.p95_ms), (0.99, made.p99_ms)):
        exact = sorted(taken)[math.ceil(share * len(taken)) - 1]
        assert found[0] == pytest.approx(exact, rel=0.021)


def test_empty_history_gives_empty_bins() -> None:
    """Zero requests are zero requests, with no latency at all."""
    made = series([], 0, 0)
    assert not any(made.users) and all(map(math.isnan, made.p50_ms)) and made.lanes == {}
