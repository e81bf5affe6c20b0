"""What needs the user's word is refused without it, before anything is sent, and said with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaoscheck import plugins
from chaoscheck.balancers.direct import Direct
from chaoscheck.balancers.external import External
from chaoscheck.balancers.haproxy import HAProxy
from chaoscheck.engines.attach import AttachEngine
from chaoscheck.engines.base import MayBeElsewhere
from chaoscheck.engines.docker import DockerEngine
from chaoscheck.engines.process import ProcessEngine
from chaoscheck.errors import NotAllowed, PlanError
from chaoscheck.phases.choose import as_found
from chaoscheck.phases.permission import NOTHING, Allowed, may_touch, permitted
from chaoscheck.plan.plan import LoadedPlan, Plan

PROMISES = {
    "login": {
        "kind": "session",
        "do": {"post": "/login", "json": {"user": "$user"}},
        "see": {"get": "/me", "expect": "$user"},
        "undo": {"post": "/logout"},
    },
    "note": {
        "kind": "kept",
        "do": {"submit": "/new", "form": {"t": "$value"}},
        "see": {"get": "/", "expect": "$value"},
    },
}
plugins.load()
FOUND = ("p-web-1 (abc)", "p-web-2 (def)")


class Town(AttachEngine):
    """An engine of this machine, on which these two run."""

    def elsewhere(self) -> str:
        return ""

    def found(self, plan: LoadedPlan) -> tuple[str, ...]:
        return FOUND


def loaded(**sections: Any) -> LoadedPlan:
    plan = Plan.model_validate({"target": {"command": ["x"]}, "promises": PROMISES, **sections})
    return LoadedPlan(plan=plan, path=Path("plan.yaml"), text="", lines={"instances": 4})


def attached(**sections: Any) -> LoadedPlan:
    return loaded(target={"attach": {"project": "p", "service": "web"}}, **sections)


def test_attached_run_without_leave_names_who_would_die() -> None:
    with pytest.raises(NotAllowed) as refused:
        permitted(attached(), Town(), Direct(), NOTHING)
    assert refused.value.details.splitlines() == list(FOUND)
    assert "--allow-kill" in refused.value.hint


def test_attached_run_with_leave_says_who_will_die_and_that_stores_go_unwatched() -> None:
    lines = permitted(attached(), Town(), Direct(), Allowed(kill=True))
    assert [line.strip() for line in lines[1:3]] == list(FOUND)
    assert "attach.watch" in lines[-1]


def test_try_needs_no_leave_to_kill() -> None:
    lines = permitted(attached(), Town(), Direct(), Allowed(kills=False))
    assert "none is killed" in lines[0]


def far(**sections: Any) -> LoadedPlan:
    return loaded(balancer={"kind": "external", "url": "http://192.0.2.1:81"}, **sections)


@pytest.mark.parametrize("kills", [True, False])
def test_url_elsewhere_without_leave_says_what_it_would_get(kills: bool) -> None:
    """Load, each write and what undoes it, accounts; of a `try`, too, which sends less."""
    with pytest.raises(NotAllowed) as refused:
        permitted(far(), ProcessEngine(), External(), Allowed(kill=True, kills=kills))
    said = refused.value.details
    assert "http://192.0.2.1:81 is not this machine" in refused.value.message
    assert "login writes: POST /login; undone by POST /logout" in said
    assert "note writes: SUBMIT /new; nothing undoes it" in said
    assert "user-$run-$n, 11" in said
    assert ("requests/s" in said) is kills


def test_url_elsewhere_with_leave_is_told_and_one_here_needs_none() -> None:
    assert "it gets:" in permitted(far(), ProcessEngine(), External(), Allowed(remote=True))[0]
    here = loaded(balancer={"kind": "external", "url": "http://127.0.0.1:81"})
    assert permitted(here, ProcessEngine(), External(), NOTHING) == []


class Elsewhere(Town):
    """The same two, on another machine's engine."""

    def elsewhere(self) -> str:
        return "tcp://192.0.2.1:2375"


@pytest.mark.parametrize(
    ("allowed", "flags"),
    [
        (NOTHING, "--allow-kill and --allow-remote"),
        (Allowed(kill=True), "--allow-remote"),
        (Allowed(kills=False), "--allow-remote"),
    ],
)
def test_attached_elsewhere_without_leave_says_who_and_where_and_what_they_would_get(
    allowed: Allowed, flags: str
) -> None:
    """In one refusal, with every flag that it takes; a `try` sends less, and kills nobody."""
    with pytest.raises(NotAllowed) as refused:
        permitted(attached(), Elsewhere(), Direct(), allowed)
    error = refused.value
    assert "2 containers at tcp://192.0.2.1:2375, which is not this machine" in error.message
    assert f"add {flags} if" in error.hint
    assert error.details.splitlines()[:2] == list(FOUND)
    assert "note writes: SUBMIT /new; nothing undoes it" in error.details
    assert ("would kill" in error.message, "requests/s from" in error.message) == (allowed.kills, allowed.kills)
    assert ("the requests of" in error.message) is not allowed.kills


def test_attached_elsewhere_with_leave_to_send_only_still_kills_nobody() -> None:
    with pytest.raises(NotAllowed, match=r"did not start at tcp://192\.0\.2\.1:2375, each") as refused:
        permitted(attached(), Elsewhere(), Direct(), Allowed(remote=True))
    assert "add --allow-kill if" in refused.value.hint


def test_attached_elsewhere_with_leave_says_where_and_what_goes_there() -> None:
    """The engine's machine, and the balancer's where that is another: all that get something."""
    lines = permitted(attached(), Elsewhere(), Direct(), Allowed(kill=True, remote=True))
    assert "2 containers at tcp://192.0.2.1:2375, and no others, are killed" in lines[0]
    assert "tcp://192.0.2.1:2375 is not this machine; it gets:" in lines
    target = {"attach": {"labels": {"a": "b"}}, "url": "http://192.0.2.9:81"}
    both = permitted(loaded(target=target), Elsewhere(), External(), Allowed(kill=True, remote=True))
    assert "tcp://192.0.2.1:2375 and http://192.0.2.9:81 are not this machine; they get:" in both


def test_copies_of_its_own_elsewhere_need_no_leave() -> None:
    """Docker-in-Docker, or a remote engine: what is killed there was started by the run, and nobody else uses it."""
    assert not isinstance(DockerEngine(), MayBeElsewhere)
    assert permitted(loaded(), DockerEngine(), HAProxy(), NOTHING) == []


def test_what_dead_runs_left_is_touched_only_with_leave() -> None:
    """Starting somebody's container again on another machine is acting there, too."""
    kill, both = Allowed(kill=True), Allowed(kill=True, remote=True)
    assert [may_touch(engine, kill) for engine in (Town(), Elsewhere(), ProcessEngine())] == [True, False, False]
    assert may_touch(Elsewhere(), both)
    assert not may_touch(Town(), Allowed(remote=True))


def test_instances_are_those_that_run_or_the_plan_is_wrong() -> None:
    assert as_found(attached(), Town()).plan.instances == 2
    assert as_found(as_found(attached(), Town()), Town()).plan.instances == 2
    assert as_found(loaded(), ProcessEngine()).plan.instances == 3
    with pytest.raises(PlanError, match="2 containers run") as refused:
        as_found(attached(instances=3), Town())
    assert refused.value.place == "plan.yaml:4"


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"stores": {"redis": {"image": "redis"}}}, "stores has no place"),
        ({"balancer": {"kind": "haproxy"}}, "haproxy is started by chaoscheck"),
    ],
)
def test_plan_that_would_start_something_does_not_attach(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        AttachEngine().check(attached(**sections))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"attach": {"project": "p"}}, "project and service together"),
        ({"attach": {}}, "needs project and service, or labels"),
        ({"attach": {"labels": {"a": "b"}, "watch": ["db"]}}, "so it needs project and service"),
        ({"attach": {"labels": {"a": "b"}}, "image": "i"}, "have no place there|setup have no place"),
        ({"image": "i", "url": "http://127.0.0.1"}, "goes with attach"),
    ],
)
def test_plan_that_names_it_wrongly_is_refused(target: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        loaded(target=target)


def test_url_of_what_runs_already_is_an_external_balancer() -> None:
    target = {"attach": {"labels": {"a": "b"}}, "url": "http://127.0.0.1:81"}
    plan = loaded(target=target, balancer={"header": "X-Served-By"}).plan
    assert (plan.balancer.kind, plan.balancer.url, plan.balancer.header) == (
        "external",
        "http://127.0.0.1:81",
        "X-Served-By",
    )
    assert Plan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan
