"""The configuration that HAProxy gets, and how its log is read."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.balancers.haproxy_config import CHECK, COOKIE, Setup, read_log, render
from chaoscheck.model.history import BalancerRow
from chaoscheck.model.places import Address

SERVERS = (("web-0.0", Address("10.0.0.2", 8000)), ("web-1.0", Address("10.0.0.3", 8000)))


def text_of(*, sticky: bool = False) -> str:
    return render(Setup(host="127.0.0.1", entry=18080, admin=18090, sticky=sticky, servers=SERVERS))


def test_render_any_mode_sends_a_request_again_only_if_nothing_was_sent():
    """No retry that HAProxy calls layer 7 is ever asked for, and each instance is a server with the quick checks."""
    text = text_of()
    assert [line.strip() for line in text.splitlines() if "retry-on" in line] == ["retry-on conn-failure"]
    for name, address in SERVERS:
        assert f"    server {name} {address} {CHECK}\n" in text


@pytest.mark.parametrize("sticky", [True, False])
def test_render_only_sticky_inserts_a_cookie(sticky):
    """Round robin leaves users' cookies alone."""
    assert (f"cookie {COOKIE}" in text_of(sticky=sticky)) is sticky


@pytest.mark.skipif(not shutil.which("haproxy"), reason="no haproxy binary on this machine")
@pytest.mark.parametrize("sticky", [True, False])
def test_render_any_mode_haproxy_finds_no_fault(sticky, tmp_path):
    """HAProxy's own parser accepts it without a warning."""
    path = tmp_path / "haproxy.cfg"
    path.write_text(text_of(sticky=sticky))
    checked = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True, timeout=10)
    assert (checked.returncode, "WARNING" in checked.stderr) == (0, False), checked.stderr


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("cc r1 web-0.0 200 -- 0 0/0/0/1/1", BalancerRow("r1", "web-0.0", 200, "--", 0)),
        ("cc r1 web-0.1 200 -- +2 0/0/1/1/1", BalancerRow("r1", "web-0.1", 200, "--", 2)),
        ("cc r1 web-0.0 502 SH 0 0/0/0/-1/0", BalancerRow("r1", "web-0.0", 502, "SH", 0)),
        ("cc r1 web-0.0 503 SC +2 0/0/-1/-1/0", BalancerRow("r1", "", 503, "SC", 2)),
        ("cc r1 web-0.0 503 sC 2 0/0/-1/-1/750", BalancerRow("r1", "", 503, "sC", 2)),
        ("cc r1 <NOSRV> 503 SC 0 0/-1/-1/-1/0", BalancerRow("r1", "", 503, "SC", 0)),
        ("cc r1 web-0.0 -1 CC 0 0/0/-1/-1/0", BalancerRow("r1", "web-0.0", 0, "CC", 0)),
        ("cc r1 web-0.0 200 SD 0 0/0/0/1/9", BalancerRow("r1", "web-0.0", 200, "SD", 0)),
        ("cc r1 web-0.0 503 -- 0 0/0/0/1/1", BalancerRow("r1", "web-0.0", 503, "--", 0)),
    ],
)
def test_log_of_each_ending_names_who_may_have_got_it(line, row):
    """Nobody is named only where HAProxy's own 503 says that it got no connection; a doubt names the server."""
    assert list(read_log([line + "\n"])) == [row]


@pytest.mark.parametrize(
    "line",
    [
        "cc - web-0.0 200 -- 0 0/0/0/1/1",
        "[WARNING]  (7) : Server be/web-0.0 is DOWN, reason: Layer4 timeout",
        "cc r1 web-0.0 200 -- 0",
        "",
    ],
)
def test_log_of_what_is_no_attempt_of_ours_has_no_row(line):
    """Requests without an id, notices and cut off lines are left out."""
    assert list(read_log([line])) == []


@given(st.text())
def test_log_of_anything_never_raises(line):
    """What stands in a log is other people's text."""
    list(read_log([line]))
