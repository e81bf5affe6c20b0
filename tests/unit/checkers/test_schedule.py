"""Worked examples of each way in which a schedule is broken, and of what is never a violation."""

from __future__ import annotations

import pytest

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.causes import Evidence, explain
from chaoscheck.checkers.schedule import ScheduleChecker
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model.clock import NS
from chaoscheck.model.verdict import Cause
from tests.unit.checkers.nights import ALL, TERMS, Nights, found, ledger, observe

QUARTERS = [NS // 4] * 60
LATE = [NS // 5] * 15
DEATH = Death("web-3.1", 1, 6 * NS + NS // 10, 1000)


def test_schedule_each_tick_once_breaks_nothing() -> None:
    """Fifteen ticks, sixty questions."""
    checker, _ = observe(Nights(late_ns=LATE), QUARTERS)
    assert found(checker, confirmed=False) == set()
    assert checker.tally().outcomes == {"see/ok": 60}


def test_schedule_tick_listed_twice_is_a_duplicate_run_and_no_kill_s_doing() -> None:
    """Without a death near it, it is a scheduler in each instance."""
    checker, _ = observe(Nights(late_ns=LATE, twice=frozenset({4, 7})), QUARTERS)
    assert found(checker) == {("DUPLICATE_RUN", 4), ("DUPLICATE_RUN", 7)}
    assert {one.cause for one in checker.tally().anomalies} == {Cause.ONE_INSTANCE}


def test_schedule_tick_listed_twice_only_near_a_death_is_not_called_a_scheduler_in_each() -> None:
    """A run that was taken over although it had been completed."""
    nights = Nights(late_ns=LATE, twice=frozenset({6}), deaths=[DEATH])
    checker, _ = observe(nights, QUARTERS)
    assert found(checker) == {("DUPLICATE_RUN", 6)}
    assert checker.tally().anomalies[0].cause is None


def test_schedule_many_duplicates_are_asked_again_a_few_times_only() -> None:
    """The observer must not do nothing but confirm; the judge matches the others with these."""
    checker, asked = observe(Nights(late_ns=LATE, twice=frozenset(range(2, 12))), QUARTERS)
    assert sum(each.lane == "confirm" for each in asked) == 3 * len(ALL)
    assert len(found(checker)) == 3
    assert len(found(checker, confirmed=False)) == 10


def test_schedule_gap_is_a_missed_tick_once_its_time_is_over() -> None:
    """One interval, the lock time and a moment after it was due at the latest; not before."""
    nights = Nights(late_ns=LATE, never=frozenset({5}))
    assert found(observe(nights, QUARTERS[:26])[0], confirmed=False) == set()
    checker, _ = observe(nights, QUARTERS)
    assert found(checker) == {("MISSED_TICK", 5)}


def test_schedule_tick_missed_after_a_death_is_that_death_s_doing() -> None:
    """It was the victim's to run."""
    checker, _ = observe(Nights(late_ns=LATE, never=frozenset({6}), deaths=[DEATH]), QUARTERS)
    assert found(checker) == {("MISSED_TICK", 6)}
    anomaly = checker.tally().anomalies[0]
    assert (anomaly.acker, anomaly.cause) == (DEATH.incarnation, Cause.LOST_WITH_INSTANCE)
    assert explain(anomaly, Evidence.of(timeline([]), checker.tally(), "p")).cause is Cause.LOST_WITH_INSTANCE


def test_schedule_that_ends_is_stalled_once() -> None:
    """No new tick for twice the interval and the lock time, though instances answer."""
    checker, _ = observe(Nights(late_ns=LATE[:8]), [*QUARTERS, *QUARTERS])
    assert found(checker) == {("STALLED", 8)}


def test_schedule_tick_that_comes_too_late_is_stalled_not_missed() -> None:
    """It was run, after its time."""
    late = [*LATE[:5], 5 * NS + NS // 8, *LATE[6:]]
    checker, asked = observe(Nights(late_ns=late), QUARTERS)
    assert found(checker) == {("MISSED_TICK", 5)}
    shown = [each if each.lane != "confirm" else each._replace(seen='["4","5"]') for each in asked]
    again = ScheduleChecker("p", TERMS)
    again.fold(shown)
    assert ("STALLED", 5) in found(again)


def test_schedule_tick_taken_over_within_the_lock_time_breaks_nothing() -> None:
    """That is what a lock is for."""
    assert found(observe(Nights(late_ns=LATE, deaths=[DEATH]), QUARTERS)[0], confirmed=False) == set()


def test_schedule_ticks_before_the_first_one_seen_are_nobody_s_business() -> None:
    """Gaps and duplicates of former runs."""
    checker = ScheduleChecker("p", TERMS)
    for second in range(6):
        assert not checker.feed(ledger([1, 3, 3, 9, *range(10, 10 + second)], second * NS))
    assert found(checker, confirmed=False) == set()


def test_schedule_two_ledgers_make_one_tick_two_runs() -> None:
    """The second instance is younger: it lacks what the first still shows, so their ledgers are not one."""
    checker = ScheduleChecker("p", TERMS)
    doubts = []
    for second in range(3, 10):
        doubts.append(checker.feed(ledger(range(second), second * NS, "web-1.1")))
        doubts.append(checker.feed(ledger(range(3, second), second * NS + NS // 4, "web-2.2")))
        if doubts[-1]:
            checker.feed(ledger(range(second), second * NS + NS // 2, "web-1.1", lane="confirm"))
    assert any(doubts)
    assert {name for name, _ in found(checker)} == {"DUPLICATE_RUN"}
    assert {one.cause for one in checker.tally().anomalies} == {Cause.ONE_INSTANCE}


def test_schedule_one_ledger_that_pages_is_one_ledger() -> None:
    """All show the newest five; nobody lacks what another still has."""
    checker = ScheduleChecker("p", TERMS)
    for quarter in range(60):
        newest = quarter // 4
        assert not checker.feed(ledger(range(max(0, newest - 4), newest + 1), quarter * NS // 4, ALL[quarter % 3]))
    assert found(checker, confirmed=False) == set()


def test_schedule_page_that_begins_after_a_tick_leaves_it_open() -> None:
    """Three ticks were caught up at once, and the page lists the newest two: the third may well have been run."""
    checker = ScheduleChecker("p", TERMS)
    for second in range(1, 30):
        newest = second if second < 6 else max(5, second if second > 8 else 5)
        for number, who in enumerate(ALL):
            checker.feed(ledger([newest - 1, newest], second * NS + number * NS // 4, who))
    tally = checker.tally()
    assert tally.anomalies == []
    assert len(tally.inconclusive) == 2
    assert "tick 6 may have been run: the 2 ticks that" in tally.inconclusive[0]


def test_schedule_missed_tick_of_the_first_second_of_the_clock_is_told() -> None:
    """Numbers far apart put the time at which one was due before the clock began."""
    checker = ScheduleChecker("p", TERMS)
    for second in range(1, 12):
        for number, who in enumerate(ALL):
            ticks = [1] if second == 1 else [1, 500 + second]
            checker.feed(ledger(ticks, second * NS + number * NS // 4, who))
    assert {one.name for one in checker.tally().anomalies} == {"MISSED_TICK"}


def test_schedule_own_ledgers_leave_it_open_what_a_dead_one_had() -> None:
    """A claimed tick may be in the ledger that went with its runner: undecided, never missed."""
    checker = ScheduleChecker("p", TERMS)
    checker.died(Death("web-3.1", 1, 6 * NS + NS // 2, 0))
    for quarter in range(60):
        now, who = quarter * NS // 4, ALL[quarter % (3 if quarter < 26 else 2)]
        owner = {tick: tick % 3 if tick < 6 else tick % 2 for tick in range(quarter // 4)}
        mine = [tick for tick in owner if owner[tick] == ALL.index(who)]
        checker.feed(ledger(mine, now, who))
    assert found(checker, confirmed=False) == set()
    assert "may be in the ledger" in checker.tally().inconclusive[0]


def test_schedule_numbers_that_are_none_leave_it_undecided() -> None:
    """The plan reads something else."""
    checker = ScheduleChecker("p", TERMS)
    assert not checker.feed(ledger([], 0)._replace(seen='["tonight"]'))
    assert "no list of whole numbers" in checker.tally().inconclusive[0]


def test_schedule_exposure_is_a_tick_completed_after_the_death() -> None:
    """An instance that showed it only in a later answer than its first after the death."""
    checker = ScheduleChecker("p", TERMS)
    checker.died(Death("web-3.1", 2, 3 * NS, 0))
    checker.feed(ledger(range(3), 2 * NS, "web-1.1"))
    checker.feed(ledger(range(4), 4 * NS, "web-1.1"))
    assert (checker.tally().exposures, checker.tally().pending) == ({}, {2: 1})
    checker.feed(ledger(range(5), 4 * NS + NS // 2, "web-1.1"))
    assert (checker.tally().exposures, checker.tally().pending) == ({2: 1}, {})


def test_schedule_kill_after_which_a_tick_was_run_twice_is_lost() -> None:
    """The next tick ran, but not once."""
    checker, _ = observe(
        Nights(late_ns=LATE, twice=frozenset({8}), deaths=[Death("web-3.1", 1, 7 * NS + NS // 2, 0)]), QUARTERS
    )
    assert (checker.tally().exposures, checker.tally().lost) == ({}, {1: 1})


@pytest.mark.parametrize("name", ["gone", "dropped", "unrecognised"])
def test_schedule_without_answers_shows_nothing(name: str) -> None:
    """No ticks, no exposures: nothing is proven."""
    checker = ScheduleChecker("p", TERMS)
    checker.died(Death("web-3.1", 2, NS, 0))
    assert not any(checker.feed(ledger([1], second * NS)._replace(outcome=name)) for second in range(20))
    assert (checker.tally().anomalies, checker.tally().exposures, checker.tally().pending) == ([], {}, {2: 1})


def test_schedule_tick_is_not_missed_while_an_instance_was_not_asked_since() -> None:
    """It may be in the ledger of the one that is slow to answer."""
    checker = ScheduleChecker("p", TERMS)
    checker.feed(ledger([0, 1], 2 * NS, "web-2.1"))
    for quarter in range(8, 40):
        assert not checker.feed(ledger([tick for tick in range(quarter // 4) if tick != 3], quarter * NS // 4))
    assert checker.feed(ledger([0, 1], 10 * NS, "web-2.1"))
