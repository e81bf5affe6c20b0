"""Sessions over time: who answered, where it broke, and an honest word on what is shown of how much."""

from __future__ import annotations

import re
from pathlib import Path

from samples import story

from chaoscheck.model.broken import Broken
from chaoscheck.model.history import SessionBorn, SessionEnded
from chaoscheck.model.ops import Op
from chaoscheck.reporting.figure import LEFT, RIGHT, WIDTH
from chaoscheck.reporting.lanes import Lanes, Life, Mark, lanes
from chaoscheck.reporting.sessions import SHOWN, SessionsFold, SessionsView, paint, sessions

S = 1_000_000_000


def drawn(slots: int = 3) -> Lanes:
    """A hundred seconds, instances that live through them, one kill in the middle and a sham."""
    lives = {f"web-{n}.1": Life(name=f"web-{n}.1", slot=n, started_ns=0) for n in range(1, slots + 1)}
    marks = {
        0: Mark(index=0, mode="burst", slot=1, victim="web-1.1", at_ns=50 * S, confirmed=True),
        1: Mark(index=1, mode="sham", slot=2, victim="web-2.1", at_ns=60 * S, confirmed=False),
    }
    return Lanes(start_ns=0, end_ns=100 * S, lives=lives, marks=marks)


def op(session: str, at_s: float, who: str, *, lane: str = "user", status: int = 200) -> Op:
    at = int(at_s * S)
    outcome = "ok" if status and status < 500 else "dropped"
    what = ("r", session, "login", "see", "o", 1, 0, "v")
    return Op(*what, lane, "lb", True, at, at, at, outcome, status, "", who, "", "")


def born(session: str, at_s: float = 0.0, lane: str = "user") -> SessionBorn:
    return SessionBorn(session, f"user of {session}", lane, int(at_s * S))


def fed(rows: list[Op | SessionBorn | SessionEnded], broken: Broken | None = None, *, slots: int = 3) -> SessionsView:
    fold = SessionsFold(drawn(slots), broken or Broken(), ())
    for row in rows:
        fold.row(row)
    return fold.done()


def spans(path: str) -> list[tuple[float, float]]:
    """Begin and end of each piece of a row's path."""
    found, at = [], 0.0
    for move, x, width in re.findall(r"([Mm])(-?[\d.]+) [\d.]+h(\d+)", path):
        at = float(x) if move == "M" else at + float(x)
        found.append((at, at + float(width)))
        at += float(width)
    return found


def x(at_s: float) -> float:
    return LEFT + at_s / 100 * (WIDTH - LEFT - RIGHT)


def test_row_has_the_colour_of_who_answered_last_until_somebody_else_does() -> None:
    """One colour while it sticks, another from the first answer of another instance on: where time says."""
    view = fed([born("w0s1"), op("w0s1", 10, "web-1.1"), op("w0s1", 30, "web-1.1"), op("w0s1", 60, "web-3.1")])
    (row,) = view.rows
    first, other = row.stretches
    assert (first.kind, other.kind) == (paint([1, 2, 3], 1), paint([1, 2, 3], 3))
    ((begin, end),) = spans(first.path)
    assert abs(begin - x(10)) <= 2
    assert abs(end - x(60)) <= 2
    assert spans(other.path)[0][0] == end
    assert (first.title, other.title) == ("web-1.1", "web-3.1")
    assert "user of w0s1" in row.title


def test_pieces_of_one_slot_are_drawn_once_however_many_requests_there_are() -> None:
    """A run of a million requests must not become a million marks."""
    many = [op("w0s1", second / 100, "web-2.1") for second in range(9_000)]
    (row,) = fed([born("w0s1"), *many]).rows
    assert [len(spans(part.path)) for part in row.stretches] == [1]


def test_answers_that_name_nobody_and_requests_without_an_answer_are_told_apart() -> None:
    """Not told whose is a paint of its own; no answer is a mark, and colours nothing."""
    view = fed([born("w0s1"), op("w0s1", 10, ""), op("w0s1", 40, "web-1.1", status=503), op("w0s1", 50, "", status=0)])
    (row,) = view.rows
    assert [part.kind for part in row.stretches] == ["who-none", "who-0"]
    assert row.bad.count("M") == 2
    assert ("who-none", "not told whose") in view.slots


def test_matrix_and_final_reads_through_every_instance_colour_nothing() -> None:
    """They were sent straight to each instance: no user was answered by them."""
    mine = [born("w0s1"), op("w0s1", 10, "web-1.1"), op("w0s1", 90, "web-2.1", lane="final")]
    view = fed([*mine, born("c1", lane="matrix"), op("c1", 2, "web-3.1", lane="matrix")])
    assert [[part.title for part in row.stretches] for row in view.rows] == [["web-1.1"]]


def test_broken_sessions_come_first_by_when_they_broke_with_a_mark_there() -> None:
    """The eye goes to the top; each mark says what broke and when."""
    broken = Broken(
        sessions=2, listed=2, session=("w0s9", "w0s2"), at_ns=(20 * S, 70 * S), promise=("login", "cart"),
        anomaly=("LOST", "STALE"),
    )  # fmt: skip
    rows: list[Op | SessionBorn | SessionEnded] = []
    for number in range(12):
        rows += [born(f"w0s{number}", number), op(f"w0s{number}", 12 + number, "web-1.1")]
    view = fed(rows, broken)
    assert [row.session for row in view.rows if row.broken] == ["w0s9", "w0s2"]
    assert [row.broken for row in view.rows] == [True] * 2 + [False] * 10
    assert view.rows[0].break_title == "LOST login at 20.000 s"
    marked = re.match(r"M([\d.]+) ", view.rows[0].breaks)
    assert marked is not None and abs(float(marked[1]) + 3 - x(20)) < 0.2
    assert view.said.startswith("Shown: all 2 broken sessions and all 10 other sessions.")


def test_sample_is_bounded_spread_over_the_run_and_says_of_how_many() -> None:
    """Ten thousand sessions make no more rows than fit; early and late ones are among them."""
    rows: list[Op | SessionBorn | SessionEnded] = []
    for number in range(10_000):
        rows += [born(f"w0s{number}", number / 100), op(f"w0s{number}", number / 100, "web-1.1")]
    view = fed(rows)
    places = [int(row.session[3:]) for row in view.rows]
    assert len(places) == SHOWN
    assert min(places) < 500
    assert max(places) > 9_500
    assert "72 of 10,000 sessions (evenly by when they began)" in view.said


def test_where_not_every_broken_session_is_known_by_name_the_others_are_not_called_sound() -> None:
    """A sample of the others may hold broken ones then: the words must not deny it."""
    broken = Broken(sessions=900, listed=1, session=("w0s0",), at_ns=(S,), promise=("login",), anomaly=("LOST",))
    rows: list[Op | SessionBorn | SessionEnded] = []
    for number in range(200):
        rows += [born(f"w0s{number}"), op(f"w0s{number}", 5, "web-1.1")]
    said = fed(rows, broken).said
    assert "1 of 900 broken sessions" in said
    assert "some may have broken as well" in said


def test_kills_are_lines_and_shams_are_not() -> None:
    """Nobody died of a sham."""
    view = fed([born("w0s1"), op("w0s1", 10, "web-1.1")])
    assert [(kill.x, kill.target) for kill in view.kills] == [(round(x(50), 1), "kill-0")]


def test_paths_stay_small_when_every_answer_comes_from_somebody_else() -> None:
    """Twenty slots and confetti: cells grow coarser until all rows fit, and the words say how coarse."""
    rows: list[Op | SessionBorn | SessionEnded] = []
    for session in range(SHOWN):
        rows.append(born(f"w0s{session}"))
        rows += [op(f"w0s{session}", second / 6, f"web-{second % 20 + 1}.1") for second in range(600)]
    view = fed(rows, slots=20)
    assert sum(len(part.path) + len(part.title) + 50 for row in view.rows for part in row.stretches) < 150_000
    cell = re.search(r"A cell of (\d+) ms", view.said)
    assert cell is not None and int(cell[1]) > 200


def test_no_session_is_said_and_draws_nothing() -> None:
    """A run that ended in the matrix has no user."""
    view = fed([])
    assert (view.rows, view.said) == ((), "No user's session is in the history.")


def test_file_of_a_history_gives_the_same_picture_as_its_rows(tmp_path: Path) -> None:
    """Passing over the lines of sessions that aren't shown changes nothing."""
    run = story.write(tmp_path)
    known = lanes(run.events())
    fold = SessionsFold(known, Broken(), ())
    for row in run.rows():
        fold.row(row)
    assert sessions(run.histories(), known, Broken(), ()) == fold.done()
