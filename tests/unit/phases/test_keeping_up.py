"""Too much load is told by what users wait and get, against what a request takes with nobody else there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from chaoscheck.phases.keeping_up import felt


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """Half a second of a worker's traffic."""

    requests: int = 40
    bad: int = 0
    p95_ms: float = 20.0


def test_waits_that_last_are_too_much_and_one_hiccup_is_not() -> None:
    """A pause of a busy machine shows in a tick, a queue in all that follow."""
    long = Half(p95_ms=1500.0)
    assert not felt([Half(), Half(), long, Half()], 0.01).slow
    assert felt([Half(), long, long, long], 0.01).slow


def test_service_that_takes_its_time_with_nobody_else_there_is_not_overloaded() -> None:
    """A report that takes half a second does so under any load."""
    waits = [Half(p95_ms=1500.0)] * 4
    assert felt(waits, 0.01).slow
    assert not felt(waits, 0.5).slow


def test_errors_alone_are_told_from_a_fifth_on() -> None:
    """A service that says no at once doesn't keep up either."""
    assert felt([Half(bad=10)] * 4, 0.01).failing
    assert not felt([Half(bad=6)] * 4, 0.01).failing


def test_nothing_answered_tells_nothing() -> None:
    """Zero requests are no sign of calm, nor of load."""
    silent = felt([Half(requests=0, p95_ms=0.0)] * 4, 0.01)
    assert not silent.slow
    assert not silent.failing
    assert not silent.hopeless


def test_hopeless_is_worse_than_slow() -> None:
    """Between the two a run is worth going on with."""
    assert not felt([Half(p95_ms=1500.0)] * 4, 0.01).hopeless
    assert felt([Half(p95_ms=2500.0)] * 4, 0.01).hopeless


@pytest.mark.parametrize(("requests", "workers", "asked"), [(40, 1, 40.0), (40, 2, 80.0), (37, 1, 37.0), (0, 1, 0.1)])
def test_half_of_what_was_answered_well_can_be_asked_for(requests: int, workers: int, asked: float) -> None:
    """Deaths take an instance, and what they expose is read back on top; ticks are halves of seconds."""
    assert felt([Half(requests=requests)] * 4, 0.01, workers=workers).sustained == asked
