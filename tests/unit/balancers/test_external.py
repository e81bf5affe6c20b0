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
    ],
)
def test_url_of_this_machine_is_dialled(url, entry):
    assert entry_of(url) == entry


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "http://10.0.0.1:80",
        "http://localhost.example.org",
        "https://127.0.0.1",
        "http://127.0.0.1:99999",
        "http://0.0.0.0:80",
        "",
    ],
)
def test_url_of_anything_else_is_a_plan_error_with_a_hint(url):
    """Load and kills are never aimed at another machine by mistake."""
    with pytest.raises(PlanError) as refused:
        entry_of(url)
    assert refused.value.hint
