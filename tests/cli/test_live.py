"""The view of a run that goes on: true to the events, 80 columns, no flood where no one watches."""

from __future__ import annotations

import io
import re
import threading
import time
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text
from samples import story
from samples.screens import Tty, on_screen

from chaoscheck.cli.consoles import talk
from chaoscheck.cli.live import LiveView, SilentView, view_for
from chaoscheck.cli.plain import PlainView
from chaoscheck.cli.progress import Aim, Progress
from chaoscheck.cli.words import color_of, told
from chaoscheck.model import events as ev

S = story.S
AIM = Aim(needed=299, promises=("login", "profile", "review"), strikes=8, seconds=64, tail_s=6, instances=3)


def said(events: list[ev.Event], *, verbose: bool = False) -> list[str]:
    out = io.StringIO()
    view = PlainView(Console(file=out, width=80, force_terminal=False), AIM, verbose=verbose)
    for event in events:
        view.on(event)
    return out.getvalue().splitlines()


def test_live_view_counts_kills_and_no_shams() -> None:
    """Six kills over three slots, two shams."""
    progress = Progress()
    for event in story.tell_events(7, story.strikes(7)):
        progress.take(event)
    assert (progress.kills, progress.shams, sum(slot.kills for slot in progress.slots.values())) == (6, 2, 6)


def struck(t_ns: int, *, index: int, landed: bool) -> ev.Struck:
    return ev.Struck(
        t_ns=t_ns,
        index=index,
        victim="web-0.1",
        decided_ns=t_ns - 1,
        signal_ns=t_ns - 1,
        returned_ns=t_ns,
        death_ns=t_ns if landed else -1,
        error_ns=0,
        refused_ns=-1,
        confirmed=landed,
        exit_code=-1,
        detail="",
    )


def test_live_view_shows_a_kill_that_did_not_land() -> None:
    """Not confirmed isn't dead, and isn't counted."""
    progress = Progress()
    progress.take(ev.InstanceStarted(t_ns=1, instance="web-0.1", slot=0, life=1, address="a:1"))
    progress.take(ev.StrikeBegan(t_ns=2, index=0, round=0, slot=0, victim="web-0.1", mode="burst", fault="kill"))
    progress.take(struck(3, index=0, landed=False))
    assert progress.kills == 0 and progress.slots[0].state == "not dead?"


def test_plain_view_says_each_phase_and_strike_once() -> None:
    """A log of nine phases and eight strikes has seventeen such lines."""
    lines = said(story.tell_events(7, story.strikes(7)))
    assert sum("strike " in line for line in lines) == 8
    assert sum(line.endswith(tuple(f"] {phase}" for phase, _ in story.PHASES)) for line in lines) == 9


ADDED = ev.RoundAdded(t_ns=S, round=3, lacks={"profile": 1_200, "nightly": 1}, kills=["nightly"])


def test_views_say_why_a_round_is_added() -> None:
    """Whoever sees a run go on past its planned rounds is told what it still lacks."""
    why = "round 3 is added: profile lacks 1,200 exposures, nightly lacks 1 kill"
    assert said([ADDED]) == [f"[    1.0 s] {why}"]
    progress = Progress()
    progress.take(ADDED)
    last = progress.happened[-1]
    assert (told(last), color_of(last)) == (why, "")


def quiet(seconds: int, *, every_s: int = 1) -> list[ev.Event]:
    """Traffic, and nothing else."""
    return [
        ev.TrafficSeen(
            t_ns=t * S, requests=100, bad=0, sessions=9, late_ms=0, p50_ms=1, p95_ms=2, exposures={"login": t}
        )
        for t in range(0, seconds + 1, every_s)
    ]


def test_plain_view_in_a_quiet_stretch_beats_every_ten_seconds_then_every_thirty() -> None:
    """A log that shows nothing for minutes looks dead to a CI system; one that says it too often hides the rest."""
    lines = said(quiet(59))
    assert len(lines) == 5 and "exposures: login 50 of 299" in lines[-1] and "100 requests/s" in lines[-1]
    assert len(said(quiet(600))) == 5 + 18


def test_plain_view_of_ten_minutes_is_bounded() -> None:
    """A strike every five seconds, a warning at each and findings of ten sorts without end: 200 lines at most."""
    told: list[ev.Event] = list(quiet(600))
    for index in range(120):
        began = (5 * index + 1) * S
        strike = story.Strike(
            index=index,
            mode="burst",
            slot=0,
            victim=f"web-0.{index}",
            replacement=f"web-0.{index + 1}",
            began_ns=began,
            death_ns=began + S // 3,
            ready_ns=began + S,
        )
        told += story._strike_events(strike)
        told.append(ev.Warned(t_ns=began, text=f"warning number {index}"))
        told += [ev.Warned(t_ns=began, text="the same again")]
        told += [
            ev.FindingSeen(t_ns=began + n, promise=f"p{n % 10}", anomaly="LOST", session="s", obj="o")
            for n in range(100)
        ]
    lines = said(sorted(told, key=lambda event: event.t_ns))
    assert 100 < len(lines) <= 200
    assert sum("strike 0: " in line for line in lines) == 1
    assert sum("the same again" in line for line in lines) == 1
    assert any("more warnings stand in the report" in line for line in lines)


def test_plain_view_past_many_strikes_still_tells_of_a_kill_that_did_not_land() -> None:
    """What is left out is what went as it should."""
    told: list[ev.Event] = []
    for index in range(75):
        began = {"index": index, "slot": 0, "victim": "web-0.1", "mode": "burst", "fault": "kill", "round": 0}
        told.append(ev.StrikeBegan(t_ns=index * S, **began))
        told.append(struck(index * S + 1, index=index, landed=index != 73))
    lines = said(told)
    assert sum("killed (burst)" in line for line in lines) == 61
    assert lines[-1].endswith("strike 73: web-0.1 struck (burst), NOT confirmed dead")


def test_plain_view_of_a_broken_service_is_no_flood() -> None:
    """5,000 findings of one sort are five lines."""
    found = [ev.FindingSeen(t_ns=n, promise="login", anomaly="LOST", session=f"s{n}", obj="o") for n in range(5000)]
    assert len(said(list(found))) == 4


def test_plain_view_verbose_says_more() -> None:
    """Controls, matrix and replacements are there with -v."""
    events = story.tell_events(7, story.strikes(7))
    assert len(said(events, verbose=True)) > len(said(events)) + 6


@pytest.mark.parametrize(
    ("file", "environment", "options", "kind"),
    [
        (Tty, {}, {}, LiveView),
        (Tty, {"CI": "true"}, {}, PlainView),
        (Tty, {"TERM": "dumb"}, {}, PlainView),
        (Tty, {"NO_COLOR": "1"}, {}, LiveView),
        (io.StringIO, {}, {}, PlainView),
        (io.StringIO, {"FORCE_COLOR": "1"}, {}, PlainView),
        (Tty, {}, {"verbose": True}, PlainView),
        (Tty, {}, {"quiet": True}, SilentView),
    ],
)
def test_view_chosen_by_who_watches(
    file: type[io.StringIO], environment: dict[str, str], options: dict[str, bool], kind: type
) -> None:
    """Live only on a real terminal outside of CI: FORCE_COLOR is about colours."""
    console = Console(file=file(), _environ={"TERM": "xterm", **environment})
    assert type(view_for(console, environment=environment, **options)) is kind


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1", "FORCE_COLOR": "1"}, {}], ids=["no-color", "no-terminal"])
def test_plain_view_writes_no_escape(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """A log is text."""
    out = io.StringIO()
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr", out)
    view = view_for(talk(), aim=AIM)
    for event in story.tell_events(7, story.strikes(7)):
        view.on(event)
    assert "strike 0: web-" in out.getvalue() and "\x1b" not in out.getvalue()


def test_live_view_runs_and_leaves_the_terminal_clean() -> None:
    """As a context manager it shows the run and gives the cursor back."""
    out = Tty()
    with view_for(Console(file=out, force_terminal=True, width=80), environment={}, aim=AIM) as view:
        for event in story.tell_events(7, story.strikes(7)):
            view.on(event)
        view.say("building")
        view._live.refresh()
    assert "memory-sticky" in out.getvalue() and "building" in out.getvalue()
    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l") >= 0


def test_live_view_without_colour_moves_the_cursor_and_nothing_else() -> None:
    """NO_COLOR takes bold and dim away as well."""
    out = Tty()
    with LiveView(Console(file=out, force_terminal=True, width=80, color_system=None), AIM) as view:
        for event in story.tell_events(7, story.strikes(7)):
            view.on(event)
        view._live.refresh()
    assert "\x1b[" in out.getvalue()
    assert not re.search(r"\x1b\[[\d;]*m", out.getvalue())


def test_live_view_on_a_terminal_that_becomes_narrower_takes_back_what_was_wrapped() -> None:
    """The terminal wraps the lines that it shows; whoever goes up too few of them leaves the rest for good."""
    out = Tty()
    console = Console(file=out, force_terminal=True, width=120, height=40)
    with LiveView(console, AIM) as view:
        for event in story.tell_events(7, story.strikes(7)):
            view.on(event)
        view._live.refresh()
        lines = on_screen(out.getvalue(), 120, 40)
        console.width = 70
        written = len(out.getvalue())
        view._live.refresh()
        again = out.getvalue()[written:]
    wrapped = sum(max(1, -(-len(line) // 70)) for line in lines)
    assert wrapped > len(lines)
    assert again.count("\x1b[1A") >= wrapped - 1


def test_live_view_is_never_drawn_from_half_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are made beside the run: a deque that grows while it is drawn would end the display."""
    taking, drawn = threading.Event(), []
    take = Progress.take

    def slowly(progress: Progress, event: ev.Event) -> None:
        taking.set()
        time.sleep(0.005)
        take(progress, event)
        taking.clear()

    def look(*_: object) -> list[Text]:
        drawn.append(taking.is_set())
        return []

    monkeypatch.setattr(Progress, "take", slowly)
    monkeypatch.setattr("chaoscheck.cli.live.picture", look)
    with LiveView(Console(file=Tty(), force_terminal=True, width=80, height=24), AIM) as view:
        ended = threading.Event()
        drawing = threading.Thread(target=lambda: [view._now() for _ in iter(ended.is_set, True)])
        drawing.start()
        for number in range(20):
            view.on(ev.Warned(t_ns=number, text="w"))
        ended.set()
        drawing.join(10)
    assert drawn and not any(drawn)


def interrupted(height: int, during: str = "chaos", echo: str = "^C") -> tuple[list[str], str]:
    """The screen after a run that was interrupted with a full frame on it, and all that was written."""
    out = Tty()
    console = Console(file=out, force_terminal=True, width=80, height=height)
    told = story.tell_events(7, story.strikes(7))
    began_ns = next(event.t_ns for event in told if isinstance(event, ev.PhaseBegan) and event.phase == during)
    told = [event for event in told if event.t_ns <= began_ns]
    told.append(ev.Warned(t_ns=began_ns, text="w" * 300))
    with view_for(console, environment={}, aim=AIM) as view:
        for event in told:
            view.on(event)
        view._live.refresh()
        out.write(echo)
        view.on(ev.Interrupted(t_ns=63 * S, during=during))
        view.on(ev.PhaseBegan(t_ns=64 * S, phase="clean up"))
    console.print("PASS  nothing")
    return [line for line in on_screen(out.getvalue(), height=height) if line], out.getvalue()


@pytest.mark.parametrize("height", [24, 6])
@pytest.mark.parametrize("during", [phase for phase, _ in story.PHASES])
def test_live_view_that_is_interrupted_leaves_only_that_on_the_screen(height: int, during: str) -> None:
    """In any phase no frame stays above the summary, on a small screen neither; the user reads that it was heard."""
    screen, written = interrupted(height, during)
    assert "phase " in written
    assert screen == [
        "[   63.0 s] interrupted: ending early (once more skips the judging, never the cl",
        "ean-up)",
        "[   64.0 s] clean up",
        "PASS  nothing",
    ]


SLOW_AIM = Aim(
    needed=299, promises=("login",), strikes=8, seconds=55, tail_s=6, at_most_s=100, load_s=38, matrix_requests=500,
    strike_requests=10, final_requests=2000,
)  # fmt: skip


def left_s(*told: ev.Event) -> float:
    progress = Progress(aim=SLOW_AIM)
    for event in told:
        progress.take(event)
    return progress.left_s(progress.now_ns / S)


def matrix_at(request_s: float) -> tuple[ev.Event, ev.Event]:
    return ev.Timed(t_ns=5 * S, request_s=request_s, requests=12), ev.PhaseBegan(t_ns=5 * S, phase="matrix")


def test_slow_service_is_announced_as_long_as_its_requests_take() -> None:
    """By the controls: 500 requests of the matrix at 40 ms are 20 s, and strikes and final reads grow as well."""
    quick, slow = left_s(*matrix_at(0.001)), left_s(*matrix_at(0.04))
    assert 44 < quick < 50
    assert slow == pytest.approx(500 * 0.04 + 38 + 8 * 4 * 10 * 0.04 + 6 + 2000 * 0.04 / 2)
    assert left_s(*matrix_at(0.04), ev.PhaseBegan(t_ns=40 * S, phase="baseline")) == pytest.approx(slow - 20)


def test_estimate_by_the_pace_of_evidence_never_exceeds_what_the_plan_allows() -> None:
    """Twenty minutes of lacking evidence don't come in a run of at most 100 s of strikes."""
    seen = ev.TrafficSeen(
        t_ns=50 * S, requests=9, bad=9, sessions=9, late_ms=0.0, p50_ms=1.0, p95_ms=9e3, exposures={"login": 1}
    )
    began = ev.PhaseBegan(t_ns=20 * S, phase="chaos")
    blows = [
        event
        for index in range(3)
        for event in (
            ev.StrikeBegan(
                t_ns=(50 + index) * S, index=index, round=0, slot=1, victim="web-1.1", mode="plain", fault="kill"
            ),
            struck((50 + index) * S, index=index, landed=True),
        )
    ]
    left = left_s(began, seen, *blows, replace(blows[0], t_ns=60 * S))
    assert left == pytest.approx(100 - 40 + 6)
