"""The terminal summary: verdict first, seed and folder last, 80 columns, no need of colour."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from samples import results, story

from chaoscheck.cli.summary import print_summary
from chaoscheck.model import events
from chaoscheck.model.verdict import Gate, Level, Result, Verdict


def printed(result: Result, folder: Path, *, verbose: bool = False) -> list[str]:
    out = io.StringIO()
    print_summary(Console(file=out, width=80, force_terminal=False), result, folder, verbose=verbose)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_summary_begins_with_verdict_and_ends_with_seed_and_run(tmp_path: Path, verdict: Verdict) -> None:
    """What decides comes first, what repeats it last."""
    made = results.result(verdict)
    lines = printed(made, tmp_path)
    assert lines[0].startswith(f"{verdict}  {made.reason[:20]}")
    assert lines[-1] == f"run     {tmp_path}"
    assert any(line.startswith("seed    7") for line in lines[-3:])


@pytest.mark.parametrize("verdict", list(Verdict))
def test_summary_fits_80_columns_but_for_what_is_copied(tmp_path: Path, verdict: Verdict) -> None:
    """Only commands and paths may be longer: they're pasted."""
    for line in printed(results.result(verdict), tmp_path, verbose=True):
        assert len(line) <= 80 or "curl " in line or line.startswith(("again", "run ", "report")), line


def test_summary_of_a_failure_shows_the_chain_whole(tmp_path: Path) -> None:
    """A curl line is one line, the answer under it; blame and fix are there."""
    text = "\n".join(printed(results.result(Verdict.FAIL), tmp_path))
    assert """--data '{"user": "user-12", "password": "***"}'""" in text
    for part in ("1. login: LOST", "because of strike", "-> 401 from web-1.1", "fix: Keep sessions"):
        assert part in text
    assert "promises login: expected" not in text
    whole = " ".join(" ".join(printed(results.result(Verdict.FAIL), tmp_path, verbose=True)).split())
    assert "✗ promises login: expected" in whole


def test_summary_of_a_pass_shows_both_bounds(tmp_path: Path) -> None:
    """A PASS says how much it is worth: exposures, needed, and both upper limits."""
    text = "\n".join(printed(results.result(), tmp_path))
    assert "362     299       0     <= 0.82 %        <= 39.3 %" in text and "6 of 6 confirmed over 3 slots" in text


def test_summary_with_hostile_text_sends_no_control_character(tmp_path: Path) -> None:
    """An answer can't move the cursor, colour the screen or turn the line round."""
    text = "\n".join(printed(results.result(Verdict.FAIL), tmp_path))
    assert not any((ord(char) < 32 and char != "\n") or char in "\u202e\x7f" for char in text)


def test_summary_of_markup_in_names_is_literal(tmp_path: Path) -> None:
    """Square brackets are text, not styles."""
    made = results.result()
    gate = replace(made.gates[0], verdict=Verdict.INVALID, name="[red]x[/red]", detail="[/nonsense]")
    text = "\n".join(printed(replace(made, gates=(gate,), reason="[bold]why[/bold]"), tmp_path))
    assert "[red]x[/red]" in text and "[bold]why[/bold]" in text and "[/nonsense]" in text


def test_summary_of_a_run_that_stopped_shows_its_log_and_hint(tmp_path: Path) -> None:
    """The last lines of the evidence are on the screen, not only in a file."""
    made, told = results.stillborn()
    run = story.write(tmp_path, events=told, traffic=False)
    text = "\n".join(printed(made, run.path))
    assert "| KeyError: 'REDIS_URL'" in text and "hint: look at its log below" in text


def test_summary_of_a_run_that_stopped_says_why_once(tmp_path: Path) -> None:
    """A long sentence that stands there three times is read not once; who asks for all gates gets it as theirs too."""
    made, told = results.stillborn()
    stop = next(event for event in told if isinstance(event, events.Troubled))
    why = f"{stop.message} (during {stop.during})"
    gate = Gate(group="assumptions", name="the run went to its end", verdict=Verdict.INVALID, expected="no trouble",
                actual=why, margin="", n=-1)  # fmt: skip
    made = replace(made, reason=why, gates=(gate,))
    run = story.write(tmp_path, events=told, traffic=False)
    flat = " ".join(" ".join(printed(made, run.path)).split())
    assert flat.count(stop.message) == 1
    other = " ".join(" ".join(printed(replace(made, reason="something else"), run.path)).split())
    assert f"stopped in {stop.during}: {stop.message}" in other


def test_summary_of_a_plan_that_proves_nothing_shows_what_the_instance_printed(tmp_path: Path) -> None:
    """A 503 says nothing of why; its own words do. A run that came to a verdict on the service needs none."""
    made, told = results.stillborn()
    calm = [event for event in told if not isinstance(event, events.Troubled)]
    words = events.Printed(t_ns=2, instance="web-1.1", seen="note.do: 503", log="a\n\x1b[31mno table notes")
    run = story.write(tmp_path, events=[*calm, words], traffic=False)
    text = "\n".join(printed(made, run.path))
    assert "web-1.1 answered note.do: 503; it printed last:" in text
    assert "| ⟨ESC⟩[31mno table notes" in text
    assert "no table notes" not in "\n".join(printed(results.result(), run.path))


def test_summary_of_shams_alone_does_not_tell_of_kills_that_were_confirmed(tmp_path: Path) -> None:
    """ "0 of 0 confirmed" reads as if all was well."""
    made = results.result(Verdict.INCONCLUSIVE)
    shams = tuple(row for row in made.kills if row.mode == "sham")
    run = story.write(tmp_path)
    line = next(line for line in printed(replace(made, kills=shams), run.path) if line.startswith("kills "))
    assert line.split() == ["kills", "none:", "nothing", "counted,", str(len(shams)), "shams"]


def test_summary_of_many_findings_folds_and_counts_the_rest(tmp_path: Path) -> None:
    """One of each of two promises whole, five in a sentence, then a line each up to fifteen; verbose shows all."""
    made = results.result(Verdict.FAIL)
    many = replace(made, findings=(made.findings[0],) * 3 + (made.findings[1],) + (made.findings[0],) * 36)
    lines, all_ = printed(many, tmp_path), printed(many, tmp_path, verbose=True)
    for start, folded, whole in (("curl ", 2 * 2, 40 * 2), ("because of strike", 5, 40), ("fix: ", 5, 40)):
        assert sum(line.strip().split(" s  ")[-1].startswith(start) for line in lines) == folded
        assert sum(line.strip().split(" s  ")[-1].startswith(start) for line in all_) == whole
    assert lines.count("   fix: as of finding 1") == 4
    assert sum(line.startswith(f"{number}. ") for number in range(1, 41) for line in lines) == 15
    assert "and 25 more findings; the requests of 38 of these findings are in the report" in lines
    assert any(line.startswith("40. login") for line in all_)
    assert len(lines) < 110


def test_summary_shows_what_is_known_and_what_only_warns_apart(tmp_path: Path) -> None:
    """A known finding has a line of its own with its reason and day, and is no finding of the count; a gate that warns
    says that it isn't counted, one that is off that it wasn't judged."""
    made = results.result(Verdict.FAIL)
    because = "SHOP-12, sessions move in March (until 2026-12-31)"
    warn = replace(made.gates[7], verdict=Verdict.FAIL, level=Level.WARN, name="bad seconds a kill", actual="9.9 s")
    off = replace(made.gates[8], level=Level.OFF, verdict=Verdict.INCONCLUSIVE)
    known = replace(made.findings[0], known=because)
    lines = printed(replace(made, findings=(made.findings[1], known), gates=(warn, off)), tmp_path)
    text = " ".join(" ".join(lines).split())
    assert "KNOWN login: LOST, lost with the instance, 187 objects SHOP-12, sessions move in March (until 2026" in text
    assert "warns, not counted (FAIL): bad seconds a kill: expected at most 1.30 s; was 9.9 s" in text
    assert f"switched off in the plan: {off.name}" in text
    assert "1. profile: LOST" in text and "login: LOST, lost" not in text.replace("KNOWN login: LOST, lost", "")
    assert lines[-4].startswith("FAIL    1 finding, 1 known, 6 kills")
    assert not any(line.startswith(("✗ budget", "? recovery")) for line in lines)
    assert not any(line.startswith("budget") for line in lines), "told above, with what it means"


def test_summary_of_a_promise_that_only_warns_says_so_at_its_finding(tmp_path: Path) -> None:
    """Its loss is there, with its number, and nobody takes it for what failed the run."""
    made = results.result(Verdict.FAIL)
    gates = tuple(replace(gate, level=Level.WARN) if gate.name == "login" else gate for gate in made.gates)
    lines = printed(replace(made, gates=gates, verdict=Verdict.PASS), tmp_path)
    assert "WARNS  login: LOST, lost with the instance, 187 objects" in lines
    assert any(line.startswith("1. profile") for line in lines)
    assert lines[-4].startswith("PASS    1 finding, 1 that only warn")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_summary_ends_in_the_verdict_and_what_repeats_it(tmp_path: Path, verdict: Verdict) -> None:
    """Whoever sees the last five lines only sees verdict, command, seed, report and run."""
    (tmp_path / "report.html").write_text("x")
    starts = [line.split()[0] for line in printed(results.result(verdict), tmp_path)[-5:]]
    assert starts == [verdict.value, "again", "seed", "report", "run"]


def test_summary_names_the_report_when_there_is_one(tmp_path: Path) -> None:
    """The path stands before the run's folder."""
    (tmp_path / "report.html").write_text("x")
    assert printed(results.result(), tmp_path)[-2] == f"report  {tmp_path / 'report.html'}"


def test_summary_names_what_was_seen_live_and_is_no_finding(tmp_path: Path) -> None:
    """A finding on the screen that is missing from the verdict without a word would shake the trust in both."""
    made = results.result(Verdict.FAIL)
    held = made.findings[0]
    seen = [(held.promise, held.anomaly, 1), ("review", "STALE", 1), ("review", "STALE", 2), ("review", "STALE", 2)]
    live = [
        events.FindingSeen(t_ns=number, promise=promise, anomaly=anomaly, session=f"s{session}", obj="o")
        for number, (promise, anomaly, session) in enumerate(seen)
    ]
    text = " ".join(printed(made, story.write(tmp_path, events=[*live], traffic=False).path))
    assert "seen live, not held: STALE review x2 (" in text
    (tmp_path / "other").mkdir()
    only_held = story.write(tmp_path / "other", events=[*live[:1]], traffic=False)
    assert "seen live" not in " ".join(printed(made, only_held.path))


def test_summary_of_several_findings_of_a_promise_adds_up(tmp_path: Path) -> None:
    """The gate's number is the sum that it shows, and each finding says of how much it is a part."""
    made = results.result(Verdict.FAIL)
    one = made.findings[0]
    parts = (
        replace(one, count=44, phase="chaos"),
        replace(one, count=6, phase="matrix"),
        replace(one, count=1, phase="controls"),
    )
    row = replace(made.promises[0], violations=51)
    text = " ".join(" ".join(printed(replace(made, findings=parts, promises=(row,)), tmp_path)).split())
    for said in ("44 objects (of 51 broken)", "6 pairs of instances (of 51 broken)", "1 try (of 51 broken)"):
        assert said in text
    assert "broken: the sum of the promise's findings" in text
    alone = replace(made, findings=parts[:1], promises=(replace(row, violations=44),))
    assert "44 objects (" not in " ".join(printed(alone, tmp_path)).replace("44 objects (critical)", "")
    assert "the sum of" not in " ".join(printed(results.result(), tmp_path))
