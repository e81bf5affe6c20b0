"""What the observer and the controls do for a schedule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chaoscheck.model.ops import Outcome
from chaoscheck.plan.steps import Promise
from chaoscheck.promises.base import Told
from chaoscheck.promises.schedule import ScheduleKind
from tests.unit.promises.benches import bench
from tests.unit.promises.test_kinds import FakeHand

NIGHTLY = Promise.model_validate(
    {"kind": "schedule", "every": "1s", "lock": "1s", "see": {"get": "/x", "values": "json:a[*]"}}
)


def nightly(ticks: Callable[[float], list[object]]) -> dict[str, Told]:
    def answer(on: str, seconds: float, own: bool) -> tuple[Outcome, str]:
        return Outcome.OK, "[" + ",".join(f'"{tick}"' for tick in ticks(seconds)) + "]"

    return dict(ScheduleKind(NIGHTLY).control(bench(answer), "web-1.1"))


def test_schedule_controls_hold_and_fail_where_they_must() -> None:
    """One new tick a second."""
    said = nightly(lambda seconds: list(range(int(seconds))))
    assert (said["fail"].holds, said["hold"].holds) == (False, True)


def test_schedule_that_counts_its_questions_can_not_fail() -> None:
    """It grows faster than any schedule may."""
    asked = iter(range(1, 1000))
    assert nightly(lambda seconds: list(range(next(asked))))["fail"].holds is True


@pytest.mark.parametrize(
    ("ticks", "why"),
    [
        (lambda seconds: [], "did not grow"),
        (lambda seconds: [3, 4], "did not grow"),
        (lambda seconds: list(range(0, 60 * int(seconds), 60)), "one by one"),
        (lambda seconds: ["tonight"], "whole numbers"),
    ],
)
def test_schedule_that_does_not_grow_by_ones_does_not_hold(ticks: Callable[[float], list[object]], why: str) -> None:
    """Nothing runs, or the numbers are no ticks."""
    said = nightly(ticks)
    assert said["hold"].holds is False
    assert why in said["hold"].note


def test_schedule_takes_one_look_a_turn_and_is_nobody_s_own() -> None:
    """Its observer asks the next instance at each turn."""
    hand = FakeHand()
    ScheduleKind(NIGHTLY).turn(hand)
    assert hand.actions() == ["see"]
    assert ScheduleKind.alone and not ScheduleKind.plain_pairs and ScheduleKind.per_kill
