"""No name and no address serves twice."""

from __future__ import annotations

import pytest

from chaoscheck.balancers.roll import Roll
from chaoscheck.errors import EnvironmentTrouble
from chaoscheck.model.places import Address


@pytest.mark.parametrize(
    ("name", "port", "complaint"),
    [
        ("web-0.0", 2, "web-0.0 is already known"),
        ("web-0.1", 1, r"web-0\.1 has the address h:1, which was web-0\.0's"),
    ],
)
def test_newcomer_with_a_used_name_or_address_is_refused(name, port, complaint):
    roll = Roll()
    roll.enter("web-0.0", Address("h", 1))
    with pytest.raises(EnvironmentTrouble, match=complaint):
        roll.enter(name, Address("h", port))


def test_refused_newcomer_leaves_no_trace():
    """What was refused was never behind the balancer, so its own name is still free."""
    roll = Roll()
    roll.enter("web-0.0", Address("h", 1))
    with pytest.raises(EnvironmentTrouble):
        roll.enter("web-0.1", Address("h", 1))
    roll.enter("web-0.1", Address("h", 2))
