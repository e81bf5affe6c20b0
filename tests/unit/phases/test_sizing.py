"""How much load and how many clients a plan gets, by how fast its service answers."""

from __future__ import annotations

from typing import Any

import pytest

from chaoscheck import plugins
from chaoscheck.phases.sizing import final_requests, matrix_requests, size, volley_clients, volley_s
from chaoscheck.plan.plan import Plan

PLAN: dict[str, Any] = {
    "target": {"image": "x", "port": 80},
    "promises": {
        "login": {"kind": "session", "do": {"submit": "/login", "form": {"user": "$user"}}, "see": {"get": "/me"}},
        "note": {"kind": "kept", "do": {"submit": "/new", "form": {"t": "$value"}}, "see": {"get": "/n?q=$value"}},
    },
}


@pytest.fixture
def plan() -> Plan:
    plugins.load()
    return Plan.model_validate(PLAN)


def test_lower_rate_that_was_chosen_has_fewer_users_and_the_same_evidence(plan: Plan) -> None:
    """All of them have to write and be read back between two deaths; more rounds make up for it."""
    usual, chosen = size(plan), size(plan, 20.0)
    assert (usual.rate, usual.users) == (150.0, 195)
    assert (chosen.rate, chosen.users, chosen.needed) == (20.0, 60, usual.needed)
    assert chosen.turn_s > usual.turn_s


def test_users_that_the_plan_sets_stay(plan: Plan) -> None:
    """Who says how many wants so many."""
    own = Plan.model_validate(PLAN | {"traffic": {"users": 500}})
    assert size(own, 1.0).users == 500


@pytest.mark.parametrize(("request_s", "clients"), [(0.0, 8), (0.002, 8), (0.15, 4), (2.0, 2)])
def test_volley_has_no_more_clients_than_the_victim_can_take(plan: Plan, request_s: float, clients: int) -> None:
    """Those beyond would only make each other's logins late."""
    assert volley_clients(plan, request_s) == clients
    assert request_s >= 2.0 or volley_s(plan, request_s, clients) <= 3.0


def test_requests_of_a_run_are_counted_by_the_plan(plan: Plan) -> None:
    """Estimates follow what the plan's actions take: a form is two requests."""
    shorter = Plan.model_validate(PLAN | {"instances": 2})
    assert matrix_requests(plan) > matrix_requests(shorter) > 100
    assert final_requests(plan, 10) == 10 * 3 * 4
