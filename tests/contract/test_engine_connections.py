"""Which engine is talked to, and whom it is trusted by: over real TLS, with client certificates."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from docker.context import ContextAPI
from docker.tls import TLSConfig
from samples.certificates import Authority, authority

from chaoscheck.engines.docker.api import connect, talking, where
from chaoscheck.errors import EngineLost, EngineUnavailable

NAMES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


class Engine(http.server.BaseHTTPRequestHandler):
    """As much of one as is asked when a client connects."""

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.41", "Version": "20.10"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def engine() -> Iterator[str]:
    """The URL of one that wants to know who asks."""
    context = authority().context("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority().ca)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker's settings of nobody, and those of other programs about whom to trust."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Authority().ca))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    certificates.joinpath("ca.pem").write_bytes(authority().ca.read_bytes())
    for name in ("cert.pem", "key.pem"):
        certificates.joinpath(name).write_bytes(authority().pem("client.test").read_bytes())
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text("{}")
    return certificates


def context(name: str, host: str, certificates: Path | None = None) -> None:
    """As `docker context create` makes it."""
    tls = None
    if certificates:
        pair = (str(certificates / "cert.pem"), str(certificates / "key.pem"))
        tls = TLSConfig(client_cert=pair, ca_cert=str(certificates / "ca.pem"), verify=True)
    ContextAPI.create_context(name, orchestrator=None, host=host, tls_cfg=tls)


def test_engine_by_tls_is_trusted_by_docker_s_own_settings(
    engine: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REQUESTS_CA_BUNDLE is about other servers."""
    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(home))
    assert connect().version()["Version"] == "20.10"


def test_engine_of_a_stranger_is_not_talked_to(engine: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.joinpath("ca.pem").write_bytes(Authority().ca.read_bytes())
    monkeypatch.setenv("DOCKER_HOST", engine)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(home))
    with pytest.raises(EngineUnavailable, match="no container engine answers"):
        connect()


def test_context_brings_its_certificates(engine: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context("far", engine, home)
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    assert connect().version()["Version"] == "20.10"


def test_engine_is_the_host_s_then_the_named_context_s_then_the_current_one_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In docker's own order."""
    usual = where()
    assert not usual or usual.startswith("unix:")
    context("current", "tcp://127.0.0.1:1")
    context("named", "tcp://127.0.0.1:2")
    (tmp_path / "docker" / "config.json").write_text('{"currentContext": "current"}')
    assert where().endswith("://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_CONTEXT", "named")
    assert where().endswith("://127.0.0.1:2")
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert where() == usual
    monkeypatch.setenv("DOCKER_HOST", "127.0.0.1:3")
    assert where() == "tcp://127.0.0.1:3"


@pytest.mark.parametrize("how", ["named", "current"])
def test_context_that_is_not_there_is_no_other_engine(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills would happen on the default one."""
    if how == "named":
        monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    else:
        (tmp_path / "docker" / "config.json").write_text('{"currentContext": "gone"}')
    with pytest.raises(EngineUnavailable, match="'gone'"):
        where()


def test_engine_by_ssh_whose_host_nobody_knows_is_refused_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library's own exceptions are no crash."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("DOCKER_HOST", f"ssh://root@127.0.0.1:{listener.getsockname()[1]}")

        def serve() -> None:
            transport = paramiko.Transport(listener.accept()[0])
            transport.add_server_key(paramiko.ECDSAKey.generate())
            transport.start_server(server=paramiko.ServerInterface())

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(
            EngineUnavailable, match=r"not found in known_hosts; ssh has to get there without a question"
        ):
            connect()


def test_engine_by_ssh_that_is_lost_is_an_engine_that_stopped_answering() -> None:
    with pytest.raises(EngineLost, match="could not look"), talking("look"):
        raise paramiko.SSHException("SSH session not active")
