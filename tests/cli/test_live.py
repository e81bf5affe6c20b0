"""The view of a run that goes on: true to the events, 80 columns, no flood where no one watches."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from samples import story

from chaoscheck.cli.live import LiveView, SilentView, picture, view_for
from chaoscheck.cli.plain import PlainView
from chaoscheck.cli.progress import Aim, Progress
from chaoscheck.model import events as ev

S = story.S
AIM = Aim(needed=299, promises=("login", "profile", "review"), strikes=8, seconds=64)


def drawn(events: list[ev.Event], until_s: float, width: int = 80) -> list[str]:
    progress = Progress(aim=AIM)
    for event in events:
        if event.t_ns <= until_s * S:
            progress.take(event)
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(picture(progress, until_s))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def said(events: list[ev.Event], *, verbose: bool = False) -> list[str]:
    out = io.StringIO()
    view = PlainView(Console(file=out, width=80, force_terminal=False), AIM, verbose=verbose)
    for event in events:
        view.on(event)
    return out.getvalue().splitlines()


def test_live_view_at_a_moment_is_this() -> None:
    """The whole picture in the middle of a kill."""
    told = story.strikes(7)
    lines = drawn(story.tell_events(7, told), 30.9)
    assert lines == [
        "run       memory-sticky  3 instances on docker behind haproxy, seed 7",
        "phase     chaos  strike 4 of 8  0:30, about 0:33 to go",
        "slot 0    web-0.2   serving           1 kill",
        "slot 1    web-1.2   serving           1 kill",
        "slot 2    web-2.1   plain strike",
        "traffic   ▇███▇█████▇█ 162/s  4 bad  81 sessions  p50 4.16 ms  p95 11.7 ms",
        "evidence  login              183 of 299  ██████████████··········",
        "          profile              0 of 299  ························",
        "          review             122 of 299  █████████···············",
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_live_view_keeps_to_the_width_at_any_moment(width: int) -> None:
    """It never wraps: a line that wraps makes the display jump."""
    events = story.tell_events(7, story.strikes(7))
    events.append(ev.Warned(t_ns=62 * S, text="w" * 300))
    counts = set()
    for tenth in range(0, 640, 7):
        lines = drawn(events, tenth / 10, width)
        assert lines[1].startswith("phase     "), "what is long must not take room from what is short"
        assert all(len(line) <= width for line in lines)
        counts.add(len(lines))
    assert max(counts) <= 1 + 1 + 3 + 1 + 3 + 2


def test_live_view_counts_kills_and_no_shams() -> None:
    """Six kills over three slots, two shams."""
    progress = Progress()
    for event in story.tell_events(7, story.strikes(7)):
        progress.take(event)
    assert (progress.kills, progress.shams, sum(slot.kills for slot in progress.slots.values())) == (6, 2, 6)


def test_live_view_shows_a_kill_that_did_not_land() -> None:
    """Not confirmed isn't dead, and isn't counted."""
    progress = Progress()
    progress.take(ev.InstanceStarted(t_ns=1, instance="web-0.1", slot=0, life=1, address="a:1"))
    progress.take(ev.StrikeBegan(t_ns=2, index=0, round=0, slot=0, victim="web-0.1", mode="burst", fault="kill"))
    progress.take(
        ev.Struck(
            t_ns=3,
            index=0,
            victim="web-0.1",
            decided_ns=2,
            signal_ns=2,
            returned_ns=3,
            death_ns=-1,
            error_ns=0,
            refused_ns=-1,
            confirmed=False,
            exit_code=-1,
            detail="",
        )
    )
    assert progress.kills == 0 and progress.slots[0].state == "not confirmed dead"


def test_plain_view_says_each_phase_and_strike_once() -> None:
    """A log of nine phases and eight strikes has seventeen such lines."""
    lines = said(story.tell_events(7, story.strikes(7)))
    assert sum("strike " in line for line in lines) == 8
    assert sum(line.endswith(tuple(f"] {phase}" for phase, _ in story.PHASES)) for line in lines) == 9


def test_plain_view_in_a_quiet_stretch_beats_every_ten_seconds() -> None:
    """A log that shows nothing for minutes looks dead to a CI system."""
    seen = [
        ev.TrafficSeen(
            t_ns=t * S, requests=100, bad=0, sessions=9, late_ms=0, p50_ms=1, p95_ms=2, exposures={"login": t}
        )
        for t in range(61)
    ]
    lines = said(list(seen))
    assert len(lines) == 6 and "exposures: login 60 of 299" in lines[-1] and "100 requests/s" in lines[-1]


def test_plain_view_of_a_broken_service_is_no_flood() -> None:
    """5,000 findings of one sort are five lines."""
    found = [ev.FindingSeen(t_ns=n, promise="login", anomaly="LOST", session=f"s{n}", obj="o") for n in range(5000)]
    assert len(said(list(found))) == 4


def test_plain_view_verbose_says_more() -> None:
    """Controls, matrix and replacements are there with -v."""
    events = story.tell_events(7, story.strikes(7))
    assert len(said(events, verbose=True)) > len(said(events)) + 6


@pytest.mark.parametrize(
    ("terminal", "environment", "options", "kind"),
    [
        (True, {}, {}, LiveView),
        (True, {"CI": "true"}, {}, PlainView),
        (True, {"TERM": "dumb"}, {}, PlainView),
        (False, {}, {}, PlainView),
        (True, {}, {"verbose": True}, PlainView),
        (True, {}, {"quiet": True}, SilentView),
    ],
)
def test_view_chosen_by_who_watches(
    terminal: bool, environment: dict[str, str], options: dict[str, bool], kind: type
) -> None:
    """Live only on a terminal outside of CI."""
    console = Console(file=io.StringIO(), force_terminal=terminal)
    assert type(view_for(console, environment=environment, **options)) is kind


def test_live_view_runs_and_leaves_the_terminal_clean() -> None:
    """As a context manager it shows the run and gives the cursor back."""
    out = io.StringIO()
    with view_for(Console(file=out, force_terminal=True, width=80), environment={}, aim=AIM) as view:
        for event in story.tell_events(7, story.strikes(7)):
            view.on(event)
        view.say("building")
        view._live.refresh()
    assert "memory-sticky" in out.getvalue() and "building" in out.getvalue()
    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l") >= 0


def on_screen(written: str, width: int = 80, height: int = 24) -> list[str]:
    """What a terminal of that size shows in the end, what scrolled off it included."""
    rows, row, column = [""], 0, 0
    for code, final, plain in re.findall(r"\x1b\[([\d;?]*)([A-Za-z])|([^\x1b])", written):
        if final == "A":
            row = max(row - int(code or 1), len(rows) - height, 0)
        elif final == "K":
            rows[row] = ""
        elif plain == "\r":
            column = 0
        elif plain:
            if plain == "\n" or column >= width:
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            if plain != "\n":
                rows[row] = f"{rows[row][:column]:<{column}}{plain}{rows[row][column + 1 :]}"
                column += 1
    return [line.rstrip() for line in rows if line.strip()]


def interrupted(height: int, echo: str = "^C") -> tuple[list[str], str]:
    """The screen after a run that was interrupted with a full frame on it, and all that was written."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=height)
    told = story.tell_events(7, story.strikes(7))
    told.append(ev.Warned(t_ns=62 * S, text="w" * 300))
    with view_for(console, environment={}, aim=AIM) as view:
        for event in told:
            view.on(event)
        view._live.refresh()
        out.write(echo)
        view.on(ev.Interrupted(t_ns=63 * S, during="chaos"))
        view.on(ev.PhaseBegan(t_ns=64 * S, phase="clean up"))
    console.print("PASS  nothing")
    return on_screen(out.getvalue(), height=height), out.getvalue()


@pytest.mark.parametrize("height", [24, 6])
def test_live_view_that_is_interrupted_leaves_only_that_on_the_screen(height: int) -> None:
    """No frame stays above the summary, on a screen too small for it either; the user reads that it was heard."""
    screen, written = interrupted(height)
    assert "slot 1" in written or height == 6
    assert screen == [
        "[   63.0 s] interrupted: ending early (once more skips the judging, never the cl",
        "ean-up)",
        "[   64.0 s] clean up",
        "PASS  nothing",
    ]
