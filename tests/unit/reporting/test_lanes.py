"""Lanes: every life and strike of the events, and nothing that the events don't say."""

from __future__ import annotations

import re
from itertools import pairwise

from samples import results, story

from chaoscheck.model import events as ev
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.model.verdict import Verdict
from chaoscheck.reporting.figure import BAD, LEFT, RIGHT, WIDTH, figure
from chaoscheck.reporting.lanes import lanes
from chaoscheck.reporting.timeline import strips
from chaoscheck.steps.attempts import is_bad

S = story.S


def test_lives_are_those_of_the_tale() -> None:
    """Three first lives and one more a kill; each death is where the strike's was."""
    told = story.strikes(7)
    made = lanes(story.tell_events(7, told))
    kills = [strike for strike in told if strike.mode != "sham"]
    assert len(made.lives) == 3 + len(kills)
    for strike in kills:
        assert made.lives[strike.victim].death_ns == strike.death_ns
        assert made.lives[strike.replacement].ready_ns == strike.ready_ns


def test_sham_leaves_its_victim_alive() -> None:
    """A sham is marked on its slot and ends nobody's life."""
    told = story.strikes(7)
    made = lanes(story.tell_events(7, told))
    for strike in told:
        if strike.mode == "sham":
            assert made.marks[strike.index].mode == "sham" and not made.marks[strike.index].confirmed
            assert made.lives[strike.victim].death_ns != strike.began_ns


def test_unasked_death_is_told_apart() -> None:
    """An instance that died by itself isn't drawn as a victim."""
    died = ev.InstanceDied(
        t_ns=9 * S,
        instance="web-0.1",
        asked=False,
        death_ns=8 * S,
        error_ns=0,
        exit_code=1,
        out_of_memory=False,
        log="",
    )
    born = ev.InstanceStarted(t_ns=S, instance="web-0.1", slot=0, life=1, address="a:1")
    life = lanes([born, died]).lives["web-0.1"]
    assert (life.asked, life.death_ns, life.ready_ns) == (False, 8 * S, -1)


def test_time_begins_with_the_first_instance_and_ends_before_judging() -> None:
    """A build of minutes must not squeeze the run into a corner."""
    made = lanes(
        [
            ev.PhaseBegan(t_ns=0, phase="prepare"),
            ev.InstanceStarted(t_ns=300 * S, instance="web-0.1", slot=0, life=1, address="a:1"),
            ev.PhaseBegan(t_ns=310 * S, phase="chaos"),
            ev.PhaseBegan(t_ns=350 * S, phase="judge"),
            ev.RunEnded(t_ns=900 * S),
        ]
    )
    assert (made.start_ns, made.end_ns) == (300 * S, 350 * S)
    assert [span.phase for span in made.phases] == ["prepare", "chaos"]


def test_no_events_make_no_lanes() -> None:
    """A run that was cut off at once still gives a figure."""
    made = lanes([])
    assert made.slots == [] and figure(made, strips([], made.start_ns, made.end_ns), []).signs == ()


def test_every_mark_is_inside_the_frame() -> None:
    """Signs, flags and lives lie between the left and right edge, whatever their number."""
    made = lanes(story.tell_events(7, story.strikes(7)))
    finding = results.result(Verdict.FAIL).findings[0]
    drawn = figure(made, strips([], made.start_ns, made.end_ns), [(n, finding) for n in range(1, 41)])
    assert all(LEFT <= sign.x <= WIDTH - RIGHT for sign in (*drawn.signs, *drawn.findings))
    assert all(bar.x >= LEFT and bar.x + bar.width <= WIDTH - RIGHT + 2 for bar in drawn.lives)


def test_flags_at_one_moment_do_not_hide_each_other() -> None:
    """Forty findings of one second are forty flags, side by side."""
    made = lanes(story.tell_events(7, story.strikes(7)))
    finding = results.result(Verdict.FAIL).findings[0]
    places = [flag.x for flag in figure(made, strips([], 0, S), [(n, finding) for n in range(1, 41)]).findings]
    assert all(later - earlier >= 16 for earlier, later in pairwise(places))


def test_phase_labels_do_not_overlap() -> None:
    """Phases of a second have their names readable too."""
    made = lanes(story.tell_events(7, story.strikes(7)))
    labels = figure(made, strips([], 0, S), []).phase_labels
    for row in {label.y for label in labels}:
        here = sorted((label.x, label.x + len(label.text) * 6) for label in labels if label.y == row)
        assert all(end <= start for (_, end), (start, _) in pairwise(here))


def test_rate_strip_cut_off_says_so() -> None:
    """A burst must not flatten the users' rate, nor be hidden."""
    row = ("r", "s", "p", "do", "o", 0, 0, "")
    rows = [Op(*row, "user", "lb", True, S, S, S, "ok", 200, "", "", "", "")]
    rows += [Op(*row, "burst", "x", True, S, S, S, "ok", 200, "", "", "", "")] * 500
    made = lanes([ev.RunEnded(t_ns=10 * S)])
    rate = figure(made, strips(rows, 0, 10 * S, bins=10), []).strips[0]
    assert "501, cut off" in rate.unit and float(rate.grid[-1].text) <= 4
    numbers = [float(part) for part in re.findall(r"L[\d.]+ ([\d.]+)", rate.lines[0].path)]
    assert min(numbers) >= rate.top


def test_error_strip_knows_every_outcome_that_an_error_may_have() -> None:
    """An outcome that is added to the model must be drawn as well, or be no error."""
    row = ("r", "s", "p", "do", "o", 0, 0, "", "user", "lb", True, S, S, S)
    answers = {one for one in Outcome if not is_bad(Op(*row, one, 200, "", "", "", ""))}
    assert {*BAD} == {*Outcome} - answers | {Outcome.FAIL}
