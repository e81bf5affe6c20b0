"""What a victim printed last is kept: masked, bounded, and never in the way of the run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chaoscheck.engines.base import Instance
from chaoscheck.errors import EngineLost
from chaoscheck.phases.stage import LOG_CHARS, Stage
from chaoscheck.plan.plan import LoadedPlan, Plan

PLAN = Plan.model_validate(
    {
        "target": {"image": "x", "port": 80, "env": {"SIGNING_SECRET": "k-17-abcdef", "MODE": "shared"}},
        "promises": {"note": {"kind": "kept", "do": {"post": "/n"}, "see": {"get": "/n"}}},
        "secrets": ["open-sesame-42"],
    }
)
LOADED = LoadedPlan(plan=PLAN, path=Path("plan.yaml"), text="", lines={})


class Talkative:
    """A fleet whose instances printed that."""

    def __init__(self, text: str) -> None:
        self.text = text

    def logs(self, instance: Instance, lines: int) -> str:
        if not self.text:
            raise EngineLost("the engine is gone")
        return "\n".join(self.text.splitlines()[-lines:])


def tail(fleet: object) -> str:
    stage = cast(Stage, SimpleNamespace(fleet=fleet, loaded=LOADED))
    return Stage.log_tail(stage, cast(Instance, None), 2)


def test_secrets_in_a_log_are_masked() -> None:
    """Those that the plan lists, settings whose name says so, and what looks like one by its name."""
    told = tail(Talkative("a\nkey open-sesame-42 or k-17-abcdef in shared\npassword=hunter2"))
    assert told == "key *** or *** in shared\npassword=***"


def test_long_lines_do_not_fill_the_events() -> None:
    """A service may print a megabyte in a line; its end is what matters."""
    told = tail(Talkative("x" * 1_000_000 + "Traceback"))
    assert len(told) == LOG_CHARS and told.endswith("Traceback")


@pytest.mark.parametrize("fleet", [Talkative(""), object()])
def test_log_that_is_not_to_be_had_is_none(fleet: object) -> None:
    """Neither a fleet that keeps none nor one that fails to tell ends the run."""
    assert tail(fleet) == ""
