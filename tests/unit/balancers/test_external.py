"""Which URLs of a user's own are dialled."""

from __future__ import annotations

import pytest

from chaoscheck.balancers.external import entry_of
from chaoscheck.errors import PlanError
from chaoscheck.model.places import Address


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("http://localhost", Address("localhost", 80)),
        ("http://127.0.0.9:1", Address("127.0.0.9", 1)),
        ("http://[::1]:8080", Address("::1", 8080)),
        ("http://staging.example.org", Address("staging.example.org", 80)),
    ],
)
def test_url_is_dialled_by_host_and_port(url, entry):
    assert entry_of(url) == entry


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1",
        "http://127.0.0.1:99999",
        "",
    ],
)
def test_url_that_can_not_be_dialled_is_a_plan_error_with_a_hint(url):
    """Clients speak plain http."""
    with pytest.raises(PlanError) as refused:
        entry_of(url)
    assert refused.value.hint
