"""A small clean run passes; each assumption, broken once, is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from chaoscheck import plugins
from chaoscheck.checkers import session as _session  # noqa: F401
from chaoscheck.checkers.base import CHECKERS
from chaoscheck.checkers.judge import judge_rows
from chaoscheck.checkers.kept import KeptChecker
from chaoscheck.model import events as ev
from chaoscheck.model.clock import NS
from chaoscheck.model.events import Event
from chaoscheck.model.history import Row, SessionBorn
from chaoscheck.model.ops import Op
from chaoscheck.model.verdict import Cause, Gate, Result, Verdict
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.store import encode_result
from tests.unit.checkers.making import op

plugins.load()

MS = NS // 1000
E = TypeVar("E", bound=Event)
PLAN = {
    "target": {"command": ["serve"]},
    "instances": 2,
    "promises": {
        "note": {
            "kind": "kept",
            "do": {"post": "/notes", "json": {"text": "$value", "token": "abc"}, "expect": 201},
            "see": {"get": "/notes?q=$value", "expect": "$value"},
        }
    },
    "chaos": {"shams": 1, "rounds": 1},
    "evidence": {"confidence": 0.95, "max_loss": 0.5},
    "budget": {"slo": "99% over 30d", "deaths": "200/month"},
}


def loaded(**changes: object) -> LoadedPlan:
    return LoadedPlan(plan=Plan.model_validate({**PLAN, **changes}), path=Path("plan.yaml"), text="", lines={})


def strike(index: int, slot: int, at_s: int) -> list[Event]:
    """A kill that landed, with its replacement half a second later."""
    t, victim, fresh = at_s * NS, f"web-{slot}.1", f"web-{slot}.2"
    return [
        ev.StrikeBegan(t_ns=t, index=index, round=0, slot=slot, victim=victim, mode="burst", fault="kill"),
        ev.Struck(t_ns=t + MS, index=index, victim=victim, decided_ns=t, signal_ns=t, returned_ns=t + MS,
                  death_ns=t + MS, error_ns=0, refused_ns=t + 2 * MS, confirmed=True, exit_code=137, detail=""),
        ev.InstanceReady(t_ns=t + NS // 2, instance=fresh, joined=True),
        ev.Restored(t_ns=t + NS // 2, index=index, replacement=fresh),
        ev.StrikeEnded(t_ns=t + NS, index=index, exposed={}, read_back={}, timed_out=False),
    ]  # fmt: skip


def clean_events() -> list[Event]:
    sham = ev.Struck(t_ns=20 * NS, index=2, victim="web-1.2", decided_ns=20 * NS, signal_ns=-1, returned_ns=-1,
                     death_ns=-1, error_ns=0, refused_ns=-1, confirmed=False, exit_code=-1, detail="sham")  # fmt: skip
    return [
        ev.RunStarted(t_ns=0, run="run", version="1", seed=1, plan="plan.yaml", engine="fake", balancer="fake",
                      instances=2, command="chaoscheck run plan.yaml", wall_ns=0, environment={}),
        ev.TransportProved(t_ns=0, transport="controller", deliveries=1),
        *(ev.ControlProbed(t_ns=0, promise="note", must=must, tries=2, held=2 * (must == "hold"), instance="web-1.1",
                           request="GET /notes", answer="200 []", gone_by_expect=False) for must in ("fail", "hold")),
        *(ev.MatrixProbed(t_ns=0, promise="note", writer=f"web-{one}.1", reader=f"web-{other}.1", holds=True, note="",
                          session="m", obj="o") for one in (1, 2) for other in (1, 2)),
        ev.PhaseBegan(t_ns=0, phase="baseline"),
        ev.TrafficSeen(t_ns=NS, requests=9, bad=0, sessions=1, late_ms=3.0, p50_ms=1.0, p95_ms=2.0, exposures={}),
        ev.PhaseBegan(t_ns=5 * NS, phase="chaos"),
        *strike(0, 1, 10), *strike(1, 2, 15),
        ev.StrikeBegan(t_ns=20 * NS, index=2, round=0, slot=1, victim="web-1.2", mode="sham", fault="kill"), sham,
        ev.StrikeEnded(t_ns=21 * NS, index=2, exposed={}, read_back={}, timed_out=False),
        ev.PhaseBegan(t_ns=25 * NS, phase="final reads"),
        ev.FinalReadsEnded(t_ns=26 * NS, due={"note": 4}, done={"note": 4}),
        ev.RunEnded(t_ns=27 * NS),
    ]  # fmt: skip


def clean_rows(*, read: str = "ok") -> list[Row]:
    """Steady traffic; four objects made by each victim, read back after its death by another."""
    rows: list[Row] = [SessionBorn("s1", "ann", "user", 0)]
    ops = [note("see", at_ms * MS, obj="steady", outcome="ok", lasted=3 * MS) for at_ms in range(100, 24_000, 100)]
    ops.append(note("see", 10 * NS - MS, obj="in flight", outcome="ok", who="web-1.1", lasted=2 * MS))
    for slot, died_s in ((1, 10), (2, 15)):
        for number in range(4):
            obj, at = f"run.s1.{slot}{number}", (died_s - 4) * NS + number * 10 * MS
            ops.append(note("do", at, obj=obj, outcome="ok", value=obj, who=f"web-{slot}.1"))
            ops.append(note("see", at + 5 * NS, obj=obj, outcome=read, who=f"web-{3 - slot}.{slot}"))
            if read == "gone":
                ops += [note("see", at + 5 * NS + (2 + more) * MS, obj=obj, outcome=read, who=f"web-{one}.2",
                             via=f"web-{one}.2", lane="confirm") for more, one in enumerate((1, 2))]  # fmt: skip
        ops.append(note("do", died_s * NS - 50 * MS, obj=f"b{slot}", outcome="ok", value=f"b{slot}",
                        who=f"web-{slot}.1",
                        via=f"web-{slot}.1", lane="burst"))  # fmt: skip
        ops.append(note("see", 25_500 * MS + slot * MS, obj=f"b{slot}", outcome="ok", who=f"web-{slot}.2",
                        via=f"web-{slot}.2", lane="final"))  # fmt: skip
        # A user is answered by the replacement.
        ops.append(note("see", 23 * NS + slot * 20 * MS, obj="back", outcome="ok", who=f"web-{slot}.2"))
    return rows + sorted(ops, key=lambda each: each.done_ns)


def note(action: str, at: int, *, obj: str, outcome: str, who: str = "web-2.2", value: str = "", lane: str = "user",
         via: str = "lb", lasted: int = MS) -> Op:  # fmt: skip
    return op(action, outcome, at=at, obj=obj, who=who, value=value, lane=lane, via=via, promise="note", lasted=lasted)


def judged(events: list[Event], rows: list[Row], **plan: object) -> Result:
    return judge_rows(loaded(**plan), events, lambda: iter([rows]))


def red(result: Result, verdict: Verdict) -> list[str]:
    return [gate.name for gate in result.gates if gate.verdict is verdict]


def changed(kind: type[E], change: Callable[[E], Event | None]) -> list[Event]:
    """The clean run with each event of that class changed, or left out."""
    new = [change(event) if isinstance(event, kind) else event for event in clean_events()]
    return [event for event in new if event is not None]


def test_clean_run_passes_and_twice_to_the_same_bytes() -> None:
    """Everything was shown: PASS, with the counts that show it."""
    result = judged(clean_events(), clean_rows())
    assert result.verdict is Verdict.PASS, result.reason
    assert (result.promises[0].exposures, result.promises[0].needed) == (10, 5)
    assert [kill.in_flight for kill in result.kills] == [1, 0, 0]
    assert encode_result(result) == encode_result(judged(clean_events(), clean_rows()))


def test_loss_with_every_victim_fails_with_cause_chain_and_kill() -> None:
    """Nobody has what the dead acknowledged; the chain shows the requests and hides the secret."""
    result = judged(clean_events(), clean_rows(read="gone"))
    finding = result.findings[0]
    assert (result.verdict, finding.cause, finding.count, finding.victim) == (
        Verdict.FAIL, Cause.LOST_WITH_INSTANCE, 8, "web-1.1")  # fmt: skip
    assert [link.curl.split()[0] for link in finding.chain] == ["curl", "#", "curl", "curl", "curl"]
    assert "***" in finding.chain[0].curl and "abc" not in finding.chain[0].curl
    assert [kill.lost["note"] for kill in result.kills] == [4, 4, 0]


def test_promise_broken_in_several_ways_is_told_as_their_sum() -> None:
    """One number that nothing explains would be hard to believe: the gate adds up its findings."""
    cells = changed(
        ev.MatrixProbed, lambda e: replace(e, holds=e.writer == e.reader, told=9, missed=9, writer_has=True)
    )
    result = judged(cells, clean_rows(read="gone"))
    one = next(gate for gate in result.gates if gate.group == "promises")
    assert one.actual == (
        "10 broken = 2 LOST (state in one instance, pairs of the matrix) + 8 LOST (lost with the instance)"
    )
    assert sum(finding.count for finding in result.findings) == result.promises[0].violations == 10


def test_loss_by_kills_is_told_beside_what_they_exposed() -> None:
    """So many were at risk, so many of them came through: the two add up."""
    result = judged(clean_events(), clean_rows(read="gone"))
    assert result.reason.endswith("; kills exposed 10: 2 read back whole, 8 not")
    assert (result.promises[0].exposures, result.findings[0].count) == (2, 8)


STRUCK = ev.Struck


def test_do_that_was_never_ok_is_told_as_that_and_not_as_a_check_that_never_held() -> None:
    """Where nothing was written there was nothing to see: no read was made, so none is counted."""
    undone = changed(ev.ControlProbed, lambda e: replace(e, held=0, tries=5, undone=True, request="POST /notes",
                                                         answer="503 no") if e.must == "hold" else e)  # fmt: skip
    gate = next(one for one in judged(undone, clean_rows()).gates if one.name == "note: its check can hold")
    assert gate.verdict is Verdict.INVALID
    assert gate.actual == "its do was never ok (5 tries), so nothing was there to see: POST /notes: 503 no"


def test_action_that_was_never_ok_is_told_with_its_line_how_often_and_what_came_last() -> None:
    """Of what was sent under load; and what users never sent isn't told as refused."""
    born, *ops = clean_rows()
    sick = [row._replace(outcome="unknown", status=503, error="status 503, expected 201")
            if isinstance(row, Op) and row.action == "do" else row for row in ops]  # fmt: skip
    dos = sum(isinstance(row, Op) and row.action == "do" for row in ops)
    found = LoadedPlan(plan=loaded().plan, path=Path("plan.yaml"), text="", lines={"promises.note.do": 6})

    def gate(rows: list[Row]) -> Gate:
        result = judge_rows(found, clean_events(), lambda: iter([rows]))
        return next(one for one in result.gates if one.name == "each action succeeded")

    one = gate([born, *sick])
    assert one.verdict is Verdict.INCONCLUSIVE
    last = "was answered 503 (status 503, expected 201)"
    assert one.actual == f"note.do (plan.yaml:6) was never ok in {dos} tries, the last of which {last}"
    seen = [row for row in ops if isinstance(row, Op) and row.action == "see"]
    assert gate([born, *seen]).actual == "note.do (plan.yaml:6) was never sent"
    assert gate(clean_rows()).verdict is Verdict.PASS


def test_control_without_an_answer_counts_nothing_and_says_what_came() -> None:
    """Six times 500 is no check that can fail, and it wasn't left untried either."""
    dumb = changed(ev.ControlProbed, lambda e: replace(e, tries=0, held=0, request="GET /n", answer="500 no"))
    gate = next(one for one in judged(dumb, clean_rows()).gates if one.name == "note: its check can fail")
    assert (gate.verdict, gate.n) == (Verdict.INCONCLUSIVE, 0)
    assert gate.actual == "nothing counted: no read was answered, the last was GET /n: 500 no"


@pytest.mark.parametrize("name", ["requests were in flight at a kill", "note: final reads done"])
def test_nothing_counted_is_said_so_and_looks_like_no_success(name: str) -> None:
    """ "0 of 0" reads as if all was well."""
    events = [event for event in changed(ev.FinalReadsEnded, lambda e: replace(e, due={}, done={}))
              if getattr(event, "index", 2) == 2]  # fmt: skip
    gate = next(one for one in judged(events, clean_rows()).gates if one.name == name)
    assert gate.verdict is Verdict.INCONCLUSIVE
    assert gate.actual.startswith("nothing counted: no ")


BROKEN: dict[str, tuple[list[Event], Verdict, str]] = {
    "a kill that did not land": (
        changed(STRUCK, lambda e: replace(e, confirmed=False, death_ns=-1) if e.index == 1 else e),
        Verdict.INVALID, "kills land"),
    "no kill at all": (
        [event for event in clean_events() if getattr(event, "index", 2) == 2], Verdict.INVALID, "kills land"),
    "a check that cannot fail": (
        changed(ev.ControlProbed, lambda e: replace(e, held=2)), Verdict.INVALID, "note: its check can fail"),
    "a check that never holds": (
        changed(ev.ControlProbed, lambda e: replace(e, held=0)), Verdict.INVALID, "note: its check can hold"),
    "no controls": (changed(ev.ControlProbed, lambda e: None), Verdict.INCONCLUSIVE, "note: its check can fail"),
    "two deliveries": (
        changed(ev.TransportProved, lambda e: replace(e, deliveries=12)), Verdict.INVALID,
        "an attempt is delivered once"),
    "a late generator": (
        changed(ev.TrafficSeen, lambda e: replace(e, late_ms=900.0)), Verdict.INVALID, "the generator keeps up"),
    "a vague death": (changed(STRUCK, lambda e: replace(e, error_ns=NS)), Verdict.INVALID, "clocks agree"),
    "a store died": (
        [*clean_events(), ev.StoreDied(t_ns=27 * NS, store="redis", detail="")], Verdict.INVALID, "stores stay up"),
    "an instance died unasked": (
        [*clean_events(), ev.InstanceDied(t_ns=24 * NS, instance="web-2.2", asked=False, death_ns=24 * NS, error_ns=0,
                                          exit_code=1, out_of_memory=False, log="boom")],
        Verdict.INVALID, "instances die only when killed"),
    "a worker was lost": (
        [*clean_events(), ev.WorkerLost(t_ns=27 * NS, worker="w0", detail="")], Verdict.INVALID, "the load is whole"),
    "trouble": (
        [*clean_events(), ev.Troubled(t_ns=27 * NS, during="chaos", kind="EngineLost", message="the engine is gone",
                                      hint="", details="")], Verdict.INVALID, "the run went to its end"),
    "interrupted": (
        [*clean_events(), ev.Interrupted(t_ns=27 * NS, during="chaos")], Verdict.INCONCLUSIVE,
        "the run went to its end"),
    "cut off": (changed(ev.RunEnded, lambda e: None), Verdict.INCONCLUSIVE, "the run went to its end"),
    "no sham": ([event for event in clean_events() if getattr(event, "index", 0) != 2], Verdict.INCONCLUSIVE,
                "shams hurt nobody"),
    "final reads short": (
        changed(ev.FinalReadsEnded, lambda e: replace(e, done={"note": 3})), Verdict.INCONCLUSIVE,
        "note: final reads done"),
    "matrix short": (
        changed(ev.MatrixProbed, lambda e: e if e.writer == e.reader else None), Verdict.INCONCLUSIVE,
        "matrix complete"),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_assumption_is_never_a_pass_and_is_named(broken: str) -> None:
    """Each gate can go red, and the reason leads with what made the verdict."""
    events, verdict, name = BROKEN[broken]
    result = judged(events, clean_rows())
    assert name in red(result, verdict)
    assert result.verdict is verdict, result.reason


def test_slot_whose_replacement_never_answers_a_user_is_not_covered() -> None:
    """Being ready is the controller's word; serving is the users'."""
    rows = [
        row for row in clean_rows() if not (isinstance(row, Op) and row.lane == "user" and row.incarnation == "web-1.2")
    ]
    assert "every instance died and came back" in red(judged(clean_events(), rows), Verdict.INCONCLUSIVE)


def test_matrix_cell_that_fails_on_its_own_instance_is_a_worker_process() -> None:
    """No kill and no other instance was needed."""
    events = changed(
        ev.MatrixProbed, lambda e: replace(e, holds=e.writer != e.reader, told=24, missed=11, writer_has=True)
    )
    result = judged(events, clean_rows())
    assert (result.verdict, result.findings[0].cause) == (Verdict.FAIL, Cause.WORKER_PROCESS)


def test_baseline_over_budget_is_invalid_and_breaks_no_promise() -> None:
    """Every tenth request a 500, with no kill near: not the kills' doing."""
    errors = [note("see", at * 50 * MS, obj="e", outcome="dropped")._replace(status=500) for at in range(1, 99)]
    rows = clean_rows()
    result = judged(clean_events(), rows[:1] + sorted(rows[1:] + errors, key=lambda each: each[13]))  # type: ignore[misc]
    assert red(result, Verdict.INVALID) == ["baseline within the SLO"]
    assert result.promises[0].verdict is Verdict.PASS


def test_unrecognised_answers_in_the_baseline_are_invalid_with_an_excerpt() -> None:
    """An answer that the plan doesn't know is evidence of nothing."""
    odd = note("see", NS, obj="u", outcome="unrecognised")._replace(excerpt="200 <maintenance>")
    result = judged(clean_events(), [*clean_rows(), odd])
    assert "note: answers are understood" in red(result, Verdict.INVALID)
    assert "<maintenance>" in result.reason


def test_too_few_exposures_are_inconclusive_with_what_is_missing() -> None:
    """Eight clean exposures don't show one percent."""
    result = judged(clean_events(), clean_rows(), evidence={})
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "289 more exposures" in result.reason


def test_no_history_at_all_is_never_a_pass() -> None:
    """Zero operations prove nothing."""
    assert judged(clean_events(), []).verdict is Verdict.INVALID
    assert judged([], []).verdict is Verdict.INCONCLUSIVE


def test_checker_that_crashes_is_invalid_for_its_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own defect is no verdict on the service."""
    monkeypatch.setattr(KeptChecker, "fold", lambda self, ops: 1 / 0)
    assert "kept" in CHECKERS
    result = judged(clean_events(), clean_rows())
    assert "note: its checker works" in red(result, Verdict.INVALID)
    assert result.promises[0].verdict is Verdict.INVALID
