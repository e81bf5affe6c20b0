"""Each way to be right or wrong ends in its verdict, its finding and its cause."""

from __future__ import annotations

import pytest

from chaoscheck.engines.base import Instance, KillReceipt
from chaoscheck.engines.fake import FakeFleet
from chaoscheck.engines.fake_apps import APPS, Asked, Data, Said, Shop
from chaoscheck.engines.fake_network import FakeTransport
from chaoscheck.model.clock import NS
from chaoscheck.model.events import RoundAdded, StrikeBegan
from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.phases.matrix import CONFIRM_PAUSES_S, OTHER_READS
from chaoscheck.run import conclude
from chaoscheck.store import encode_result
from chaoscheck.traffic.volley import Aim
from tests.simulate.conftest import Simulate, gates


def causes(result: Result) -> set[str]:
    return {finding.cause.value for finding in result.findings if finding.verdict is Verdict.FAIL}


def not_landed(fleet: FakeFleet) -> KillReceipt:
    now = fleet.world.now_ns()
    return KillReceipt(
        signal_ns=now,
        returned_ns=now,
        death_ns=-1,
        error_ns=0,
        refused_ns=-1,
        confirmed=False,
        exit_code=-1,
        detail="still running",
    )


def test_round_beyond_those_planned_says_what_was_lacking(simulate: Simulate) -> None:
    """Once for each, with less each time, and not for the planned ones."""
    _, folder = simulate("stateless", **{"evidence.max_loss": 0.03, "traffic.users": 12, "chaos.at_most": "90s"})
    told = folder.events()
    added = [event for event in told if isinstance(event, RoundAdded)]
    rounds = {event.round + 1 for event in told if isinstance(event, StrikeBegan)}
    assert [event.round for event in added] == sorted(rounds)[2:] and added
    lacks = [event.lacks["login"] for event in added]
    assert lacks == sorted(lacks, reverse=True) and lacks[-1] > 0
    assert all("reviews" not in event.lacks for event in added), "it has plenty"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stateless_service_passes(simulate: Simulate, seed: int) -> None:
    """Nothing is lost, and enough was exposed to say so."""
    result, _ = simulate("stateless", seed=seed)
    assert result.verdict is Verdict.PASS, result.reason
    assert not result.findings
    assert all(promise.exposures >= promise.needed for promise in result.promises)


def test_stateless_service_passes_behind_sticky_routing(simulate: Simulate) -> None:
    """Stickiness alone is no defect."""
    result, _ = simulate("stateless", **{"balancer.mode": "sticky"})
    assert result.verdict is Verdict.PASS, result.reason


@pytest.mark.parametrize(
    ("app", "mode", "cause"),
    [
        ("memory", "round-robin", "state in one instance"),
        ("memory", "sticky", "lost with the instance"),
        ("local-reviews", "round-robin", "state in one instance"),
        ("two-workers", "round-robin", "state in one worker process"),
        ("write-behind", "round-robin", "acknowledged before persisted"),
    ],
)
def test_stateful_service_fails_with_its_cause(simulate: Simulate, app: str, mode: str, cause: str) -> None:
    """The verdict alone would not tell a developer what to mend."""
    result, _ = simulate(app, **{"balancer.mode": mode})
    assert result.verdict is Verdict.FAIL, result.reason
    assert cause in causes(result)
    assert all(finding.fix and finding.chain for finding in result.findings)


@pytest.mark.parametrize("mode", ["round-robin", "sticky"])
def test_copy_that_hears_of_no_change_is_stale_in_the_matrix(simulate: Simulate, mode: str) -> None:
    """No load and no kill: seen on one, replaced on the other, and the first still shows what it saw."""
    result, _ = simulate("stale-profiles", **{"balancer.mode": mode})
    assert result.verdict is Verdict.FAIL, result.reason
    found = {(one.promise, one.anomaly, one.cause.value, one.phase) for one in result.findings}
    assert ("profile", "STALE", "state in one instance", "matrix") in found
    assert {one.promise for one in result.findings} == {"profile"}
    assert any(cell.holds for cell in result.matrix if cell.writer == cell.reader and cell.promise == "profile")


def test_wrong_user_is_critical(simulate: Simulate) -> None:
    """Another user's identity is the worst that can be seen."""
    result, _ = simulate("wrong-user")
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].critical
    assert result.findings[0].anomaly == "WRONG_USER"


def test_store_that_forgets_is_not_blamed_on_a_kill(simulate: Simulate) -> None:
    """Sessions vanish with nobody's death: the cause is in the background."""
    result, _ = simulate("forgetful-store")
    assert result.verdict is Verdict.FAIL
    assert "lost with the instance" not in causes(result)


def test_every_tenth_request_500_breaks_no_promise(simulate: Simulate) -> None:
    """It misses its budget already in the baseline, which is not the kills' doing: INVALID, and no finding."""
    result, _ = simulate("five-hundreds")
    assert result.verdict is Verdict.INVALID
    assert not result.findings
    assert "baseline" in gates(result, Verdict.INVALID)
    assert all(promise.violations == 0 for promise in result.promises)


def test_replacement_that_turns_sick_seconds_after_it_serves_is_over_budget(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers well for two seconds and a half, and then no user any more: the kill's doing, and no recovery."""
    real = Shop.handle

    def sicken(self: Shop, asked: Asked) -> Said:
        born_ns = self.local.setdefault("born", self.world.now_ns())
        sick = not self.name.endswith(".1") and self.world.now_ns() - born_ns > 2.5 * NS
        return Said(500, {"error": "sorry"}) if sick and asked.path != "/healthz" else real(self, asked)

    monkeypatch.setattr(Shop, "handle", sicken)
    result, _ = simulate("stateless", **{"budget.recovery": "30s", "budget.slo": "99.99% over 30d"})
    assert result.verdict is Verdict.FAIL, result.reason
    assert "recovery: " in gates(result, Verdict.FAIL)
    assert "never recovered from" in gates(result, Verdict.FAIL)
    assert "bad seconds a kill" in gates(result, Verdict.FAIL)
    assert not result.findings


def test_expect_200_on_a_page_that_guests_get_too_is_invalid(simulate: Simulate) -> None:
    """A check that can't fail proves nothing; the answer is shown."""
    see = 'see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}'
    result, _ = simulate("guests-too", replace=(see, "see:  {get: /me, expect: 200}"))
    assert result.verdict is Verdict.INVALID
    assert "login" in result.reason
    assert not result.kills


def test_search_page_that_echoes_the_query_is_invalid(simulate: Simulate) -> None:
    """It shows what nobody wrote."""
    result, _ = simulate("echoing-search")
    assert result.verdict is Verdict.INVALID
    assert "reviews" in result.reason


def test_check_that_never_holds_is_invalid(simulate: Simulate) -> None:
    """The plan looks for something that the service never says."""
    result, _ = simulate(
        "stateless", replace=('value: "json:nickname", expect: 200', 'value: "json:nick", expect: 200')
    )
    assert result.verdict is Verdict.INVALID
    assert "profile" in result.reason


def test_kill_replaced_by_a_no_op_never_passes(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero victims is no evidence, however well everything went."""

    def pretend(self: FakeFleet, instance: Instance) -> KillReceipt:
        return not_landed(self)

    monkeypatch.setattr(FakeFleet, "kill", pretend)
    result, _ = simulate("stateless")
    assert result.verdict is not Verdict.PASS


def test_lying_kill_never_passes(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a receipt that claims a death which never was: the victim goes on answering, and that is noticed."""

    def lie(self: FakeFleet, instance: Instance) -> KillReceipt:
        now = self.world.now_ns()
        return KillReceipt(
            signal_ns=now,
            returned_ns=now,
            death_ns=now,
            error_ns=0,
            refused_ns=now,
            confirmed=True,
            exit_code=137,
            detail="ended, trust me",
        )

    monkeypatch.setattr(FakeFleet, "kill", lie)
    monkeypatch.setattr(FakeFleet, "remove", lambda self, instance: None)
    result, _ = simulate("stateless")
    assert result.verdict is not Verdict.PASS


def test_one_kill_that_does_not_land_never_passes(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five of six is not what the plan said."""
    real = FakeFleet.kill
    count = 0

    def mostly(self: FakeFleet, instance: Instance) -> KillReceipt:
        nonlocal count
        count += 1
        if count != 3:
            return real(self, instance)
        return not_landed(self)

    monkeypatch.setattr(FakeFleet, "kill", mostly)
    result, _ = simulate("stateless")
    assert result.verdict is not Verdict.PASS
    assert "land" in result.reason or "confirm" in result.reason


def test_too_little_time_is_inconclusive_and_says_what_is_missing(simulate: Simulate) -> None:
    """299 exposures don't fit into ten seconds."""
    result, _ = simulate("stateless", **{"chaos.at_most": "10s", "evidence.max_loss": "1%", "traffic.users": 10})
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "more exposures" in result.reason


def test_judging_again_gives_the_same_bytes(simulate: Simulate) -> None:
    """The result is a pure function of the folder."""
    result, folder = simulate("memory")
    before = folder.result_file.read_bytes()
    again = conclude(folder)
    assert again == result
    assert folder.result_file.read_bytes() == before == encode_result(result)


def test_same_seed_strikes_the_same(simulate: Simulate) -> None:
    """In simulated time even the outcome repeats."""
    kills = [[(kill.slot, kill.mode) for kill in simulate("stateless", seed=5)[0].kills] for _ in range(2)]
    assert kills[0] == kills[1]
    assert kills[0]


def test_nothing_that_must_survive_is_never_a_pass(simulate: Simulate) -> None:
    """A plan whose every promise may be lost has nothing to say of kills."""
    survives = {f"promises.{name}.survives": [] for name in ("login", "profile", "reviews")}
    result, _ = simulate("memory", **survives)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "something is judged" in gates(result, Verdict.INCONCLUSIVE)


def test_tolerated_login_does_not_hide_what_other_promises_lose(simulate: Simulate) -> None:
    """Losing the login is declared fine; losing reviews is not."""
    result, _ = simulate("memory", **{"promises.login.survives": []})
    assert result.verdict is Verdict.FAIL
    assert {finding.promise for finding in result.findings if finding.verdict is Verdict.FAIL} >= {"reviews"}


def test_error_page_with_status_200_is_not_a_pass(simulate: Simulate) -> None:
    """An answer that the plan doesn't know, where a loss should be seen, is evidence of nothing."""
    result, _ = simulate("error-page")
    assert result.verdict is not Verdict.PASS
    assert "understood" in gates(result, Verdict.INCONCLUSIVE)


def test_history_with_a_part_cut_off_never_passes(simulate: Simulate) -> None:
    """What is missing could have been the loss."""
    result, folder = simulate("stateless")
    assert result.verdict is Verdict.PASS
    path = folder.history / "w0.ndjson"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) * 7 // 10]))
    assert conclude(folder).verdict is Verdict.INVALID


def test_run_without_bursts_never_passes(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is acknowledged in the last milliseconds would go unseen."""
    monkeypatch.setattr(Aim, "begin", lambda self: None)
    result, _ = simulate("stateless")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "burst" in gates(result, Verdict.INCONCLUSIVE)


def test_header_that_names_another_instance_than_the_log_is_invalid(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exposures rest on who answered; two words on that can't both be true."""
    real = FakeTransport._log
    monkeypatch.setattr(FakeTransport, "_log", lambda self, wire, server, heard: real(self, wire, "web-1.1", heard))
    result, _ = simulate("stateless")
    assert result.verdict is Verdict.INVALID
    assert "answers name who gave them" in gates(result, Verdict.INVALID)


def test_logins_refused_only_under_kills_never_pass(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal acknowledges nothing, so no promise is broken, but users did notice."""
    real = Shop.login

    def refuse(self: Shop, asked: Asked) -> Said:
        self.local["logins"] = self.local.get("logins", 0) + 1
        replaced = not self.name.endswith(".1")
        return Said(401, {"error": "no"}) if replaced and self.local["logins"] % 2 else real(self, asked)

    monkeypatch.setattr(Shop, "login", refuse)
    result, _ = simulate("stateless")
    assert result.verdict is Verdict.INCONCLUSIVE, result.reason
    assert "login.do is accepted under kills" in gates(result, Verdict.INCONCLUSIVE)


@APPS.add("late-reviews")
class LateReviews(Shop):
    """A review is there for everyone once it was looked for as often as the matrix asks the reader."""

    def handle(self, asked: Asked) -> Said:
        text = asked.query.get("q", "")
        looked = self.shared.setdefault("looked", {})
        if text in self.reviews():
            looked[text] = looked.get(text, 0) + 1
            if looked[text] <= OTHER_READS + len(CONFIRM_PAUSES_S):
                return Said(200, [])
        return super().handle(asked)


def test_write_that_lands_between_two_reads_of_the_matrix_is_no_state_of_one_instance(simulate: Simulate) -> None:
    """The reader missed it, then the writer showed it: it may have reached both in between."""
    result, _ = simulate("late-reviews")
    found = [one for one in result.findings if one.promise == "reviews" and one.phase == "matrix"]
    assert [one.anomaly for one in found] == ["FLICKER"]


@APPS.add("paged-reviews")
class PagedReviews(Shop):
    """The list of reviews shows the newest thirty."""

    def handle(self, asked: Asked) -> Said:
        if asked.path == "/newest":
            return Said(200, list(self.reviews())[-30:])
        return super().handle(asked)


def test_objects_that_drop_out_of_a_paged_list_make_the_run_invalid(simulate: Simulate) -> None:
    """Another instance showed them, so that nobody's death took them; and a list needn't show all there is."""
    result, _ = simulate("paged-reviews", replace=("/reviews?q=$value", "/newest"))
    assert result.verdict is Verdict.INVALID, result.reason
    assert {(one.promise, one.cause.value, one.verdict) for one in result.findings} == {
        ("reviews", "dropped out of a list", Verdict.INVALID)
    }
    assert any("asks for a list" in warning for warning in result.warnings)


@APPS.add("listed-local-reviews")
class ListedLocalReviews(PagedReviews):
    """The same list, of reviews that only the instance has which took them."""

    def reviews(self) -> Data:
        return self.local.setdefault("reviews", {})  # type: ignore[no-any-return]


def test_objects_of_one_instance_fail_though_a_list_is_asked_for(simulate: Simulate) -> None:
    """What no other instance ever showed did not drop out of a list."""
    result, _ = simulate("listed-local-reviews", replace=("/reviews?q=$value", "/newest"))
    assert result.verdict is Verdict.FAIL, result.reason
    assert "state in one instance" in causes(result)
