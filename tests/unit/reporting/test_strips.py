"""Strips: what the series says at its place, drawn for eyes and given to the script; nothing where nothing was."""

from __future__ import annotations

import math
import re

from samples import story

from chaoscheck.model import events as ev
from chaoscheck.model.ops import Outcome
from chaoscheck.model.series import Series
from chaoscheck.reporting.figure import LEFT, RIGHT, WIDTH
from chaoscheck.reporting.lanes import lanes
from chaoscheck.reporting.strips import BAD, strips
from chaoscheck.reporting.zoom import zoom

S = story.S


def series(**columns: object) -> Series:
    """Two bins of five seconds in which nothing was, but for those columns."""
    nothing = {"p50_ms": (math.nan,) * 2, "p95_ms": (math.nan,) * 2, "p99_ms": (math.nan,) * 2}
    base = {"start_ns": 0, "width_ns": 5 * S, "users": (0, 0), "others": (0, 0), "bad": {}, "lanes": {}, **nothing}
    return Series(**base | columns)  # type: ignore[arg-type]


TEN = lanes([ev.PhaseBegan(t_ns=0, phase="baseline"), ev.RunEnded(t_ns=10 * S)])


def test_rate_strip_cut_off_says_so() -> None:
    """A burst must not flatten the users' rate, nor be hidden."""
    rate = strips(series(users=(5, 0), others=(2500, 0)), TEN).strips[0]
    assert "501, cut off" in rate.unit and float(rate.grid[-1].text) <= 4
    numbers = [float(part) for part in re.findall(r"V([\d.]+)", rate.lines[0].path)]
    assert min(numbers) >= rate.top


def test_error_strip_draws_every_outcome_that_an_error_may_have() -> None:
    """With a status of 500 any outcome is a user's error: one that isn't drawn would be a hidden one."""
    assert {*BAD} == {*Outcome}
    drawn = strips(series(users=(9, 9), bad={name.value: (0, 1) for name in Outcome}), TEN).strips[1]
    assert {bar.kind for bar in drawn.bars} == {name.value for name in Outcome}
    assert all(bar.x > (LEFT + WIDTH - RIGHT) / 2 - 1 for bar in drawn.bars)


def test_quiet_strips_tell_zero_requests_from_zero_errors() -> None:
    """An empty strip says why it is."""
    assert [one.empty for one in strips(series(), TEN).strips] == [
        "no request was recorded",
        "no user request was recorded",
        "no answer to a user was recorded",
    ]
    assert strips(series(users=(3, 3)), TEN).strips[1].empty == "every user request went well"
    assert [one.empty for one in strips(None, TEN).strips] == [one.empty for one in strips(series(), TEN).strips]


def test_latency_line_breaks_where_nothing_ended() -> None:
    """A line across a gap would be a measurement that nobody made."""
    ranks = (1.0, math.nan, 3.0)
    made = series(users=(1, 0, 1), others=(0,) * 3, width_ns=3 * S, p50_ms=ranks, p95_ms=ranks, p99_ms=ranks)
    paths = [line.path for line in strips(made, TEN).strips[2].lines]
    assert all(path.count("M") == 2 for path in paths)


def test_script_is_given_what_the_strips_draw() -> None:
    """The same columns, in seconds and ms; None, which JSON can say, where nothing was measured."""
    made = zoom(series(users=(4, 2), others=(1, 0), bad={"unknown": (0, 2)}, p50_ms=(1.23456, math.nan)), TEN)
    assert (made.at, made.step, made.users, made.all) == ([0.0, 5.0], 5.0, [4, 2], [5, 2])
    assert (made.bad, made.p50, made.p99) == ({"unknown": [0, 2]}, [1.23, None], [None, None])
    assert (made.start, made.end) == (TEN.start_ns / 1e9, 10.0)
    assert zoom(None, TEN).at == []
