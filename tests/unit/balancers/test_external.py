"""Which URLs of a user's own are dialled."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck.balancers.external import External, entry_of
from chaoscheck.errors import PlanError
from chaoscheck.model.places import Address
from chaoscheck.plan.plan import LoadedPlan, Plan


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("http://localhost", Address("localhost", 80)),
        ("http://127.0.0.9:1", Address("127.0.0.9", 1)),
        ("http://[::1]:8080", Address("::1", 8080)),
        ("http://staging.example.org", Address("staging.example.org", 80)),
        ("https://staging.example.org", Address("staging.example.org", 443)),
        ("https://127.0.0.1:8443", Address("127.0.0.1", 8443)),
    ],
)
def test_url_is_dialled_by_host_and_port(url, entry):
    assert entry_of(url) == entry


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999",
        "ftp://127.0.0.1",
        "",
    ],
)
def test_url_that_can_not_be_dialled_is_a_plan_error_with_a_hint(url):
    """Clients speak http, with TLS or without."""
    with pytest.raises(PlanError) as refused:
        entry_of(url)
    assert refused.value.hint


def loaded(target: dict[str, str] | None = None, **balancer: str) -> LoadedPlan:
    step = {"get": "/"}
    raw = {
        "target": {"command": ["serve"], **(target or {})},
        "balancer": {"kind": "external", **balancer},
        "promises": {"page": {"kind": "kept", "do": step, "see": step}},
    }
    return LoadedPlan(plan=Plan.model_validate(raw), path=Path("plan.yaml"), text="", lines={"balancer.ca": 7})


def test_https_entry_is_what_instances_believe_was_opened():
    """Asked alone, they set the same cookies and redirect as little as behind it."""
    assert loaded(url="https://shop.test").plan.target.public_url == "https://shop.test"
    own = loaded({"public_url": "https://other.test"}, url="https://127.0.0.1:8443")
    assert own.plan.target.public_url == "https://other.test"
    assert loaded(url="http://shop.test").plan.target.public_url is None


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nxx\n"])
def test_certificates_that_can_not_be_read_are_a_plan_error_at_their_line(tmp_path, content):
    """Before anything starts."""
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)
    with pytest.raises(PlanError, match=r"balancer\.ca .* can't be read as certificates") as refused:
        External().check(loaded(url="https://shop.test", ca=str(ca)))
    assert refused.value.hint and refused.value.place == "plan.yaml:7"


def test_certificates_without_an_https_url_are_a_mistake():
    with pytest.raises(ValueError, match=r"balancer\.ca is for an https url"):
        loaded(url="http://shop.test", ca="ca.pem")
