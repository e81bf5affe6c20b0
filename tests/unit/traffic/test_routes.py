"""Where attempts go."""

from __future__ import annotations

import itertools
import random

import pytest

from chaoscheck.errors import TrafficTrouble
from chaoscheck.model.places import Address
from chaoscheck.traffic.routes import routers

THREE = {f"web-{slot}.1": Address("h", slot) for slot in range(3)}


def test_through_the_balancer_nothing_goes_elsewhere() -> None:
    """Sending again is the balancer's business: a client that did would hide what it does."""
    router = routers(Address("lb", 80), "", lambda: THREE)(random.Random(1).random)
    assert router.pick(0) == ("lb", Address("lb", 80))
    assert not router.another(1)


def test_round_robin_takes_every_instance_in_turn() -> None:
    """Whichever session asks."""
    make = routers(None, "round-robin", lambda: THREE)
    one, other = make(random.Random(1).random), make(random.Random(2).random)
    names = [router.pick(0)[0] for router in (one, other, one, other, one, other)]
    assert names == [*THREE, *THREE]


def test_never_same_dials_another_instance_each_time() -> None:
    """A session never reads where it wrote just before, while there is another instance."""
    router = routers(None, "never-same", lambda: THREE)(random.Random(3).random)
    names = [router.pick(0)[0] for _ in range(100)]
    assert all(before != after for before, after in itertools.pairwise(names))
    assert set(names) == set(THREE)


def test_never_same_stays_where_there_is_only_one() -> None:
    """It must not spin or fail."""
    router = routers(None, "never-same", lambda: {"web-0.1": Address("h", 0)})(random.Random(3).random)
    assert [router.pick(0)[0] for _ in range(3)] == ["web-0.1"] * 3


@pytest.mark.parametrize("pick", ["round-robin", "never-same"])
def test_a_refused_client_tries_each_other_instance_once(pick: str) -> None:
    """With three instances an attempt of which nothing was sent may be made twice more."""
    router = routers(None, pick, lambda: THREE)(random.Random(1).random)
    assert [router.another(attempt) for attempt in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize("pick", ["round-robin", "never-same"])
def test_a_second_attempt_never_meets_who_refused_the_first(pick: str) -> None:
    """Whatever other sessions do meanwhile: three attempts are three instances."""
    make = routers(None, pick, lambda: THREE)
    one, other = make(random.Random(1).random), make(random.Random(2).random)
    for _ in range(50):
        other.pick(0)
        tried = []
        for attempt in range(3):
            tried.append(one.pick(attempt)[0])
            other.pick(0)
        assert sorted(tried) == sorted(THREE)


@pytest.mark.parametrize("pick", ["round-robin", "never-same"])
def test_without_any_instance_a_client_says_so(pick: str) -> None:
    """Not an IndexError."""
    with pytest.raises(TrafficTrouble, match="none is known to serve"):
        routers(None, pick, dict)(random.Random(1).random).pick(0)
