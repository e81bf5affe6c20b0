"""A chain's curl lines send what the run sent, and give no password away."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck.checkers.chains import Pair, pair_chain
from chaoscheck.checkers.timeline import timeline
from chaoscheck.model import events as ev
from chaoscheck.plan.plan import Plan
from tests.unit.checkers.making import op

CELL = ev.MatrixProbed(t_ns=1000, promise="p", writer="web-1.1", reader="web-2.1", holds=False, note="", session="s1",
                       obj="o1")  # fmt: skip


def lines(promise: dict[str, Any], auth: str | None = "$user:pw-1") -> list[str]:
    """The curl lines of a write on web-1.1 and of the read on web-2.1 that missed it."""
    promise = {"do": {"post": "/n"}, "see": {"get": "/n"}, "kind": "kept", **promise}
    target = {"command": ["serve"], "auth": auth} if auth else {"command": ["serve"]}
    plan = Plan.model_validate({"target": target, "promises": {"p": promise}})
    ops = [
        op("do", "ok", at=10, value="v1", via="web-1.1", lane="matrix"),
        op("see", "gone", at=30, value="v1", via="web-2.1", who="web-2.1", lane="matrix"),
    ]
    chain = pair_chain(Pair(CELL, user="al", ops=ops), plan, timeline([CELL]))
    return [link.curl for link in chain]


@pytest.mark.parametrize(
    ("promise", "sent"),
    [
        ({}, [True, True]),
        ({"see": {"get": "/n", "as": "guest"}}, [True, False]),
        ({"as": "guest"}, [False, False]),
        ({"kind": "session"}, [False, True]),
    ],
)
def test_credentials_of_the_target_stand_where_they_were_sent(promise: dict[str, Any], sent: list[bool]) -> None:
    """Neither a guest nor someone who is just logging in has any."""
    assert [" -u 'al:***' " in line for line in lines(promise)] == sent
    assert not any("pw-1" in line for line in lines(promise))


def test_credentials_of_a_step_win_and_a_name_stays_a_name() -> None:
    assert "-u 'bob:$password'" in lines({"do": {"post": "/n", "auth": "bob:$password"}})[0]
    assert " -u " not in "".join(lines({}, auth=None))
