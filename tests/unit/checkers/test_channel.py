"""channel: each anomaly by a worked example, exposures from after the death, and an oracle over small histories."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from chaoscheck.checkers.base import Death
from chaoscheck.checkers.channel import ChannelChecker
from chaoscheck.model.clock import NS
from chaoscheck.model.heard import Heard
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Cause
from chaoscheck.plan.steps import Promise
from tests.unit.checkers.making import names, op, run

MS = 1_000_000
TERMS = Promise.model_validate(
    {"kind": "channel", "within": "1s", "do": {"post": "/n"}, "see": {"websocket": "/ws", "value": "json:text"}}
)
SECOND = 1000
"""Milliseconds: times below are in those."""


def channel(**terms: object) -> ChannelChecker:
    return ChannelChecker("p", TERMS.model_copy(update=terms))


def sent(number: int, at: int, outcome: str = "ok", *, by: str = "web-1.1", lane: str = "user", via: str = "lb") -> Op:
    """Published by s1 at that millisecond, answered 5 ms later."""
    return op("do", outcome, at=at * MS, lasted=5 * MS, value=f"run.s1.{number}", who=by, obj="own", lane=lane, via=via)


def listened(
    about: int,
    at: int,
    *heard: str | int,
    outcome: str = "ok",
    since: int = 0,
    on: str = "web-2.1",
    lane: str = "user",
    via: str = "lb",
) -> Op:
    """Listened for that message until that millisecond; `since` -1: nothing shows that one is subscribed."""
    values = tuple(f"run.s1.{one}" if isinstance(one, int) else one for one in heard)
    seen = Heard(since * MS if since >= 0 else -1, values).text()
    who = on if outcome in ("ok", "gone") else ""
    made = op("see", outcome, at=(at - 1) * MS, lasted=MS, value=f"run.s1.{about}", seen=seen, who=who, obj="own",
              lane=lane, via=via)  # fmt: skip
    return made._replace(rid=f"r{at}-{about}-{via}-{lane}")


def missed(about: int, at: int, **keys: object) -> Op:
    return listened(about, at, outcome="gone", **keys)  # type: ignore[arg-type]


def death(who: str, at: int, strike: int = 0) -> Death:
    return Death(who, strike, at * MS, 0)


def test_messages_that_are_heard_break_nothing() -> None:
    """In one listening or in several, later than sent, sooner than overdue."""
    checker = run(channel(), [sent(1, 10), listened(1, 20, 1), sent(2, 30), sent(3, 40), listened(3, 50, 2, 3)])
    assert checker.tally().anomalies == []
    assert checker.value_of("s1", "own") == ""


def test_message_missed_on_a_continuous_subscription_is_lost() -> None:
    """Subscribed before it was sent, and still a while after it was due: asked once more, it never came."""
    checker = channel()
    assert not checker.feed(sent(1, 10))
    assert checker.feed(missed(1, 1020))
    checker.feed(missed(1, 2030, lane="confirm"))
    assert names(checker) == ["LOST_MESSAGE"]
    found = checker.tally().anomalies[0]
    assert (found.value, found.acker, found.guarantee) == ("run.s1.1", "web-1.1", "read-your-writes")


def test_message_missed_and_not_asked_for_again_is_an_open_doubt() -> None:
    """Nothing is a finding before it was confirmed."""
    checker = run(channel(), [sent(1, 10), missed(1, 1020)])
    assert names(checker) == []
    assert len(checker.tally().anomalies) == 1


def test_message_that_comes_after_all_is_late() -> None:
    """Heard while it was asked for again, or at any later time."""
    asked = run(channel(), [sent(1, 10), missed(1, 1020), listened(1, 1500, 1, lane="confirm")])
    later = run(channel(), [sent(1, 10), missed(1, 1020), sent(2, 1600), listened(2, 1700, 1, 2)])
    assert names(asked) == names(later) == ["LATE_MESSAGE"]
    assert asked.tally().anomalies[0].healed_ns == 1500 * MS


def mesh(at: int, heard: Iterable[tuple[str, str, bool]]) -> list[Op]:
    """Published on one, listened for on another: heard or not."""
    ops = []
    for number, (publisher, listener, came) in enumerate(heard, start=50):
        ops.append(sent(number, at, by=publisher, lane="confirm", via=publisher))
        if came:
            ops.append(listened(number, at + 30, number, on=listener, lane="confirm", via=listener))
        else:
            ops.append(missed(number, at + 1100, on=listener, lane="confirm", via=listener))
    return ops


def test_instance_that_never_hears_another_is_deaf() -> None:
    """Published on web-1, heard there and not on web-2: state in one instance, whoever asks."""
    cells = mesh(2100, [("web-1.1", "web-1.1", True), ("web-1.1", "web-2.1", False), ("web-2.1", "web-2.1", True)])
    checker = run(channel(), [sent(1, 10), missed(1, 1020), missed(1, 2030, lane="confirm"), *cells])
    assert names(checker) == ["DEAF_INSTANCE"]
    found = checker.tally().anomalies[0]
    assert (found.cause, found.acker) == (Cause.ONE_INSTANCE, "web-1.1")
    assert [(again.via, again.agrees) for again in found.confirms] == [("web-1.1", True), ("web-2.1", False)]


def test_mesh_in_which_all_hear_all_leaves_a_lost_message() -> None:
    """Nobody is deaf now: this one message was lost."""
    pairs = [(one, other, True) for one in ("web-1.1", "web-2.1") for other in ("web-1.1", "web-2.1")]
    checker = run(channel(), [sent(1, 10), missed(1, 1020), missed(1, 2030, lane="confirm"), *mesh(2100, pairs)])
    assert names(checker) == ["LOST_MESSAGE"]


def test_two_messages_heard_in_the_other_order_are_reordered() -> None:
    """The first was acknowledged before the second was sent."""
    checker = run(channel(), [sent(1, 10), sent(2, 30), listened(2, 40, 2, 1)])
    assert names(checker) == ["REORDERED"]
    apart = run(channel(), [sent(1, 10), sent(2, 30), listened(2, 40, 2), listened(1, 50, 1)])
    assert names(apart) == ["REORDERED"]


def test_order_is_owed_only_to_what_was_acknowledged_and_sent_while_subscribed() -> None:
    """An unknown one may be delivered late, one from before a reconnect may be replayed, one may come twice."""
    unknown = run(channel(), [sent(1, 10, "unknown"), sent(2, 30), listened(2, 40, 2, 1)])
    replayed = run(channel(), [sent(1, 10), sent(2, 30), listened(2, 40, 2, 1, since=20)])
    twice = run(channel(), [sent(1, 10), sent(2, 30), listened(2, 40, 1, 2, 1)])
    assert names(unknown) == names(replayed) == names(twice) == []


def test_message_whose_sending_failed_is_a_phantom() -> None:
    """Every attempt was refused; one that may have happened makes it possible."""
    failed = run(channel(), [sent(1, 10, "fail"), sent(2, 30), listened(2, 40, 1, 2)])
    retried = run(channel(), [sent(1, 10, "fail"), sent(1, 20, "unknown"), sent(2, 30), listened(2, 40, 1, 2)])
    assert names(failed) == ["PHANTOM"]
    assert names(retried) == []


def test_message_of_another_session_is_critical_where_they_are_private() -> None:
    """A channel of a value is everybody's."""
    ops = [sent(1, 10), listened(1, 20, "run.s9.4", 1)]
    found = run(channel(), ops).tally().anomalies
    assert [(one.name, one.critical, one.seen) for one in found] == [("CROSS_SESSION", True, "run.s9.4")]
    assert run(channel(of="value"), ops).tally().anomalies == []


def test_own_value_of_another_promise_is_no_phantom() -> None:
    """A service may tell on the channel what was written elsewhere."""
    assert names(run(channel(), [sent(1, 10), listened(1, 20, 9, 1)])) == []


def test_nothing_is_owed_while_disconnected_or_not_yet_subscribed() -> None:
    """Missed by a stream that ended, by one that came later, and by one of which no echo was heard."""
    ended = run(channel(), [sent(1, 10), listened(1, 1020, outcome="dropped", since=-1), sent(2, 1100),
                            listened(2, 2200, 2)])  # fmt: skip
    later = run(channel(), [sent(1, 10), listened(1, 1500, outcome="pending", since=100)])
    unproven = run(channel(), [sent(1, 10), listened(1, 1500, outcome="pending", since=-1)])
    for checker in (ended, later, unproven):
        assert checker.tally().anomalies == []
        assert checker.value_of("s1", "own") == ""


def test_stream_that_ended_is_listened_to_no_more() -> None:
    """Whatever else was under way is given up with it."""
    checker = run(channel(), [sent(1, 10), sent(2, 20), listened(2, 1020, outcome="dropped", since=-1)])
    assert checker.value_of("s1", "own") == ""


def test_newest_acknowledged_message_is_what_is_listened_for() -> None:
    """Whoever published without listening has it still to hear."""
    checker = run(channel(), [sent(1, 10), sent(2, 20), sent(3, 30, "unknown")])
    assert checker.value_of("s1", "own") == "run.s1.2"


def test_message_of_unknown_end_is_owed_to_nobody() -> None:
    """It may have been published, or may yet be."""
    for outcome in ("unknown", "fail"):
        checker = run(channel(), [sent(1, 10, outcome), sent(2, 30), listened(2, 3000, 2)])
        assert checker.tally().anomalies == []


def test_burst_of_which_the_end_is_missing_is_one_loss_of_its_first() -> None:
    """How long before the death it was acknowledged is what tells a buffer's length."""
    burst = [sent(number, 10 * number) for number in range(1, 6)]
    checker = run(channel(), [*burst, missed(5, 1200, *()), missed(5, 2300, lane="confirm")])
    lost = [one.value for one in checker.tally().anomalies]
    assert lost == ["run.s1.1"]
    checker = run(checker, [sent(9, 3000), listened(9, 5000, 9)])
    assert len(checker.tally().anomalies) == 1
    middle = run(channel(), [*burst, listened(5, 60, 1, 2, 3, 5), missed(4, 1200)])
    assert [one.value for one in middle.tally().anomalies] == ["run.s1.4"]


def test_circle_with_the_victim_and_the_next_without_it_is_one_exposure() -> None:
    """The victim acknowledged the message, or served the subscription; the next was published after the death."""
    acked = [sent(1, 10, by="web-1.1"), listened(1, 20, 1), sent(2, 200, by="web-3.1"), listened(2, 210, 2)]
    broke = listened(1, 110, outcome="dropped", since=-1)
    served = [sent(1, 10, by="web-2.1"), listened(1, 20, 1, on="web-1.1"), broke, sent(2, 200, by="web-2.1"),
              listened(2, 210, 2, on="web-3.1", since=150)]  # fmt: skip
    for ops in (acked, served):
        for told in range(len(ops) + 1):
            checker = run(channel(), ops[:told])
            checker.died(death("web-1.1", 100, strike=7))
            checker = run(checker, ops[told:])
            assert checker.tally().exposures == {7: 1}
            assert checker.exposed("s1") == []


def test_circle_is_exposed_until_the_next_one() -> None:
    """Sent before the death, or not heard: nothing was shown yet."""
    checker = run(channel(), [sent(1, 10), listened(1, 20, 1)])
    checker.died(death("web-1.1", 100))
    assert (checker.exposed("s1"), checker.tally().pending) == (["own"], {0: 1})
    run(checker, [sent(2, 200, "unknown", by=""), listened(1, 900, outcome="pending")])
    assert (checker.exposed("s1"), checker.tally().exposures) == (["own"], {})


def test_bystander_of_a_death_is_not_exposed() -> None:
    """Neither acknowledged by the victim nor served by it."""
    checker = run(channel(), [sent(1, 10), listened(1, 20, 1)])
    checker.died(death("web-3.1", 100))
    run(checker, [sent(2, 200), listened(2, 210, 2)])
    assert (checker.tally().exposures, checker.tally().pending) == ({}, {})


def test_exposure_that_is_read_back_as_a_loss_is_lost_and_not_kept() -> None:
    """The first message after the death is missed: by whoever is left."""
    ops = [sent(1, 10), listened(1, 20, 1), sent(2, 200, by="web-3.1"), missed(2, 1300)]
    checker = run(channel(), [*ops, missed(2, 2400, lane="confirm")])
    checker.died(death("web-1.1", 100, strike=3))
    tally = checker.tally()
    assert (tally.lost, tally.exposures, tally.pending) == ({3: 1}, {}, {})


def test_newer_message_that_was_heard_hides_no_loss_of_the_pair() -> None:
    """The first message after the death was missed, the second heard in the same listening: lost, not exposed."""
    ops = [sent(1, 10), listened(1, 20, 1), sent(2, 200, by="web-3.1"), sent(3, 300, by="web-3.1")]
    checker = run(channel(), [*ops, listened(3, 1300, 3), listened(3, 2400, lane="confirm")])
    checker.died(death("web-1.1", 100, strike=3))
    assert (checker.tally().lost, checker.tally().exposures) == ({3: 1}, {})


def test_message_that_its_acknowledger_took_to_its_death_counts_as_lost_by_it() -> None:
    """Acknowledged, not yet handed on, killed."""
    checker = run(channel(), [sent(1, 10), missed(1, 1020), missed(1, 2030, lane="confirm")])
    checker.died(death("web-1.1", 30, strike=5))
    assert checker.tally().lost == {5: 1}


# Against an oracle that knows the truth.

STEP = 2000
"""Milliseconds between two turns: whatever is missed is overdue by the next."""

TURN = st.fixed_dictionaries({
    "end": st.sampled_from(["ok", "ok", "ok", "fail", "unknown"]),
    "arrives": st.sampled_from(["yes", "yes", "yes", "no", "late"]),
    "break": st.sampled_from([False, False, False, True]),
    "dies": st.sampled_from([False, False, False, True]),
    "acker": st.sampled_from(["web-1.1", "web-2.1", "web-3.1"]),
    "server": st.sampled_from(["web-1.1", "web-2.1", "web-3.1"]),
})  # fmt: skip


def play(turns: list[dict[str, object]]) -> tuple[list[Op], list[str]]:
    """A session that publishes and listens once a turn, and what it was truly owed and didn't get, by name.

    The world decides what arrives: a message that failed never does, an unknown one may.
    """
    ops: list[Op] = []
    owed: list[str] = []
    since, server = 0, "web-2.1"
    late: list[int] = []
    for number, turn in enumerate(turns):
        at = 10 + number * STEP
        if turn["break"]:
            since, server, late = at - 5, str(turn["server"]), []
        end, arrives = str(turn["end"]), turn["arrives"]
        ops.append(sent(number, at, end, by=str(turn["acker"])))
        came = [*late, *([number] if arrives == "yes" and end != "fail" else [])]
        late = [number] if arrives == "late" and end != "fail" else []
        if turn["dies"]:
            ops.append(listened(number, at + 1500, *came, outcome="dropped", since=-1))
            since, late = at + 1600, []
            continue
        outcome = "ok" if number in came else "gone" if end == "ok" else "pending"
        ops.append(listened(number, at + 1500, *came, outcome=outcome, since=since, on=server))
        if end == "ok" and number not in came:
            owed.append(f"run.s1.{number}")
    return ops, owed


@settings(max_examples=400, deadline=None)
@given(turns=st.lists(TURN, max_size=10))
def test_doubts_are_exactly_the_messages_that_were_owed(turns: list[dict[str, object]]) -> None:
    """Never a message of unknown end, never one that a broken stream missed, and none that was owed is passed over."""
    ops, owed = play(turns)
    checker = channel()
    doubted = [each for each in ops if checker.feed(each)]
    found = checker.tally().anomalies
    assert {one.name for one in found} <= {"LOST_MESSAGE", "LATE_MESSAGE"}
    assert [one.value for one in found] == owed
    assert len(doubted) == len(owed)
    assert all(one.healed_ns >= 0 for one in found if one.name == "LATE_MESSAGE")


def expected_exposures(ops: list[Op], dead: Death) -> int:
    """Straight from the words: the last circle before had the victim in it, the next, without it, began after."""
    circles: list[tuple[set[str], int]] = []
    acks = {each.value: each for each in ops if each.action == "do" and each.outcome == "ok"}
    broken: list[int] = []
    for each in ops:
        if each.action == "see" and each.outcome == "ok":
            circles.append(({acks[each.value].incarnation, each.incarnation}, acks[each.value].sent_ns)
                           if each.value in acks else (set(), -1))  # fmt: skip
        elif each.action == "see" and each.outcome == "gone":
            broken.append(len(circles))
            circles.append((set(), -1))
    whole = [(parties, at) for parties, at in circles if parties or at == -1]
    count = 0
    last: set[str] | None = None
    for parties, at in whole:
        if not parties:
            last = None if len(broken) else last
            continue
        if last is not None and dead.incarnation in last - parties and at > dead.death_ns:
            count += 1
        last = parties
    return count


@settings(max_examples=300, deadline=None)
@given(turns=st.lists(TURN, max_size=10), at=st.integers(0, 10), told=st.integers(0, 24))
def test_exposures_are_the_same_whenever_the_death_is_told(turns: list[dict[str, object]], at: int, told: int) -> None:
    """Live, or read again later from the history; the dead acknowledge nothing."""
    dead = death("web-1.1", at * STEP, strike=2)
    alive = [turn for number, turn in enumerate(turns) if 10 + number * STEP < at * STEP or _without(turn)]
    only_acks = [{**turn, "end": "ok", "arrives": "yes", "dies": False, "break": False} for turn in alive]
    for each in (alive, only_acks):
        ops, _ = play(each)
        late = run(channel(), ops[:told])
        late.died(dead)
        late = run(late, ops[told:])
        early = channel()
        early.died(dead)
        run(early, ops)
        assert late.tally().exposures == early.tally().exposures
        assert late.tally().pending == early.tally().pending
    assert early.tally().exposures.get(2, 0) == expected_exposures(ops, dead)


def _without(turn: dict[str, object]) -> bool:
    return turn["acker"] != "web-1.1" and turn["server"] != "web-1.1"


@settings(max_examples=200, deadline=None)
@given(turns=st.lists(TURN, max_size=10), cut=st.integers(0, 20))
def test_folding_says_what_feeding_says(turns: list[dict[str, object]], cut: int) -> None:
    """In batches of plain tuples, and after the session was forgotten."""
    ops, _ = play(turns)
    fed, folded = run(channel(), ops), channel()
    folded.fold([tuple(each) for each in ops[:cut]])
    folded.fold(tuple(each) for each in ops[cut:])
    assert folded.tally() == fed.tally()
    fed.forget("s1")
    folded.forget("s1")
    assert folded.tally() == fed.tally()
    assert fed.tally().anomalies == run(channel(), ops).tally().anomalies


def test_time_that_a_message_may_take_is_the_plan_s() -> None:
    """Two seconds where it says nothing."""
    ops = [sent(1, 10), sent(2, 20), listened(2, 1500, 2)]
    assert len(run(channel(), ops).tally().anomalies) == 1
    assert run(ChannelChecker("p"), ops).tally().anomalies == []
    assert NS == 1000 * MS
