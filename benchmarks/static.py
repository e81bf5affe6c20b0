"""An answer from the local HAProxy that keeps nothing: an endpoint so fast that what is measured is the client."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ANSWER = '{"user":"u","nickname":"%[url_param(v)]"}'
_CONFIG = """
global
  maxconn 4000
defaults
  mode http
  timeout client 30s
  timeout connect 1s
  timeout server 30s
frontend static
  bind 127.0.0.1:{port}
  http-request return status 200 content-type application/json hdr X-Chaoscheck-Instance web-0.1 lf-string '{answer}'
"""


@contextmanager
def static_server(folder: Path) -> Iterator[int]:
    """Its port on 127.0.0.1. SystemExit where there is no haproxy."""
    binary = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        raise SystemExit("this benchmark needs the haproxy binary (Debian: apt-get install haproxy)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "haproxy.cfg"
    config.write_text(_CONFIG.format(port=port, answer=ANSWER))
    with subprocess.Popen([binary, "-db", "-f", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            _await_port(port)
            yield port
        finally:
            process.terminate()


def _await_port(port: int) -> None:
    give_up = time.monotonic() + 5
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
