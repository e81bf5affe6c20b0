"""Which cause the evidence allows, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaoscheck.checkers import causes
from chaoscheck.checkers.base import Anomaly, Reread, Tally
from chaoscheck.checkers.causes import Evidence, Explained, explain, same_sort
from chaoscheck.checkers.timeline import Timeline, timeline
from chaoscheck.model.clock import NS
from chaoscheck.model.events import Event, InstanceDied, StoreDied
from chaoscheck.model.ops import Lane
from chaoscheck.model.verdict import Cause
from tests.unit.checkers.making import op

READ_NS = 10 * NS


def died(name: str, at_ns: int) -> InstanceDied:
    return InstanceDied(
        t_ns=at_ns, instance=name, asked=False, death_ns=at_ns, error_ns=0, exit_code=137, out_of_memory=False, log=""
    )


def lost(acker: str, confirms: tuple[Reread, ...], *, session: str = "s1", read_ns: int = READ_NS) -> Anomaly:
    """Acknowledged by `acker` a second before another instance missed it."""
    read = op("see", "gone", at=read_ns, who="web-2.1", session=session, lane=Lane.USER.value)
    return Anomaly(
        name="LOST", promise="p", session=session, obj="o", value="v", seen="", critical=False, confirmed=True,
        acker=acker, acked_ns=read_ns - NS, read=read, healed_ns=-1, confirms=confirms, guarantee="read-your-writes",
    )  # fmt: skip


def missed(via: str, done_ns: int) -> Reread:
    return Reread(via, "gone", "", done_ns, False)


def told(events: list[Event], *anomalies: Anomaly) -> list[Explained]:
    known: Timeline = timeline(events)
    tally = Tally()
    tally.anomalies.extend(anomalies)
    evidence = Evidence.of(known, tally, "p")
    return [explain(one, evidence) for one in anomalies]


def test_holder_that_dies_while_it_waits_to_be_asked_had_it_alone() -> None:
    """Another instance missed it while the holder lived; that nobody could ask the holder any more changes nothing."""
    confirms = (missed("web-2.1", READ_NS + NS // 50), missed("web-3.1", READ_NS + NS // 20))
    for after_ns in (NS // 25, NS):
        [one] = told([died("web-1.1", READ_NS + NS // 20 + after_ns)], lost("web-1.1", confirms))
        assert one.cause is Cause.ONE_INSTANCE


def test_holder_that_dies_much_later_is_no_excuse() -> None:
    """It could have been asked, so the loss happened while it lived."""
    confirms = (missed("web-2.1", READ_NS + NS // 50), missed("web-3.1", READ_NS + NS // 20))
    [one] = told([died("web-1.1", READ_NS + 5 * NS)], lost("web-1.1", confirms))
    assert one.cause is Cause.BACKGROUND


def test_losses_with_a_dead_instance_keep_their_cause_beside_holders_that_died_unasked() -> None:
    """What the living had alone isn't a loss that needs no death, so it doesn't turn the others into background."""
    confirms = (missed("web-2.1", READ_NS + NS // 50), missed("web-3.1", READ_NS + NS // 20))
    unasked = [lost("web-1.1", confirms, session=f"a{number}") for number in range(3)]
    later_ns = READ_NS + 5 * NS
    after = (missed("web-2.1", later_ns + 10), missed("web-3.1", later_ns + 10), missed("web-1.2", later_ns + 10))
    orphans = [lost("web-1.1", after, session=f"b{number}", read_ns=later_ns) for number in range(3)]
    causes = [one.cause for one in told([died("web-1.1", READ_NS + NS // 10)], *unasked, *orphans)]
    assert causes == [Cause.ONE_INSTANCE] * 3 + [Cause.LOST_WITH_INSTANCE] * 3


def test_object_that_another_instance_showed_after_the_death_was_not_lost_with_its_maker() -> None:
    """Before it, another may have asked the maker; after it, it was elsewhere too."""
    confirms = (missed("web-2.1", READ_NS + NS // 50), missed("web-3.1", READ_NS + NS // 20))
    death = died("web-1.1", READ_NS - NS // 2)
    [alone] = told([death], lost("web-1.1", confirms))
    [before] = told([death], replace(lost("web-1.1", confirms), shown_ns=READ_NS - NS * 3 // 4))
    [after] = told([death], replace(lost("web-1.1", confirms), shown_ns=READ_NS - NS // 4))
    assert (alone.cause, before.cause) == (Cause.LOST_WITH_INSTANCE, Cause.LOST_WITH_INSTANCE)
    assert after.cause is Cause.BACKGROUND


def test_doubts_are_matched_in_time_that_grows_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand losses are one defect, and no reason to wait minutes for a verdict."""
    asked = 0
    sort = causes._sort

    def counting(*given: Any) -> tuple[str, str, str]:
        nonlocal asked
        asked += 1
        return sort(*given)

    monkeypatch.setattr(causes, "_sort", counting)
    known = timeline([died("web-1.1", READ_NS - NS // 2)])
    confirmed = told([died("web-1.1", READ_NS - NS // 2)], lost("web-1.1", (missed("web-2.1", READ_NS + 1),)))
    doubts = [replace(lost("web-1.1", (), session=f"s{number}"), confirmed=False) for number in range(500)]
    matched = same_sort(doubts, confirmed * 500, known)
    assert len(matched) == 500
    assert {one.cause for one in matched} == {confirmed[0].cause}
    assert asked <= 1000


@pytest.mark.parametrize(
    ("alive_ns", "noticed_ns", "cause"),
    [
        (READ_NS - NS // 3, READ_NS + NS // 10, Cause.STORE),
        (0, READ_NS + NS // 10, Cause.STORE),
        (READ_NS + NS // 20, READ_NS + NS // 2, Cause.BACKGROUND),
        (-1, READ_NS + NS // 10, Cause.BACKGROUND),
        (-1, READ_NS, Cause.STORE),
    ],
)
def test_loss_since_the_store_was_last_seen_up_may_be_its_doing(alive_ns: int, noticed_ns: int, cause: Cause) -> None:
    """It is noticed up to half a second after it went; -1 is of a recording that doesn't say."""
    gone = StoreDied(t_ns=noticed_ns, store="redis", detail="", alive_ns=alive_ns)
    confirms = (missed("web-1.1", READ_NS + NS // 50), missed("web-2.1", READ_NS + NS // 40))
    [one] = told([gone], lost("web-1.1", confirms))
    assert one.cause is cause
