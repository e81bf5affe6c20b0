"""Services that are slower than the load: named as such, and asked for less where the plan leaves that open."""

from __future__ import annotations

from chaoscheck.engines.fake_apps import APPS, Asked, Said, Shop
from chaoscheck.model.clock import NS
from chaoscheck.model.events import PhaseBegan, RateChosen
from chaoscheck.model.verdict import Verdict
from chaoscheck.run import conclude
from chaoscheck.store import encode_result
from tests.simulate.conftest import Simulate

REQUEST_NS = NS // 20
SLOW = {"chaos.baseline": 6.0, "chaos.at_most": 300.0}


@APPS.add("one-at-a-time")
class OneAtATime(Shop):
    """Each instance works on one request at a time, for 50 ms."""

    def handle(self, asked: Asked) -> Said:
        if asked.path != "/healthz":
            begin_ns = max(self.local.get("free", 0), self.world.now_ns())
            self.local["free"] = begin_ns + REQUEST_NS
            self.world.wait_until_ns(self.local["free"])
        return super().handle(asked)


def test_service_slower_than_the_default_rate_is_asked_for_less_and_passes(simulate: Simulate) -> None:
    """The newcomer's slow service needs no traffic section; every slot gets its burst, and judging again agrees."""
    result, folder = simulate("one-at-a-time", **SLOW)
    chosen = [event for event in folder.events() if isinstance(event, RateChosen)]
    assert result.verdict is Verdict.PASS, result.reason
    assert chosen[0].tried == 150.0
    assert chosen[-1].rate < 60.0
    assert any("doesn't keep up with 150 requests/s" in warning for warning in result.warnings)
    assert [row.phase for row in result.phases].count("baseline") == 1
    assert next(row for row in result.phases if row.phase == "baseline").p95_ms < 1000
    assert encode_result(conclude(folder)) == encode_result(result)


def test_service_overloaded_at_the_rate_of_the_plan_is_invalid_before_any_kill(simulate: Simulate) -> None:
    """The plan's own rate is kept, named, and the run ends: no kill could be blamed for such waits."""
    result, folder = simulate("one-at-a-time", **SLOW, **{"traffic.rate": 150.0})
    assert result.verdict is Verdict.INVALID
    assert "overloaded at 150 requests/s" in result.reason
    gate = next(gate for gate in result.gates if gate.verdict is Verdict.INVALID)
    assert "lower traffic.rate to" in gate.detail
    assert not [event for event in folder.events() if isinstance(event, PhaseBegan) and event.phase == "chaos"]


def test_service_that_keeps_up_is_left_alone(simulate: Simulate) -> None:
    """No word of load where there is none to lower."""
    result, folder = simulate("stateless")
    assert not [event for event in folder.events() if isinstance(event, RateChosen)]
    assert "the service keeps up" not in {gate.name for gate in result.gates}
