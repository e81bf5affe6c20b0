"""What answers tell of the balancer: whether it pins, whether it is even, and when nothing can be told."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from chaoscheck import plugins
from chaoscheck.checkers.evidence import chi_square_tail
from chaoscheck.checkers.routing import RoutingFold, routing_warnings
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model import events as ev
from chaoscheck.model.clock import NS
from chaoscheck.model.events import Event
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Affinity, Routing
from chaoscheck.plan.plan import Plan
from tests.unit.checkers.making import op

plugins.load()

SEE = {"get": "/x", "value": "json:v"}
PLAN = Plan.model_validate(
    {
        "target": {"command": ["serve"]},
        "promises": {
            "p": {"kind": "register", "do": {"put": "/x", "json": {"v": "$value"}}, "see": SEE},
            "open": {"kind": "kept", "do": {"post": "/n", "json": {"v": "$value"}}, "see": {**SEE, "as": "guest"}},
            "news": {"kind": "channel", "do": {"post": "/s", "json": {"v": "$value"}},
                     "see": {"websocket": "/ws", "value": "json:v"}},
        },
    }
)  # fmt: skip
Pick = Callable[[int, int, str], str]
"""(session, turn, the one before) -> who answers."""


def ready(*names: str, at_s: float = 0) -> list[Event]:
    return [ev.InstanceReady(t_ns=int(at_s * NS), instance=name, joined=True) for name in names]


def died(name: str, at_s: float) -> Event:
    return ev.InstanceDied(t_ns=int(at_s * NS), instance=name, asked=False, death_ns=int(at_s * NS), error_ns=0,
                           exit_code=137, out_of_memory=False, log="")  # fmt: skip


def routing(ops: Iterable[Op], events: list[Event] | None = None) -> Routing:
    fold = RoutingFold(PLAN, timeline(events or ready("web-1.1", "web-2.1", "web-3.1")))
    for one in sorted(ops, key=lambda one: one.sent_ns):
        fold.add(one)
    return fold.routing()


def sessions(pick: Pick, number: int = 200, turns: int = 20, promise: str = "p", via: str = "lb") -> list[Op]:
    """One after the other a turn each, from the first second on."""
    ops = []
    for session in range(number):
        last = ""
        for turn in range(turns):
            last = pick(session, turn, last)
            at = NS + (turn * number + session) * 1_000_000
            ops.append(op("see", "ok", at=at, who=last, session=f"s{session}", promise=promise, via=via))
    return ops


def web(number: int) -> str:
    return f"web-{number % 3 + 1}.1"


def drawn(seed: int, weights: tuple[int, int, int] = (1, 1, 1)) -> Callable[[], str]:
    draw = random.Random(seed)
    return lambda: draw.choices(["web-1.1", "web-2.1", "web-3.1"], weights)[0]


def anywhere(pick: Callable[[], str]) -> Pick:
    return lambda session, turn, last: pick()


@pytest.mark.parametrize(
    ("chi2", "freedom", "p"),
    [
        (3.841, 1, 0.05), (6.635, 1, 0.01), (10.828, 1, 0.001), (5.991, 2, 0.05), (13.816, 2, 0.001), (0.352, 3, 0.95),
        (7.815, 3, 0.05), (1.145, 5, 0.95), (18.307, 10, 0.05), (29.588, 10, 0.001), (43.773, 30, 0.05),
        (124.342, 100, 0.05),
    ],
)  # fmt: skip
def test_tail_of_chi_square_is_the_table_s(chi2: float, freedom: int, p: float) -> None:
    """Critical values as printed in every table, to their three decimals."""
    assert chi_square_tail(chi2, freedom) == pytest.approx(p, rel=2e-3)


def test_tail_of_chi_square_at_its_ends_is_a_probability() -> None:
    """Nothing to test is no surprise; many degrees neither overflow nor vanish."""
    assert chi_square_tail(0.0, 4) == chi_square_tail(7.0, 0) == 1.0
    assert chi_square_tail(4000.0, 4000) == pytest.approx(0.497, abs=0.01)
    assert chi_square_tail(1e6, 3) == 0.0


def test_sessions_that_never_move_are_pinned() -> None:
    """All stay, where even routing would keep nearly none; sessions are counted for evenness, as answers depend."""
    told = routing(sessions(lambda session, turn, last: last or web(session)))
    assert (told.affinity, told.unit, told.pinned, told.sessions) == (Affinity.PINNED, "sessions", 1.0, 200)
    assert told.pinned_even < 1e-6 and told.stayed_by_chance == pytest.approx(1 / 3, abs=1e-3)
    assert (
        told.words == "sessions are pinned (100 % stay on one instance); sessions begin on 3 instances, even (p > 0.99)"
    )


@pytest.mark.parametrize("seed", range(5))
def test_sessions_drawn_evenly_are_spread_and_even(seed: int) -> None:
    """What even routing does by itself is taken for neither pinning nor unevenness."""
    pick = drawn(seed)
    told = routing(sessions(lambda session, turn, last: pick()))
    assert told.affinity is Affinity.SPREAD and told.unit == "answers"
    assert told.p >= 0.01 and ", even (p = " in told.words
    assert told.stayed == pytest.approx(told.stayed_by_chance, abs=0.03)
    assert sum(load.got for load in told.loads) == 4000 == round(sum(load.fair for load in told.loads))


def test_round_robin_is_spread_and_even() -> None:
    """More even than chance is even."""
    told = routing(sessions(lambda session, turn, last: web(session + turn)))
    assert told.words == "spread over 3 instances, even (p > 0.99)"


def test_one_instance_that_gets_more_is_named() -> None:
    """Half of the answers instead of a third; and little more than a third is called what it is."""
    pick = drawn(1, (2, 1, 1))
    told = routing(sessions(lambda session, turn, last: pick()))
    assert told.p < 0.001 and "uneven (p < 0.001, web-1.1 got 1.4" in told.words
    little = drawn(1, (108, 100, 100))
    told = routing(sessions(lambda session, turn, last: little(), number=1500))
    assert told.p < 0.01 and "nearly even (p " in told.words


def test_few_short_sessions_that_stay_by_chance_are_not_pinned() -> None:
    """Of a few dozen steps some more stay than expected, now and then."""
    for seed in range(60):
        told = routing(sessions(anywhere(drawn(seed)), number=12, turns=4))
        assert told.affinity is Affinity.SPREAD, (seed, told.words)


@pytest.mark.parametrize("often", [8, 40, 300])
def test_preference_for_one_instance_is_not_pinning(often: int) -> None:
    """Sessions stay where nearly everything goes; they would anywhere be found there."""
    pick = drawn(2, (often, 1, 1))
    told = routing(sessions(lambda session, turn, last: pick()))
    assert told.affinity is Affinity.SPREAD and "uneven (p < 0.001" in told.words, told.words


@pytest.mark.parametrize("seed", range(8))
def test_sessions_pinned_at_random_are_not_called_uneven(seed: int) -> None:
    """Thirty sessions of 200 answers lie unevenly by chance: tested on answers they would look like a fault."""
    pick = drawn(seed)
    told = routing(sessions(lambda session, turn, last: last or pick(), number=30, turns=200))
    assert told.affinity is Affinity.PINNED and told.p >= 0.01, told.words
    assert sum(load.got for load in told.loads) == 30


def test_sessions_that_begin_unevenly_are_uneven() -> None:
    """Pinned, and two of three new ones go to one instance."""
    pick = drawn(3, (4, 1, 1))
    told = routing(sessions(lambda session, turn, last: last or pick()))
    assert told.affinity is Affinity.PINNED and "uneven (p < 0.001" in told.words


def test_session_moved_by_a_death_is_still_pinned() -> None:
    """Nobody can stay on the dead; to leave the living is another matter."""
    events = [*ready("web-1.1", "web-2.1", "web-3.1"), died("web-1.1", 3), *ready("web-1.2", at_s=3.5)]

    def pick(session: int, turn: int, last: str) -> str:
        dead = NS + (turn * 200 + session) * 1_000_000 >= 3 * NS
        return "web-2.1" if dead and last == "web-1.1" else last or web(session)

    told = routing(sessions(pick), events)
    assert (told.affinity, told.pinned) == (Affinity.PINNED, 1.0)
    assert routing(sessions(pick)).pinned < 0.7


def test_sessions_that_move_at_times_are_partly_pinned() -> None:
    """Neither all nor chance: kept by connections that end, say."""
    draw, pick = random.Random(5), drawn(5)
    told = routing(sessions(lambda session, turn, last: last if last and draw.random() < 0.8 else pick()))
    assert told.affinity is Affinity.PARTLY and told.words.startswith("sessions are partly pinned (they stay in 8")


def test_one_instance_that_answers_all_is_not_pinning() -> None:
    """Two others serve and hear nothing."""
    told = routing(sessions(lambda session, turn, last: "web-2.1"))
    assert told.affinity is Affinity.SINGLE
    assert "one instance answers everything (web-2.1)" in told.words


def test_who_serves_changes_what_is_fair() -> None:
    """A replacement that came late is not held to a whole run's share."""
    events = [*ready("web-1.1", "web-2.1"), died("web-1.1", 2.9), *ready("web-1.2", at_s=3)]

    def pick(session: int, turn: int, last: str) -> str:
        at = NS + (turn * 200 + session) * 1_000_000
        first = "web-1.1" if at < 2.9 * NS else "web-1.2"
        return (first, "web-2.1")[(session + turn) % 2] if not 2.9 * NS <= at < 3 * NS else "web-2.1"

    told = routing(sessions(pick), events)
    assert told.words == "spread over 2 instances, even (p > 0.99)"
    late = {load.instance: load for load in told.loads}["web-1.2"]
    assert late.got == pytest.approx(late.fair, rel=0.05) and late.got < 900


def test_guests_are_load_but_say_nothing_of_sessions() -> None:
    """A guest's jar holds no cookie of the balancer: pinned sessions stay pinned, and all answers are counted."""
    pinned = sessions(lambda session, turn, last: last or web(session))
    guests = sessions(lambda session, turn, last: web(session + turn), promise="open")
    told, alone = routing([*pinned, *guests]), routing(pinned)
    assert (told.affinity, told.pinned, told.steps) == (Affinity.PINNED, 1.0, alone.steps)
    assert sum(load.answers for load in told.loads) == 2 * sum(load.answers for load in alone.loads) == 8000


def test_streams_say_nothing_of_routing() -> None:
    """What is heard on a stream comes from where it was opened, however often."""
    spread = sessions(lambda session, turn, last: web(session + turn))
    heard = sessions(lambda session, turn, last: "web-1.1", promise="news")
    assert routing([*spread, *heard]) == routing(spread)


def test_nothing_is_told_without_evidence() -> None:
    """No answer, none through the balancer, one instance only, sessions too short or too few: nothing is told."""
    straight = sessions(lambda session, turn, last: "web-1.1", via="web-1.1")
    short = sessions(lambda session, turn, last: web(session), turns=2)
    alone = sessions(lambda session, turn, last: "web-1.1")
    few = sessions(lambda session, turn, last: last or web(session), number=9)
    for told in (routing([]), routing(straight), routing(short), routing(alone, ready("web-1.1")), routing(few)):
        assert told.affinity is Affinity.UNKNOWN and (told.sessions == 9 or told.pinned == told.pinned_even == -1.0)
        assert told.words.startswith("not told: ") and not routing_warnings(PLAN, told)


def test_plan_that_says_round_robin_is_warned_of_pinning() -> None:
    """Only then: a sticky plan has what it asked for."""
    pinned = routing(sessions(lambda session, turn, last: last or web(session)))
    sticky = PLAN.model_copy(update={"balancer": PLAN.balancer.model_copy(update={"mode": "sticky"})})
    assert "sessions are pinned" in routing_warnings(PLAN, pinned)[0]
    assert not routing_warnings(sticky, pinned)
    assert not routing_warnings(PLAN, routing(sessions(lambda session, turn, last: web(session + turn))))
