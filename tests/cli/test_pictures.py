"""Live view and summary whole, as a terminal shows them. CHAOSCHECK_SNAPSHOTS=write renews what they are held to."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from samples import results, screens, story

from chaoscheck.cli.consoles import PLAINER
from chaoscheck.cli.picture import picture
from chaoscheck.cli.progress import Aim, Progress
from chaoscheck.cli.summary import print_summary
from chaoscheck.model import events as ev
from chaoscheck.model.verdict import Verdict

SNAPSHOTS = Path(__file__).parent / "snapshots"
S = story.S
AIM = Aim(
    needed=299,
    promises=("login", "profile", "review"),
    strikes=8,
    seconds=64,
    tail_s=6,
    instances=3,
    allowed_s=1.3,
    needs={"review": 150},
)


def tale() -> list[ev.Event]:
    """The sample run with its controls and matrix, a sick stretch after a kill, and what was found."""
    told: list[ev.Event] = [*story.tell_events(7, story.strikes(7))]
    told += [control(n) for n in range(6)]
    told += [pair(n, holds=True) for n in range(27)]
    told = [
        replace(one, bad=40, p95_ms=380.0) if isinstance(one, ev.TrafficSeen) and 40 * S < one.t_ns < 42 * S else one
        for one in told
    ]
    told += [lost(41 * S + n, n) for n in range(14)]
    told.append(ev.Warned(t_ns=43 * S, text="the generator was late by 40 ms"))
    return sorted(told, key=lambda event: event.t_ns)


def control(number: int) -> ev.Event:
    return ev.ControlProbed(
        t_ns=int(4.2 * S) + number,
        promise="login",
        must="hold" if number % 2 else "fail",
        tries=3,
        held=3 * (number % 2),
        instance="web-0.1",
        request="GET /me",
        answer="200",
        gone_by_expect=False,
    )


def pair(number: int, *, holds: bool | None) -> ev.Event:
    return ev.MatrixProbed(
        t_ns=int(5 * S) + number,
        promise="login",
        writer="web-0.1",
        reader="web-1.1",
        holds=holds,
        note="",
        session="m",
        obj="o",
    )


def lost(at_ns: int, number: int, promise: str = "login") -> ev.Event:
    return ev.FindingSeen(t_ns=at_ns, promise=promise, anomaly="LOST", session=f"s{number}", obj="o")


def crowd(instances: int = 20) -> list[ev.Event]:
    """Twenty slots of which nine are killed, one after the other."""
    told: list[ev.Event] = [
        replace(one, instances=instances) for one in story.tell_events(7, []) if isinstance(one, ev.RunStarted)
    ]
    told.append(ev.PhaseBegan(t_ns=12 * S, phase="chaos"))
    for slot in range(1, instances + 1):
        name = f"web-{slot}.1"
        told.append(ev.InstanceStarted(t_ns=2 * S, instance=name, slot=slot, life=1, address="a:1"))
        told.append(ev.InstanceReady(t_ns=3 * S, instance=name, joined=True))
    for index in range(9):
        strike = story.Strike(
            index=index,
            mode="burst",
            slot=2 * index + 1,
            victim=f"web-{2 * index + 1}.1",
            replacement=f"web-{2 * index + 1}.2",
            began_ns=(15 + 5 * index) * S,
            death_ns=(15 + 5 * index) * S + 300 * story.MS,
            ready_ns=(16 + 5 * index) * S,
        )
        told += story._strike_events(strike)
    return sorted(told, key=lambda event: event.t_ns)


def held(name: str, shown: str) -> None:
    """`shown` is what the snapshot says; with CHAOSCHECK_SNAPSHOTS=write it becomes it."""
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("CHAOSCHECK_SNAPSHOTS") == "write":
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text(shown.rstrip() + "\n", encoding="utf-8")
    assert shown.rstrip().splitlines() == file.read_text(encoding="utf-8").splitlines()


def screen(events: list[ev.Event], at_s: float, aim: Aim = AIM, width: int = 80, height: int = 24) -> str:
    return "\n".join(screens.watched(events, at_s, aim, width, height))


MANY = tuple(f"promise-{number}" for number in range(12))
LIVE: dict[str, Callable[[], str]] = {
    "live-80x24-begin": lambda: screen(tale(), 0.1),
    "live-80x24-baseline": lambda: screen(tale(), 11),
    "live-80x24-strike": lambda: screen(tale(), 30.9),
    "live-80x24-broken": lambda: screen(tale(), 44),
    "live-80x24-end": lambda: screen(tale(), 63),
    "live-120x40": lambda: screen(tale(), 44, width=120, height=40),
    "live-200x50": lambda: screen(tale(), 44, width=200, height=50),
    "live-50x24": lambda: screen(tale(), 44, width=50),
    "live-80x12": lambda: screen(tale(), 44, height=12),
    "live-80x24-twenty-instances": lambda: screen(crowd(), 47, replace(AIM, instances=20)),
    "live-80x24-twelve-promises": lambda: screen(tale(), 44, replace(AIM, promises=MANY)),
    "live-80x24-ascii": lambda: screen(tale(), 44).encode("ascii", PLAINER).decode("ascii"),
    "live-80x24-colours": lambda: coloured(tale(), 44),
}


def coloured(events: list[ev.Event], at_s: float) -> str:
    """The picture with its styles in words, so that a difference can be read."""
    return "\n".join(line.markup for line in picture(told_until(events, at_s), at_s, 77, 22))


def told_until(events: list[ev.Event], at_s: float, aim: Aim = AIM) -> Progress:
    progress = Progress(aim=aim)
    for event in events:
        if event.t_ns <= at_s * S:
            progress.take(event)
    return progress


@pytest.mark.parametrize("name", LIVE)
def test_live_view_is_the_snapshot(name: str) -> None:
    """Whole screens at moments, sizes and locales: what changes here is seen in review."""
    held(name, LIVE[name]())


@pytest.mark.parametrize("verdict", list(Verdict))
def test_summary_is_the_snapshot(verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole summary of each verdict at 80 columns."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "reports" / "run"
    folder.mkdir(parents=True)
    out = io.StringIO()
    print_summary(Console(file=out, width=80), results.result(verdict), folder)
    held(f"summary-{verdict.value.lower()}", out.getvalue())


@pytest.mark.parametrize(("width", "height"), [(77, 22), (57, 22), (117, 38), (197, 48), (77, 17), (40, 8)])
@pytest.mark.parametrize("events", [tale(), crowd()], ids=["three", "twenty"])
def test_live_view_never_jumps(events: list[ev.Event], width: int, height: int) -> None:
    """The same number of lines from the first moment to the last, in the room that there is, each at its place."""
    aim = replace(AIM, instances=3 if len(events) > 200 else 20)
    events = [*events, ev.Warned(t_ns=50 * S, text="w" * 300), ev.Warned(t_ns=50 * S, text="長" * 100)]
    names = set()
    for tenth in range(0, 640, 9):
        lines = [line.plain for line in picture(told_until(events, tenth / 10, aim), tenth / 10, width, height)]
        assert all(cell_len(line) <= width for line in lines)
        assert len(lines) <= height
        labels = [line[:9].strip() for line in lines]
        names.add((len(lines), tuple(label for label in labels if label in ("run", "phase", "requests", "broken"))))
        where = [labels.index(label) for label in ("phase", "evidence", "broken")]
        names.add(tuple(where))
    assert len(names) == 2


def test_strip_moves_by_whole_cells() -> None:
    """From one second to the next what was shown moves to the left and is otherwise what it was."""
    events = tale()

    def lane(at_s: float) -> str:
        lines = [line.plain for line in picture(told_until(events, 63, AIM), at_s, 77, 22)]
        return next(line for line in lines if line.startswith("web-1."))[10:60]

    for early, late in pairwise([50.4, 51.6, 52.8, 54.0]):
        assert lane(late)[:-3] == lane(early)[1:-2]


def test_twenty_instances_are_folded_and_none_is_forgotten() -> None:
    """A sign for each of them, and a newly struck one takes one line only."""
    aim = replace(AIM, instances=20)
    shown = []
    for at_s in (44.0, 49.0, 54.0):
        lines = [line.plain for line in picture(told_until(crowd(), at_s, aim), at_s, 77, 22)]
        head = next(line for line in lines if line.startswith("all 20"))
        assert sum(sign in "■□x" for sign in head[10:31]) == 20
        shown.append([line.split()[0] for line in lines if line.startswith("web-")])
    for before, after in pairwise(shown):
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
