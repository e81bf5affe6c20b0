"""A chain's links: requests are commands, everything else is told in words."""

from __future__ import annotations

import pytest

from chaoscheck.model.verdict import ChainLink
from chaoscheck.reporting.chain import happened, is_request


def link(curl: str, note: str) -> ChainLink:
    return ChainLink(at_ns=1, curl=curl, instance="web-0.1", status=0, outcome="", note=note)


@pytest.mark.parametrize(
    ("curl", "note", "told"),
    [
        ("# kill -9 web-0.1", "web-0.1 killed (strike 3)", "web-0.1 killed (strike 3)"),
        ("# written on web-0.1, read on web-1.1", "401", "written on web-0.1, read on web-1.1: 401"),
        ("# nothing more", "", "nothing more"),
        ("", "a note", "a note"),
    ],
)
def test_link_that_is_no_request_is_told_once_and_whole(curl: str, note: str, told: str) -> None:
    """Neither comment nor note is lost, and a kill isn't said twice."""
    assert not is_request(link(curl, note)) and happened(link(curl, note)) == told


def test_link_with_a_command_is_a_request() -> None:
    """Only what a client sent is shown as something to paste."""
    assert is_request(link("curl http://a/", ""))
