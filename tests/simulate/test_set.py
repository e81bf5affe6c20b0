"""Carts that are right, and carts kept wrongly: each ends in its verdict, its anomaly and its cause."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chaoscheck.model.verdict import Result, Verdict
from tests.simulate.conftest import Simulate, broken

PLAN = """\
target: {command: [cart], ready: /healthz}
engine: fake
promises:
  login:
    kind: session
    do:   {post: /login, json: {user: $user, password: pw}, expect: 200}
    see:  {get: /me, value: "json:user", expect: {status: 200, value: $user}}
    undo: {post: /logout, expect: 204}
  cart:
    kind: set
    of: account
    do:   {post: /cart, json: {sku: $value}, expect: 201}
    undo: {delete: /cart/$value, expect: 204}
    see:  {get: /cart, values: "json:items[*]", expect: 200}
evidence: {max_loss: 10%}
chaos: {baseline: 2s, settle: 0.5s, at_most: 40s}
"""

Cart = Callable[..., Result]


@pytest.fixture
def cart(whole: Simulate) -> Cart:
    """Runs that shop; `mode` is the balancer's."""

    def go(app: str, *, seed: int = 1, mode: str = "round-robin", text: str = PLAN) -> Result:
        return whole(text, app, seed=seed, **{"balancer.mode": mode})[0]

    return go


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shared_cart_passes(cart: Cart, seed: int) -> None:
    """Elements added in bursts, removed and read back after deaths: nothing is missing, nothing too much."""
    result = cart("cart", seed=seed)
    assert result.verdict is Verdict.PASS, result.reason
    assert not result.findings
    judged = next(one for one in result.promises if one.promise == "cart")
    assert judged.exposures >= judged.needed
    assert judged.outcomes["undo/ok"] > 0


def test_shared_cart_that_can_only_grow_passes(cart: Cart) -> None:
    """Without `undo` elements are only added, ever more slowly."""
    text = PLAN.replace("    undo: {delete: /cart/$value, expect: 204}\n", "")
    result = cart("cart", text=text)
    assert result.verdict is Verdict.PASS, result.reason


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "mode", "anomaly", "cause"),
    [
        ("cart-memory", "round-robin", "LOST_ELEMENT", "state in one instance"),
        ("cart-memory", "sticky", "LOST_ELEMENT", "lost with the instance"),
        ("cart-tombstones", "round-robin", "RESURRECTED", "state in one instance"),
        ("cart-tombstones", "sticky", "RESURRECTED", "lost with the instance"),
    ],
)
def test_cart_in_one_instance_fails_with_its_cause(
    cart: Cart, app: str, mode: str, anomaly: str, cause: str, seed: int
) -> None:
    """An element that only one instance has, and a removal that only one knows of."""
    result = cart(app, mode=mode, seed=seed)
    assert result.verdict is Verdict.FAIL, result.reason
    assert (anomaly, cause) in broken(result)
    assert all(one.fix and one.chain for one in result.findings)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "anomaly"),
    [
        ("cart-cached", "FLICKER"),
        ("cart-lazy", "LOST_ELEMENT"),
        ("cart-doubles", "DUPLICATE_ELEMENT"),
        ("cart-global", "CROSS_SESSION"),
    ],
)
def test_cart_with_a_defect_fails_with_its_anomaly(cart: Cart, app: str, anomaly: str, seed: int) -> None:
    """Nobody's death explains these. (Only of the lazy one's losses under a victim nobody can tell.)"""
    result = cart(app, seed=seed)
    assert result.verdict is Verdict.FAIL, result.reason
    named = {one.anomaly: one for one in result.findings}
    assert anomaly in named, sorted(named)
    assert named[anomaly].critical == (anomaly == "CROSS_SESSION")
    assert app == "cart-lazy" or "lost with the instance" not in {one.cause.value for one in result.findings}
