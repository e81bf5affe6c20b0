"""schedule against what truly happened: drawn nights, deaths, delays and questions."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.schedule import GRACE_NS, ScheduleChecker
from chaoscheck.model.clock import NS
from tests.unit.checkers.nights import TERMS, Nights, found, ledger, observe

TICKS = 12
LATE = st.lists(st.integers(0, NS * 9 // 10), min_size=TICKS, max_size=TICKS)
FAULTS = st.frozensets(st.integers(0, TICKS - 1), max_size=3)
DEATHS = st.lists(
    st.tuples(st.sampled_from(["web-2.1", "web-3.1"]), st.integers(0, 120)),
    max_size=2,
    unique_by=lambda death: death[0],
).map(lambda drawn: [Death(who, number, tenth * NS // 10 + 7, 3) for number, (who, tenth) in enumerate(drawn)])
GAPS = st.lists(st.integers(NS // 50, NS * 2), min_size=5, max_size=60)
LOST = st.lists(st.booleans(), max_size=60)
END_NS = (TICKS - 1) * NS


def until_the_end(gaps: list[int]) -> list[int]:
    """Those questions that come before the last tick: after it the world ends, and so does the schedule."""
    kept, now = [], 0
    for gap in gaps:
        now += gap
        if now > END_NS:
            break
        kept.append(gap)
    return kept


@settings(max_examples=600, deadline=None)
@given(late=LATE, never=FAULTS, twice=FAULTS, deaths=DEATHS, gaps=GAPS, lost=LOST, news=st.integers(0, NS * 4 // 5))
def test_schedule_any_nights_doubts_only_ticks_that_were_at_fault(
    late: list[int], never: frozenset[int], twice: frozenset[int], deaths: list[Death], gaps: list[int],
    lost: list[bool], news: int,
) -> None:  # fmt: skip
    """Never a wrong verdict: not live, where deaths are told late, nor when it is judged with all of them known."""
    nights = Nights(late_ns=late, never=never, twice=twice, deaths=deaths)
    live, asked = observe(nights, until_the_end(gaps), news_ns=news, lost=lost)
    judged = ScheduleChecker("p", TERMS)
    for death in deaths:
        judged.died(death)
    judged.fold(asked)
    for checker in (live, judged):
        for name, tick in found(checker, confirmed=False):
            assert tick in (twice if name == "DUPLICATE_RUN" else never), name
    assert {tick for _, tick in found(live)} <= {tick for _, tick in found(judged)}


@settings(max_examples=400, deadline=None)
@given(late=LATE, never=FAULTS, twice=FAULTS, deaths=DEATHS)
def test_schedule_watched_closely_finds_every_tick_at_fault(
    late: list[int], never: frozenset[int], twice: frozenset[int], deaths: list[Death]
) -> None:
    """Nor a missed one, of those between the first tick seen and the last whose time is over."""
    nights = Nights(late_ns=late, never=never, twice=twice - never, deaths=deaths)
    checker, asked = observe(nights, until_the_end([NS // 10] * 200))
    seen = [max(nights.listed(each.sent_ns)) for each in asked if nights.listed(each.sent_ns)]
    first = seen[0] if seen else TICKS
    shown = set(nights.listed(END_NS))
    wanted = {("DUPLICATE_RUN", tick) for tick in nights.twice & shown if tick > first}
    # Bounded by the tick before it, which is shown at most this late, and by deaths that may have been the runner's.
    slack_ns = 5 * NS + GRACE_NS
    for tick in never:
        near = any(tick * NS - 4 * NS <= death.death_ns <= tick * NS + slack_ns + NS for death in deaths)
        alone = not any(other in never for other in (tick - 1, tick - 2, tick - 3, tick + 1))
        if tick > first and alone and not near and tick * NS + slack_ns < END_NS:
            wanted.add(("MISSED_TICK", tick))
    assert {name for name in wanted if name[0] == "DUPLICATE_RUN"} <= found(checker, confirmed=False)
    missed = {tick for name, tick in found(checker) if name != "DUPLICATE_RUN"}
    assert {tick for name, tick in wanted if name == "MISSED_TICK"} <= missed


@settings(max_examples=400, deadline=None)
@given(owners=st.lists(st.integers(0, 2), min_size=TICKS, max_size=TICKS), deaths=DEATHS, gaps=GAPS)
def test_schedule_claimed_ticks_in_ledgers_of_their_own_break_nothing(
    owners: list[int], deaths: list[Death], gaps: list[int]
) -> None:
    """Each was run once; a ledger that went with its instance says nothing of what was run."""
    checker = ScheduleChecker("p", TERMS)
    for death in deaths:
        checker.died(death)
    nights, now = Nights(late_ns=[NS // 5] * TICKS, deaths=deaths), 0
    for number, gap in enumerate(until_the_end(gaps)):
        now += gap
        names = nights.alive(now)
        who = names[number % len(names)]
        mine = [tick for tick in nights.listed(now) if owner(nights, owners, tick) == who]
        assert not checker.feed(ledger(mine, now, who))
    assert found(checker, confirmed=False) == set()


def owner(nights: Nights, owners: list[int], tick: int) -> str:
    """Who completed it, of those that lived."""
    names = nights.alive(nights.completed_ns(tick))
    return names[owners[tick] % len(names)]


@settings(max_examples=300, deadline=None)
@given(late=LATE, never=FAULTS, twice=FAULTS, deaths=DEATHS, gaps=GAPS, cut=st.integers(0, 80))
def test_schedule_fold_says_what_feed_says(
    late: list[int], never: frozenset[int], twice: frozenset[int], deaths: list[Death], gaps: list[int], cut: int
) -> None:
    """In two batches, before and after the session is forgotten."""
    _, asked = observe(Nights(late_ns=late, never=never, twice=twice, deaths=deaths), gaps)
    folded, fed = ScheduleChecker("p", TERMS), ScheduleChecker("p", TERMS)
    for death in deaths:
        folded.died(death)
        fed.died(death)
    folded.fold(list(asked[:cut]))
    folded.fold(iter(asked[cut:]))
    for each in asked:
        fed.feed(each)
    assert folded.tally() == fed.tally()
    folded.forget("s1")
    fed.forget("s1")
    assert folded.tally() == fed.tally()
