"""A worker's crew in virtual time."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest

from chaoscheck.model.ops import Op
from chaoscheck.traffic.base import (
    Confirmed,
    Died,
    FinalDone,
    Hello,
    Over,
    PaceIs,
    Settled,
    Stop,
    Tick,
    Volley,
    VolleyOver,
    VolleyReady,
)
from chaoscheck.traffic.doubts import READ_TRIES
from tests.unit.traffic.site import MS, NAMES, NS, Scene

PROMISES = ("login", "profile", "reviews")


def by_session(ops: list[Op]) -> dict[str, list[Op]]:
    grouped: dict[str, list[Op]] = defaultdict(list)
    for op in ops:
        grouped[op.session].append(op)
    return grouped


def test_sessions_keep_the_pace_that_was_asked_for() -> None:
    """30 users with a turn each 2 s make about 30/2 turns a second, each with one look at the login."""
    scene = Scene()
    scene.phase("baseline", 60)
    looks = [op for op in scene.lane("user") if (op.promise, op.action) == ("login", "see") and op.sent_ns > 10 * NS]
    assert 0.8 * 15 * 50 < len(looks) < 1.2 * 15 * 50


def test_operations_of_a_session_never_overlap() -> None:
    """A session is one client: whoever acts for it, its operations follow one another."""
    scene = Scene()
    scene.phase("baseline", 10)
    die(scene, "web-0.1")
    scene.run(5)
    die(scene, "web-1.1", strike=1)
    scene.run(10)
    for ops in by_session(scene.book.ops).values():
        assert all(before.done_ns <= after.sent_ns for before, after in itertools.pairwise(ops))


def test_a_late_service_does_not_move_the_schedule() -> None:
    """Turns begin on schedule: what is measured from the intended start includes the wait for a slow answer before."""
    scene = Scene(users=1, life_s=1000.0)
    scene.phase("baseline", 30)
    calm = [op.intended_ns for op in scene.lane("user")]
    slow = Scene(users=1, life_s=1000.0)
    slow.site.stall_ns = (10 * NS, 18 * NS)
    slow.phase("baseline", 30)
    late = [op for op in slow.lane("user") if 18 * NS <= op.sent_ns < 19 * NS]
    assert max(op.sent_ns - op.intended_ns for op in late) > 3 * NS
    assert max(tick.late_ms for tick in slow.of(Tick)) < 1  # type: ignore[attr-defined]
    assert len(calm) == pytest.approx(len(slow.lane("user")), abs=4)


def test_the_same_seed_makes_the_same_traffic() -> None:
    """Who does what and when is a function of the seed; another seed is another schedule."""
    runs = []
    for seed in (7, 7, 8):
        scene = Scene(seed=seed)
        scene.phase("baseline", 10)
        runs.append(scene.book.ops)
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_sessions_come_and_go_so_that_logins_stay_young() -> None:
    """Sessions live about as long as asked, the first ones shorter; each departs after it was read everywhere."""
    scene = Scene(life_s=5.0)
    scene.phase("baseline", 60)
    departed = {end.session: end.ended_ns for end in scene.book.ends if end.why == "departed"}
    lives = [departed[born.session] - born.born_ns for born in scene.book.births if born.session in departed]
    assert len(departed) > 200
    assert 4 * NS < sum(lives) / len(lives) < 8 * NS
    finals = by_session(scene.lane("final"))
    assert all({op.via for op in finals[session]} == set(NAMES) for session in departed if session in finals)
    assert len(finals) > 0.95 * len(departed)


def test_live_sessions_never_share_a_listed_account() -> None:
    """With fewer names than seats some seats stay empty; a name comes back when its session is over."""
    scene = Scene(users=10, life_s=3.0, plan={"accounts": ["ann", "bob", "cid"]})
    scene.phase("baseline", 60)
    ended = {end.session: end.ended_ns for end in scene.book.ends}
    for name in ("ann", "bob", "cid"):
        births = [born for born in scene.book.births if born.user == name]
        lives = sorted((born.born_ns, ended.get(born.session, 61 * NS)) for born in births)
        assert len(lives) > 5
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(lives))


def test_arrivals_come_at_their_rate_whatever_became_of_the_others() -> None:
    """Five a second for a minute are about 300, with no seats to wait for."""
    scene = Scene(users=0, arrivals=5.0, life_s=4.0)
    scene.phase("baseline", 60)
    assert 240 < len(scene.book.births) < 360


def test_a_login_that_fails_thrice_ends_the_session() -> None:
    """The seat tries again with somebody new."""
    scene = Scene(users=1)
    scene.site.broken_logins = 3
    scene.phase("baseline", 5)
    assert scene.book.ends[0].why == "login failed"
    assert len(scene.book.births) == 2


def test_what_a_death_exposed_is_read_back_within_seconds() -> None:
    """Every session that holds what the victim acknowledged comes back early and reads that first."""
    scene = Scene(users=60, turn_s=20.0, life_s=500.0)
    scene.phase("baseline", 40)
    die(scene, "web-0.1")
    scene.run(0.6)
    exposed = last_tick(scene).exposed["0"]
    assert all(count > 5 for count in exposed.values())
    scene.run(3.0)
    after = last_tick(scene)
    assert after.read_back["0"] == after.exposed["0"]
    assert after.exposures == after.read_back["0"]
    assert max(tick.late_ms for tick in scene.of(Tick)) < 1  # type: ignore[attr-defined]


def test_a_session_with_much_to_read_back_comes_back_until_it_is_done() -> None:
    """More objects than one turn reads, and a next turn that is far away: the early turns follow each other."""
    scene = Scene(users=30, turn_s=1.0, life_s=500.0)
    scene.phase("baseline", 60)
    scene.crew.turn_s = 30.0
    scene.run(40)
    die(scene, "web-0.1")
    scene.run(5.0)
    after = last_tick(scene)
    assert after.exposed["0"]["reviews"] > 150
    assert after.read_back["0"] == after.exposed["0"]
    assert max(tick.late_ms for tick in scene.of(Tick)) < 1  # type: ignore[attr-defined]


def test_a_contradiction_is_confirmed_with_the_jar_as_it_was() -> None:
    """Asking the wrong instance replaced the cookie; the confirming reads carry the good one, known to its holder."""
    scene = Scene(shared=False, users=5, life_s=100_000.0)
    scene.phase("baseline", 20)
    assert not scene.lane("final")
    confirms = [op for op in scene.lane("confirm") if op.promise == "login"]
    assert {op.via for op in confirms} == set(NAMES)
    assert {op.outcome for op in confirms} == {"ok", "gone"}
    assert {message.promise for message in scene.of(Confirmed)} == set(PROMISES)  # type: ignore[attr-defined]


def test_doubts_of_one_sort_are_confirmed_everywhere_a_few_times_a_phase_and_then_only_fed() -> None:
    """A service that loses everything must not turn the whole load into confirming reads."""
    scene = Scene(shared=False, users=30)
    scene.phase("baseline", 40)
    asked: dict[tuple[str, str], set[str]] = {}
    for op in scene.lane("confirm"):
        if op.promise == "reviews":
            asked.setdefault((op.session, op.value), set()).add(op.via)
    confirmed = [vias for vias in asked.values() if len(vias) == len(NAMES)]
    tally = scene.crew.checkers["reviews"].tally()
    assert 0 < len(confirmed) <= 20
    assert len(tally.anomalies) > 60


def test_after_settle_no_user_sends_anything() -> None:
    """Turns under way end, then the worker says so, and nothing of the load follows."""
    scene = Scene()
    scene.phase("baseline", 20)
    scene.phase("settle", 5)
    assert len(scene.of(Settled)) == 1
    settled_ns = next(op.done_ns for op in reversed(scene.book.ops))
    assert settled_ns < 21 * NS
    assert {op.lane for op in scene.book.ops if op.sent_ns > 20 * NS} <= {"user", "final"}


def test_final_reads_see_every_object_through_every_living_instance() -> None:
    """Due are all certain objects times the instances that serve; a dead one owes nothing."""
    scene = Scene()
    scene.phase("baseline", 20)
    die(scene, "web-2.1")
    scene.run(3)
    scene.phase("settle", 3)
    certain = sum(len(hand.certain()) for session in scene.crew.sessions.values() for hand in session.hands)
    before = len(scene.lane("final"))
    scene.phase("final reads", 10)
    final = scene.of(FinalDone)[0]
    assert isinstance(final, FinalDone)
    assert final.due == final.done
    assert certain > 60
    assert len(scene.lane("final")) - before == 2 * certain
    assert {op.via for op in scene.lane("final")[before:]} == {"web-0.1", "web-1.1"}


def test_final_reads_that_get_no_answer_are_due_but_not_done() -> None:
    """An instance that should serve and refuses is counted as what it is."""
    scene = Scene(users=3)
    scene.phase("baseline", 10)
    scene.phase("settle", 3)
    scene.site.dead.add("web-2.1")
    scene.phase("final reads", 60)
    final = scene.of(FinalDone)[0]
    assert isinstance(final, FinalDone)
    assert final.done["login"] < final.due["login"]


def test_session_that_departs_while_its_instance_dies_is_not_owed_its_answer() -> None:
    """The news of a death comes later than the refusals: reads tried in between aren't due."""
    scene = Scene(life_s=4.0)
    scene.phase("chaos", 10)
    scene.site.dead.add("web-2.1")
    scene.run(1.5)
    refused = [op for op in scene.lane("final") if (op.via, op.outcome) == ("web-2.1", "dropped")]
    assert len(refused) >= READ_TRIES
    die(scene, "web-2.1")
    scene.run(10)
    scene.phase("settle", 3)
    scene.phase("final reads", 10)
    final = scene.of(FinalDone)[0]
    assert isinstance(final, FinalDone)
    assert final.due == final.done


def test_a_burst_keeps_writing_to_the_victim_until_it_refuses() -> None:
    """All go straight to the victim, the login included; the last acknowledgement is close to the death."""
    scene = Scene()
    scene.phase("baseline", 10)
    volley(scene, "burst", until_ns=30 * NS)
    scene.run(1.0)
    assert [message.clients for message in scene.of(VolleyReady)] == [4]  # type: ignore[attr-defined]
    died_ns = scene.world.now_ns()
    scene.site.dead.add("web-1.1")
    scene.run(0.2)
    over = scene.of(VolleyOver)[0]
    assert isinstance(over, VolleyOver)
    burst = scene.lane("burst")
    acked = [op for op in burst if op.outcome == "ok" and op.promise != "login"]
    assert {op.via for op in burst} == {"web-1.1"}
    assert over.acked == len(acked) > 100
    assert died_ns - max(op.done_ns for op in acked) < 20 * MS


def test_clients_of_a_burst_write_in_turn_and_not_all_at_once() -> None:
    """How late writes are kept is seen no finer than the gaps between acknowledgements."""
    scene = Scene()
    scene.phase("baseline", 10)
    volley(scene, "burst", until_ns=12 * NS)
    scene.run(2.0)
    writes = (op.sent_ns for op in scene.lane("burst") if op.promise != "login" and op.action == "do")
    sent = sorted(sent_ns for sent_ns in writes if 11 * NS < sent_ns < 12 * NS)
    gaps = [later - before for before, later in itertools.pairwise(sent)]
    assert len(gaps) > 100
    assert sorted(gaps)[len(gaps) * 9 // 10] < 5 * MS


def test_a_sham_burst_ends_by_itself() -> None:
    """Nobody dies: the burst ends at its time, and its sessions go on as users and leave."""
    scene = Scene()
    scene.phase("baseline", 10)
    volley(scene, "burst", until_ns=11 * NS)
    scene.run(15)
    assert len(scene.of(VolleyOver)) == 1
    assert max(op.sent_ns for op in scene.lane("burst")) < 11.1 * NS
    bursters = {op.session for op in scene.lane("burst")}
    assert bursters <= {end.session for end in scene.book.ends if end.why == "departed"}


def test_in_flight_writes_start_at_their_offsets() -> None:
    """One write of each client, at its drawn moment, straight at the victim."""
    scene = Scene()
    scene.phase("baseline", 10)
    volley(scene, "in-flight", start_ns=12 * NS, offsets_ns=(0, 3 * MS, 9 * MS, 20 * MS))
    scene.run(4)
    shots = [op for op in scene.lane("inflight") if op.promise != "login"]
    assert sorted(op.sent_ns - 12 * NS for op in shots) == [0, 3 * MS, 9 * MS, 20 * MS]
    assert {op.via for op in shots} == {"web-1.1"}


def test_burst_at_a_slow_victim_begins_with_its_first_client() -> None:
    """Whoever struck when nobody had written yet would have put nothing to the test; the limit is the controller's."""
    scene = Scene()
    scene.phase("baseline", 10)
    scene.site.stall_ns = (10 * NS, 17 * NS)
    volley(scene, "burst", until_ns=30 * NS)
    scene.run(5.0)
    assert not scene.of(VolleyReady)
    scene.run(2.5)
    assert [message.clients for message in scene.of(VolleyReady)] == [1]  # type: ignore[attr-defined]
    scene.run(0.5)
    assert [op for op in scene.lane("burst") if op.promise != "login" and op.outcome == "ok"]


def test_lower_pace_means_fewer_sessions_and_no_catching_up() -> None:
    """What was overdue would be the very load that was too much; nobody who is left out sends another request."""
    scene = Scene(users=30, turn_s=1.0, life_s=500.0)
    scene.phase("baseline", 10)
    before = sum(op.sent_ns >= 5 * NS for op in scene.lane("user"))
    scene.site.stall_ns = (10 * NS, 14 * NS)
    scene.run(4.0)
    scene.crew.handle(PaceIs(users={"w0": 6}, turn_s=6.0, life_s=500.0))
    scene.run(12.0)
    assert len(scene.crew.sessions) == 6
    assert {end.why for end in scene.book.ends} == {"dismissed"}
    assert sum(14 * NS <= op.sent_ns < 15 * NS for op in scene.lane("user")) < 6 * 8
    assert sum(15 * NS <= op.sent_ns < 20 * NS for op in scene.lane("user")) < before / 15
    assert max(tick.p95_ms for tick in scene.of(Tick) if tick.t_ns > 15 * NS) < 100  # type: ignore[attr-defined]
    scene.run(20.0)
    assert len({op.session for op in scene.lane("user") if op.sent_ns > 30 * NS}) == 6


def test_pace_that_names_another_worker_only_slows_this_one() -> None:
    """Its sessions stay where nothing is said of their number, and none comes late to a turn that it waits for."""
    scene = Scene(users=12, turn_s=20.0, life_s=500.0)
    scene.phase("baseline", 5)
    scene.crew.handle(PaceIs(users={"w1": 1}, turn_s=4.0, life_s=500.0))
    scene.run(20.0)
    assert len(scene.crew.sessions) == 12
    assert max(op.sent_ns - op.intended_ns for op in scene.lane("user")) < 50 * MS


def test_first_users_come_as_slowly_as_their_logins_may() -> None:
    """A login is more work than most turns: all at once they would be a load that the plan never asked for."""
    scene = Scene(users=30, turn_s=20.0, life_s=500.0, ramp_s=10.0)
    scene.phase("baseline", 5)
    assert 12 <= len(scene.crew.sessions) <= 18
    scene.run(6.0)
    assert len(scene.crew.sessions) == 30


def test_a_volley_at_nobody_says_that_nobody_is_aboard() -> None:
    """The controller need not wait for its limit."""
    scene = Scene()
    scene.phase("baseline", 1)
    scene.crew.handle(Volley(strike=0, mode="burst", victim="web-9.9", clients=4, start_ns=0, until_ns=NS))
    assert [message.clients for message in scene.of(VolleyReady)] == [0]  # type: ignore[attr-defined]
    assert [message.acked for message in scene.of(VolleyOver)] == [0]  # type: ignore[attr-defined]


def test_only_user_traffic_is_counted() -> None:
    """Ticks tell attempts of the user lane: not bursts, not final reads."""
    scene = Scene(life_s=4.0)
    scene.phase("baseline", 10)
    volley(scene, "burst", until_ns=11 * NS)
    scene.run(5)
    counted = sum(tick.requests for tick in scene.of(Tick))  # type: ignore[attr-defined]
    until_ns = last_tick(scene).t_ns
    assert counted == len([op for op in scene.lane("user") if op.done_ns <= until_ns])
    assert len(scene.lane("burst")) > 50


def test_stop_closes_the_history_and_says_over_once() -> None:
    """Whoever is still there is written down as stopped; a second Stop changes nothing."""
    scene = Scene(users=5)
    scene.phase("baseline", 5)
    scene.crew.handle(Stop())
    scene.crew.handle(Stop())
    assert len(scene.of(Over)) == 1
    assert scene.book.closed
    assert {end.session for end in scene.book.ends} == {born.session for born in scene.book.births}


def test_after_stop_nothing_is_sent_any_more() -> None:
    """What can't be recorded must not go out: sessions in the middle of a turn end where they are."""
    scene = Scene(users=300)
    scene.phase("baseline", 5)
    scene.crew.handle(Stop())
    sent = len(scene.book.invoked)
    scene.run(10)
    assert len(scene.book.invoked) == sent


def test_what_a_worker_is_never_told_is_refused() -> None:
    """A message of the wrong direction is a defect, not something to pass over."""
    with pytest.raises(ValueError, match="never told Hello"):
        Scene().crew.handle(Hello(worker="w0", pid=1, deliveries=1))


def die(scene: Scene, name: str, strike: int = 0) -> None:
    scene.site.dead.add(name)
    scene.crew.handle(Died(incarnation=name, strike=strike, death_ns=scene.world.now_ns(), error_ns=0))


def volley(scene: Scene, mode: str, *, start_ns: int = 0, until_ns: int = 0, offsets_ns: tuple[int, ...] = ()) -> None:
    scene.crew.handle(
        Volley(
            strike=0,
            mode=mode,
            victim="web-1.1",
            clients=4,
            start_ns=start_ns,
            until_ns=until_ns,
            offsets_ns=offsets_ns,
        )
    )


def last_tick(scene: Scene) -> Tick:
    last = scene.of(Tick)[-1]
    assert isinstance(last, Tick)
    return last
