"""Cards: the worst findings whole, as long as there is room; a victim's last lines once."""

from __future__ import annotations

from dataclasses import replace

from samples import results, story

from chaoscheck.model.verdict import Finding, Verdict
from chaoscheck.reporting.cards import OPEN, ROOM, cards, last_words


def found(**changes: object) -> Finding:
    return replace(results.result(Verdict.FAIL).findings[0], **changes)  # type: ignore[arg-type]


def test_cards_follow_the_order_of_the_findings_until_room_is_out() -> None:
    """No finding is left out, and none that is worse stands below one that isn't."""
    whole, rest = cards([found(at_ns=index) for index in range(500)], {})
    assert [card.number for card in (*whole, *rest)] == list(range(1, 501))
    assert len(whole) > 100 and rest
    assert [card.open for card in whole[: OPEN + 1]] == [True] * OPEN + [False]


def test_a_few_long_answers_take_the_room_of_many_short_ones() -> None:
    """Size, not number, is what a page has to keep small; one of 10 MB is cut and leaves room for others."""
    long = found(seen="x" * 10_000_000)
    whole, rest = cards([long] * 200, {})
    assert 0 < len(whole) <= ROOM // 20_000 and len(whole) + len(rest) == 200


def test_victims_last_lines_stand_in_the_first_finding_that_blames_the_kill() -> None:
    """Others lead to it; one that blames no kill has none."""
    blamed = found()
    other = replace(blamed, anomaly="STALE")
    free = replace(blamed, strike=-1)
    whole, _ = cards([free, blamed, other], {blamed.victim: "Traceback"})
    assert [(card.log, card.log_in) for card in whole] == [("", 0), ("Traceback", 0), ("", 2)]


def test_known_finding_is_folded() -> None:
    """What the plan knows isn't what a reader looks for first."""
    whole, _ = cards([found(known="ticket 7")], {})
    assert not whole[0].open


def test_last_words_are_of_those_who_were_struck() -> None:
    """One a kill, by the victim's name."""
    told = story.strikes(7)
    words = last_words(story.tell_events(7, told))
    assert set(words) == {strike.victim for strike in told if strike.mode != "sham"}
