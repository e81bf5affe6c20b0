"""Lanes: every life and strike of the events, and nothing that the events don't say."""

from __future__ import annotations

from itertools import pairwise

from samples import results, story

from chaoscheck.model import events as ev
from chaoscheck.model.verdict import Verdict
from chaoscheck.reporting.figure import FLAGS, LEFT, RIGHT, WIDTH, figure
from chaoscheck.reporting.lanes import lanes

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
    assert made.slots == [] and figure(made, []).signs == ()


def test_every_mark_is_inside_the_frame() -> None:
    """Signs, flags and lives lie between the left and right edge, whatever their number."""
    made = lanes(story.tell_events(7, story.strikes(7)))
    finding = results.result(Verdict.FAIL).findings[0]
    drawn = figure(made, [(n, finding) for n in range(1, 41)])
    assert all(LEFT <= sign.x <= WIDTH - RIGHT for sign in (*drawn.signs, *drawn.findings))
    assert all(bar.x >= LEFT and bar.x + bar.width <= WIDTH - RIGHT + 2 for bar in drawn.lives)


def test_flags_at_one_moment_do_not_hide_each_other() -> None:
    """Forty findings of one second are forty flags, side by side."""
    made = lanes(story.tell_events(7, story.strikes(7)))
    finding = results.result(Verdict.FAIL).findings[0]
    places = [flag.x for flag in figure(made, [(n, finding) for n in range(1, 41)]).findings]
    assert all(later - earlier >= 16 for earlier, later in pairwise(places))


def test_flags_are_those_of_the_worst_findings_and_no_more_than_there_is_room_for() -> None:
    """Five hundred findings leave the lane readable; those without a flag say so by having no link to one."""
    made = lanes(story.tell_events(7, story.strikes(7)))
    finding = results.result(Verdict.FAIL).findings[0]
    flags = figure(made, [(n, finding) for n in range(1, 501)]).findings
    assert [int(flag.number) for flag in flags] == list(range(1, FLAGS + 1))
    assert flags[0].x >= LEFT


def test_phase_labels_do_not_overlap() -> None:
    """Phases of a second have their names readable too."""
    made = lanes(story.tell_events(7, story.strikes(7)))
    labels = figure(made, []).phase_labels
    for row in {label.y for label in labels}:
        here = sorted((label.x, label.x + len(label.text) * 6) for label in labels if label.y == row)
        assert all(end <= start for (_, end), (start, _) in pairwise(here))
