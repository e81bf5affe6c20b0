"""Where ports are published and dialled: by what is seen from here, and the user's word over it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chaoscheck.engines.docker import reach as module
from chaoscheck.engines.docker.reach import Reach, View, decided, elsewhere
from chaoscheck.plan.plan import Addresses

ID = "3f" * 32
TCP = "tcp://docker:2375"

TABLE = [
    (View(beside=True), "127.0.0.1", "127.0.0.1", True),
    (View(beside=True, boxed=True), "127.0.0.1", "127.0.0.1", True),
    (View(), "127.0.0.1", "127.0.0.1", False),
    (View(desktop=True), "127.0.0.1", "127.0.0.1", False),
    (View(boxed=True, own=ID, beside=True), "127.0.0.1", "127.0.0.1", True),
    (View(boxed=True, own=ID, gateways=("172.18.0.1", "172.17.0.1")), "172.18.0.1", "172.18.0.1", False),
    (View(boxed=True, own=ID, desktop=True, gateways=("172.17.0.1",)), "127.0.0.1", "host.docker.internal", False),
    (View(boxed=True, own=ID), "127.0.0.1", "127.0.0.1", False),
    (View(boxed=True), "127.0.0.1", "127.0.0.1", False),
    (View(engine=TCP, address="172.18.0.3"), "172.18.0.3", "172.18.0.3", False),
    (View(engine=TCP, address="172.18.0.3", boxed=True), "172.18.0.3", "172.18.0.3", False),
    (View(engine="tcp://localhost:2375", address="127.0.0.1", boxed=True), "127.0.0.1", "127.0.0.1", False),
    (View(engine="ssh://me@box", address="10.0.0.7"), "10.0.0.7", "10.0.0.7", False),
]


@pytest.mark.parametrize(("view", "publish", "host", "inner"), TABLE)
def test_addresses_follow_from_where_we_run(view: View, publish: str, host: str, inner: bool) -> None:
    """Never all addresses by itself, and containers' own ones only where they surely mean those containers."""
    found = decided(view, Addresses())
    assert (found.publish, found.host, found.inner) == (publish, host, inner)
    assert bool(found.doubt) is (view.boxed and not (view.engine or view.beside or view.desktop or view.gateways))
    assert found.remote is bool(view.engine)


@pytest.mark.parametrize(
    ("said", "publish", "host"),
    [
        (Addresses(publish="0.0.0.0"), "0.0.0.0", "172.18.0.3"),
        (Addresses(host="dind"), "172.18.0.3", "dind"),
        (Addresses(publish="10.1.1.1"), "10.1.1.1", "10.1.1.1"),
        (Addresses(publish="0.0.0.0", host="dind"), "0.0.0.0", "dind"),
    ],
)
def test_addresses_that_the_user_names_win(said: Addresses, publish: str, host: str) -> None:
    """Each by itself; an address to bind is one to dial unless it is all of them."""
    found = decided(View(engine=TCP, address="172.18.0.3", boxed=True), said)
    assert (found.publish, found.host, found.doubt) == (publish, host, "")


def test_engine_known_by_container_is_told_of_the_owner() -> None:
    """What the container's id is for: whoever sweeps later asks whether that container still runs."""
    assert decided(View(boxed=True, own=ID, gateways=("172.17.0.1",)), Addresses()).container == ID
    assert decided(View(beside=True), Addresses()) == Reach()


MOUNTS = f"""\
650 520 0:55 / / rw,relatime - overlay overlay rw,lowerdir=/x
661 650 254:0 /var/lib/docker/containers/{"aa" * 32}/json /mnt/json ro - ext4 /dev/vda rw
662 650 254:0 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw
663 650 254:0 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw
"""


@pytest.mark.parametrize(
    ("mounts", "groups", "name", "boxed", "ids"),
    [
        (MOUNTS, "0::/\n", "runner", True, [ID]),
        ("", f"4:memory:/docker/{ID}\n0::/\n", "runner", True, [ID]),
        ("", f"0::/system.slice/docker-{ID}.scope\n", "runner", True, [ID]),
        ("", "0::/\n", "3f3f3f3f3f3f", True, ["3f3f3f3f3f3f"]),
        ("", "0::/\n", "3f3f3f3f3f3f", False, []),
        ("", f"4:memory:/process_api/{'c6' * 16}\n", "vm", False, []),
    ],
)
def test_own_container_is_told_by_its_mounts_groups_or_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mounts: str, groups: str, name: str, boxed: bool, ids: list[str]
) -> None:
    """Another container's folder that is mounted here isn't ours, and a name alone proves nothing."""
    (tmp_path / "mounts").write_text(mounts)
    (tmp_path / "groups").write_text(groups)
    monkeypatch.setattr(module, "_MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(module, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(module, "_MARKS", (tmp_path,) if boxed else ())
    monkeypatch.setattr(module.socket, "gethostname", lambda: name)
    assert module._own_ids() == ids


@pytest.mark.parametrize("text", ["localhost", "999.1.1.1", "0.0.0.0:80", "::"])
def test_publish_that_is_no_address_is_refused(text: str) -> None:
    """The engine would say so late, and in its own words."""
    with pytest.raises(ValueError, match=re.escape(text)):
        Addresses(publish=text)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("unix:///var/run/docker.sock", ""),
        ("http+unix:///run/user/1000/docker.sock", ""),
        ("tcp://127.0.0.1:2375", ""),
        ("tcp://localhost:2375", ""),
        ("tcp://[::1]:2375", ""),
        ("tcp://0.0.0.0:2375", ""),
        ("ssh://me@127.0.0.1", ""),
        ("tcp://192.0.2.1:2375", "tcp://192.0.2.1:2375"),
        ("192.0.2.1:2375", "tcp://192.0.2.1:2375"),
        ("ssh://me@192.0.2.1", "ssh://me@192.0.2.1"),
        ("tcp://nowhere.invalid:2375", "tcp://nowhere.invalid:2375"),
    ],
)
def test_engine_is_elsewhere_unless_it_is_surely_here(monkeypatch: pytest.MonkeyPatch, host: str, found: str) -> None:
    """A name that stands for nothing that is known here (an alias of ssh) is another machine's."""
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
    assert elsewhere() == found


def test_engine_with_certificates_is_elsewhere_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library calls its URL https then."""
    monkeypatch.setenv("DOCKER_HOST", "https://192.0.2.1:2376")
    assert elsewhere() == "https://192.0.2.1:2376"
