"""What is of this machine needs no leave; all else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaoscheck.steps import nearby
from chaoscheck.steps.nearby import is_here


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1"])
def test_loopback_is_here(host: str) -> None:
    assert is_here(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-name.invalid", "", "a..b", "0.0.0.0"])
def test_all_else_is_elsewhere(host: str) -> None:
    """A name that stands for nothing, too: it may stand for something by the time it is dialled."""
    assert not is_here(host)


ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100000A	0003	0	0	0	00000000	0	0	0
eth0	0000000A	00000000	0001	0	0	0	00FFFFFF	0	0	0
br-1	000012AC	00000000	0001	0	0	0	0000FFFF	0	0	0
"""


def test_container_behind_a_bridge_of_this_machine_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the route there: of two the narrower counts, and a neighbour on a real wire is elsewhere."""
    (tmp_path / "routes").write_text(ROUTES)
    (tmp_path / "net" / "br-1" / "bridge").mkdir(parents=True)
    (tmp_path / "net" / "eth0").mkdir()
    monkeypatch.setattr(nearby, "_ROUTES", tmp_path / "routes")
    monkeypatch.setattr(nearby, "_INTERFACES", tmp_path / "net")
    assert is_here("172.18.0.5")
    assert not is_here("10.0.0.7")
    assert not is_here("172.19.0.5")
