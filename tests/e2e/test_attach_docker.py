"""A run attached to a compose-style project: it kills only what it may, and leaves all of it running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from samples.certificates import authority
from samples.desk import Desk
from samples.fleets import need
from samples.project import REDIS, SHOP, Project, await_answer, project

from chaoscheck.model.events import MatrixProbed
from chaoscheck.model.verdict import Cause, Verdict
from chaoscheck.store import RunFolder

pytestmark = pytest.mark.docker

WRONG_USAGE, INCONCLUSIVE, INVALID = 2, 3, 4
PROMISES = {
    "login": {
        "kind": "session",
        "do": {"post": "/login", "json": {"user": "$user", "password": "pw"}, "expect": 200},
        "see": {"get": "/me", "value": "json:user", "expect": {"status": 200, "value": "$user"}},
        "undo": {"post": "/logout", "expect": 204},
    },
    "reviews": {
        "kind": "kept",
        "do": {"post": "/reviews", "json": {"text": "$value"}, "expect": 201},
        "see": {"get": "/reviews?q=$value", "as": "guest", "expect": "$value"},
    },
}


@pytest.fixture(scope="module")
def staged() -> Iterator[tuple[Project, list[str], list[str]]]:
    """Three shops on a Redis that restart by themselves, and bystanders: of the project, and of the service's name."""
    need("docker")
    with project() as made:
        shop, redis = made.image("shop", SHOP), made.image("redis", REDIS)
        store = made.up("redis", redis)
        env = {"SHOP_SESSIONS": "redis", "SHOP_REDIS_URL": "redis://redis:6379"}
        shops = [made.up("shop", shop, number, policy="always", environment=env) for number in (1, 2, 3)]
        bystanders = [
            store,
            made.up("worker", redis, policy="always"),
            made.up("shop", redis, project=f"{made.name}-other", policy="always"),
        ]
        for id_ in shops:
            await_answer(made.address(id_, 8000))
        yield made, shops, bystanders


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(folder=tmp_path, runtime=tmp_path / "runtime")
    yield made
    made.close()


def attached(desk: Desk, made: Project, target: dict[str, Any] | None = None, **sections: Any) -> Path:
    raw = {
        "target": {
            "attach": {"project": made.name, "service": "shop", "watch": ["redis"]},
            "ready": "/healthz",
            **(target or {}),
        },
        "promises": PROMISES,
        "chaos": {"rounds": 1, "shams": 1, "baseline": "3s", "at_most": "40s"},
        "evidence": {"max_loss": "10%"},
        **sections,
    }
    path = desk.folder / "plan.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def test_without_allow_kill_nothing_dies_and_nothing_is_sent(
    staged: tuple[Project, list[str], list[str]], desk: Desk
) -> None:
    """It is wrong usage, and says by name who would have been killed."""
    made, shops, bystanders = staged
    before = [made.life(id_) for id_ in (*shops, *bystanders)]
    ended = desk.run("run", attached(desk, made))
    assert (ended.code, ended.folder) == (WRONG_USAGE, None), ended.said
    assert all(f"{made.name}-shop-{number} (" in ended.err for number in (1, 2, 3))
    assert f"{made.name}-worker" not in ended.err
    assert "--allow-kill" in ended.err
    assert [made.life(id_) for id_ in (*shops, *bystanders)] == before


def test_try_probes_every_pair_and_kills_nobody(staged: tuple[Project, list[str], list[str]], desk: Desk) -> None:
    """Controls and matrix need no leave to kill."""
    made, shops, bystanders = staged
    before = [made.life(id_) for id_ in (*shops, *bystanders)]
    ended = desk.run("try", attached(desk, made))
    assert ended.code == 0, ended.said
    cells = [event for event in RunFolder(ended.run).events() if isinstance(event, MatrixProbed)]
    assert len(cells) == 2 * 9
    assert [made.life(id_) for id_ in (*shops, *bystanders)] == before


def test_run_with_names_and_shared_sessions_passes_and_spares_the_bystanders(
    staged: tuple[Project, list[str], list[str]], desk: Desk
) -> None:
    """Each shop died, its restart policy brought it back, nobody else's life was touched, and all went by https."""
    made, shops, bystanders = staged
    before = [made.life(id_) for id_ in bystanders]
    born = [made.life(id_) for id_ in shops]
    entry = made.balancer(shops)
    await_answer(entry)
    target = {"url": f"https://{entry.host}", "public_url": "https://shop.test"}
    plan = attached(desk, made, target, balancer={"header": "X-Served-By", "ca": str(authority().ca)})
    ended = desk.run("run", plan, "--allow-kill")
    assert (ended.code, ended.result().verdict) == (0, Verdict.PASS), ended.said
    assert [kill.confirmed for kill in ended.result().kills if kill.mode != "sham"] == [True] * 3
    assert [made.life(id_) for id_ in bystanders] == before
    now = [made.life(id_) for id_ in shops]
    assert all(running and since != old for (running, since), (_, old) in zip(now, born, strict=True))


def test_entry_whose_certificate_nobody_signed_gets_nothing(
    staged: tuple[Project, list[str], list[str]], desk: Desk
) -> None:
    """It is said at once, with what to add."""
    made, shops, _ = staged
    entry = made.balancer(shops, name="stranger")
    await_answer(entry)
    ended = desk.run("try", attached(desk, made, {"url": f"https://{entry.host}", "public_url": "https://shop.test"}))
    assert ended.code == INVALID, ended.said
    assert f"the certificate of the balancer at {entry.host}:443 is not trusted" in ended.out
    assert "balancer: {ca: FILE}" in ended.out


def test_run_that_can_not_tell_instances_apart_can_not_pass_and_says_what_to_add(
    staged: tuple[Project, list[str], list[str]], desk: Desk
) -> None:
    """Nobody says who answered, and nobody can be asked alone: whatever held, nothing counts as evidence."""
    made, shops, _ = staged
    entry = made.balancer(shops, name="nameless", header="")
    await_answer(entry)
    short = {"rounds": 1, "shams": 0, "baseline": "1s", "at_most": "40s"}
    plan = attached(desk, made, {"url": f"http://{entry}", "port": 9}, chaos=short)
    ended = desk.run("run", plan, "--allow-kill")
    assert (ended.code, ended.result().verdict) == (INCONCLUSIVE, Verdict.INCONCLUSIVE), ended.said
    named = next(one for one in ended.result().gates if one.name == "answers name their instance")
    assert named.verdict is Verdict.INCONCLUSIVE
    assert "balancer: {header:" in named.detail
    unmet = [one.name for one in ended.result().gates if one.verdict is Verdict.INCONCLUSIVE]
    assert "matrix complete" in unmet
    assert any("no instance can be asked alone" in warning for warning in ended.result().warnings)
    assert all(kill.confirmed for kill in ended.result().kills)
    assert len(ended.result().kills) == 3, "more of them would prove nothing"
    assert any("no round was added" in warning for warning in ended.result().warnings)


def test_run_on_memory_sessions_fails_with_the_cause(staged: tuple[Project, list[str], list[str]], desk: Desk) -> None:
    """The client picks whom to ask; that nothing would bring the killed back is said before anything is sent."""
    made, _, bystanders = staged
    carts = [made.up("cart", made.image("shop", SHOP), number) for number in (1, 2, 3)]
    for id_ in carts:
        await_answer(made.address(id_, 8000))
    before = [made.life(id_) for id_ in bystanders]
    born = [made.life(id_) for id_ in carts]
    attach = {"project": made.name, "service": "cart"}
    refused = desk.run("run", attached(desk, made, {"attach": attach}), "--allow-kill")
    assert refused.code == INVALID
    assert "nothing would bring" in refused.said
    assert [made.life(id_) for id_ in carts] == born
    plan = attached(desk, made, {"attach": {**attach, "restart": True}})
    ended = desk.run("run", plan, "--allow-kill", "--fail-fast")
    assert (ended.code, ended.result().verdict) == (1, Verdict.FAIL), ended.said
    assert {finding.cause for finding in ended.result().findings} == {Cause.ONE_INSTANCE}
    assert [made.life(id_) for id_ in bystanders] == before
