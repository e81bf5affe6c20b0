"""What a service, a plan or a name says reaches a terminal as text only, whichever field it stands in."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from samples import results, story
from samples.screens import Tty

from chaoscheck.cli.live import LiveView
from chaoscheck.cli.picture import picture
from chaoscheck.cli.plain import PlainView
from chaoscheck.cli.progress import Aim, Progress
from chaoscheck.cli.summary import print_summary
from chaoscheck.model import events as ev
from chaoscheck.model.verdict import Level, Verdict

S = story.S
PIECES = (
    *("\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\x00", "\x08\x08", "\r", "\n", "\r\n", "\t", "\x7f", "\x85"),
    *("\u202e", "\u2066", "\u200f", "\u061c", "\u200b", "\u2028", "\u2029", "\ufeff", "\U000e0041", "\ud800"),
    *("[red]", "[/]", "[/nonsense]", "\\", "[link=x]", "長い", "e\u0301", "x" * 200, "plain"),
)
HOSTILE = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
BAD = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0041]"
)
AIM = Aim(needed=299, strikes=8, seconds=64, instances=3, allowed_s=1.3)


def poisoned(value: Any, poison: str, spare: frozenset[str] = frozenset()) -> Any:
    """`value` with `poison` at the end of every string in it, keys and nested data included, save fields of `spare`."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return value + poison
    if isinstance(value, tuple):
        return tuple(poisoned(each, poison, spare) for each in value)
    if isinstance(value, dict):
        return {poisoned(key, poison): poisoned(each, poison, spare) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        each = {one.name: getattr(value, one.name) for one in fields(value) if one.init and one.name not in spare}
        return replace(value, **{name: poisoned(one, poison, spare) for name, one in each.items()})
    return value


def events() -> Iterator[ev.Event]:
    """A run in which all happens that can be shown."""
    yield from story.tell_events(7, story.strikes(7))
    text = {"promise": "login", "note": "", "session": "s", "obj": "o", "anomaly": "LOST"}
    yield ev.MatrixProbed(t_ns=41 * S, writer="web-0.1", reader="web-1.1", holds=False, **text)
    yield ev.FindingSeen(t_ns=41 * S, promise="profile", anomaly="STALE", session="s", obj="o")
    yield ev.Warned(t_ns=42 * S, text="late")
    yield ev.StoreDied(t_ns=43 * S, store="redis", detail="out of memory")
    yield ev.WorkerLost(t_ns=44 * S, worker="w1", detail="signal 9")
    yield ev.InstanceDied(
        t_ns=45 * S,
        instance="web-1.1",
        asked=False,
        death_ns=45 * S,
        error_ns=0,
        exit_code=1,
        out_of_memory=False,
        log="",
    )
    yield ev.Troubled(t_ns=46 * S, during="chaos", kind="X", message="gone", hint="look", details="one\ntwo")


TOLD = sorted(events(), key=lambda event: event.t_ns)
SPARED = [frozenset[str](), frozenset({"phase", "mode"})]
"""With their true names phases and modes are recognised, and so shown in other ways."""


@settings(max_examples=40, deadline=None)
@given(poison=HOSTILE, spare=st.sampled_from(SPARED), size=st.sampled_from([(77, 22), (117, 38), (40, 8)]))
def test_live_view_of_hostile_text_sends_none_of_it_raw(
    poison: str, spare: frozenset[str], size: tuple[int, int]
) -> None:
    """No line breaks out of its place, its width or its style, at any moment."""
    progress = Progress(aim=replace(AIM, promises=(f"login{poison}", poison)))
    for event in TOLD:
        progress.take(poisoned(event, poison, spare))
        if isinstance(event, ev.TrafficSeen) and event.t_ns % (5 * S):
            continue
        for line in picture(progress, event.t_ns / S, *size):
            assert not BAD.search(line.plain) and "\n" not in line.plain
            assert cell_len(line.plain) <= size[0]
            line.plain.encode("utf-8")


@settings(max_examples=40, deadline=None)
@given(poison=HOSTILE, spare=st.sampled_from(SPARED), verbose=st.booleans())
def test_plain_view_of_hostile_text_sends_none_of_it_raw(poison: str, spare: frozenset[str], verbose: bool) -> None:
    """A line of the log is a line, and all of them are stamped by us."""
    out = io.StringIO()
    view = PlainView(Console(file=out, width=80), AIM, verbose=verbose)
    for event in TOLD:
        view.on(poisoned(event, poison, spare))
    assert not BAD.search(out.getvalue())
    assert all(re.match(r"\[ *\d+\.\d s\] ", line) for line in out.getvalue().splitlines())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(poison=HOSTILE, verdict=st.sampled_from(list(Verdict)), verbose=st.booleans(), known=st.booleans())
def test_summary_of_hostile_text_sends_none_of_it_raw(
    tmp_path_factory: pytest.TempPathFactory, poison: str, verdict: Verdict, verbose: bool, known: bool
) -> None:
    """Whichever field of a result it stands in, known findings and gates that warn included."""
    made = poisoned(results.result(verdict), poison, frozenset[str](set() if known else {"known"}))
    made = replace(made, gates=(*made.gates, replace(made.gates[0], level=Level.WARN, verdict=Verdict.FAIL)))
    made = replace(made, gates=(*made.gates, replace(made.gates[0], level=Level.OFF)))
    out = io.StringIO()
    folder = story.write(tmp_path_factory.mktemp("run"), events=[poisoned(e, poison) for e in TROUBLES], traffic=False)
    print_summary(Console(file=out, width=80), made, folder.path, verbose=verbose)
    assert not BAD.search(out.getvalue())
    assert out.getvalue().splitlines()[-1].startswith("run ")
    out.getvalue().encode("utf-8")


TROUBLES = [event for event in TOLD if isinstance(event, ev.Troubled | ev.FindingSeen)]


def test_lines_said_beside_the_live_view_are_text(tmp_path: Path) -> None:
    """An image's build log is hostile as well."""
    out = Tty()
    with LiveView(Console(file=out, force_terminal=True, width=80, color_system=None), AIM) as view:
        view.say("step 3: \x1b[2J\u202egnp.exe [red]x[/nonsense]")
    assert "step 3: ⟨ESC⟩[2J⟨RLO⟩gnp.exe [red]x[/nonsense]" in out.getvalue()
