"""What a user calls an error is one thing, live and judged; a request that went elsewhere is one request."""

from __future__ import annotations

import pytest

from chaoscheck.model.ops import Op
from chaoscheck.steps.attempts import Attempts, is_bad
from chaoscheck.traffic.counters import Counters
from tests.unit.checkers.making import op

ERRORS = [
    (op("do", "ok", at=1), False),
    (op("do", "fail", at=1, status=409), False),
    (op("see", "gone", at=1, status=404), False),
    (op("see", "unrecognised", at=1), True),
    (op("see", "dropped", at=1, status=429), True),
    (op("do", "unknown", at=1, status=0, error="connection reset"), True),
    (op("do", "fail", at=1, status=503), True),
    (op("do", "fail", at=1, status=0, error="connection refused"), True),
]


@pytest.mark.parametrize(("attempt", "bad"), ERRORS)
def test_error_of_a_user_is_the_same_live_and_judged(attempt: Op, bad: bool) -> None:
    """A refusal by the service and "not there" are answers; no answer, or one of trouble, is an error."""
    counters = Counters()
    counters.ended(attempt)
    live = counters.tick("w0", 9, 1, {})
    assert (is_bad(attempt), live.bad, live.requests) == (bad, int(bad), 1)
    attempts = Attempts()
    decided = [*attempts.add(attempt), *attempts.close()]
    assert [one.bad for one in decided] == [bad]


def test_attempt_that_was_not_sent_is_decided_by_the_next_of_its_request() -> None:
    """Its user waited since the first; only the last says what came of it."""
    attempts = Attempts()
    refused = [
        op("see", "dropped", at=at, status=0, error="connection refused", via="web-1.1", attempt=number)
        for number, at in enumerate((10, 20))
    ]
    assert [attempts.add(each) for each in refused] == [(), ()]
    (noticed,) = attempts.add(op("see", "ok", at=30, via="web-2.1", attempt=2))
    assert (noticed.intended_ns, noticed.bad, noticed.op.via) == (10, False, "web-2.1")
    assert attempts.close() == ()


def test_attempt_that_was_never_sent_again_is_an_error() -> None:
    """Another request of its session, or the end, tells that nobody tried again."""
    attempts = Attempts()
    refused = op("see", "dropped", at=10, status=0, error="no route", via="web-1.1")
    assert attempts.add(refused) == ()
    assert [(one.op.seq, one.bad) for one in attempts.add(op("see", "ok", at=20, seq=1))] == [(0, True), (1, False)]
    assert attempts.add(refused._replace(session="s2")) == ()
    assert [one.op.session for one in attempts.close()] == ["s2"]


def test_live_count_leaves_to_others_what_a_client_sends_elsewhere() -> None:
    """The next attempt counts; behind a balancer there is no next one."""
    counters = Counters()
    refused = op("see", "dropped", at=1, status=0, error="connection refused")
    counters.ended(refused._replace(via="web-1.1"))
    counters.ended(refused)
    assert counters.tick("w0", 9, 1, {}).bad == 1
