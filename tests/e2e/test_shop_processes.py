"""Two real processes of the shop: one dies by SIGKILL, the other goes on with its sessions, or doesn't."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

SHOP = Path(__file__).resolve().parents[2] / "targets/shop"
READY_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One shop process in a group of its own."""

    process: subprocess.Popen[bytes]
    port: int

    def ask(self, method: str, path: str, body: object = None, cookie: str = "") -> tuple[int, str, str]:
        """Status, body and the cookie that was set, of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Cookie": cookie} if cookie else {})
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, text, (answer.getheader("set-cookie") or "").split(";")[0]
        finally:
            connection.close()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=5)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts shops that share one folder; kills what is left of them afterwards."""
    running: list[Running] = []

    def start_one(**settings: str) -> Running:
        port = free_port()
        env = os.environ | {"PORT": str(port), "SHOP_SQLITE": str(tmp_path / "shop.sqlite")} | settings
        process = subprocess.Popen([sys.executable, "."], cwd=SHOP, env=env, start_new_session=True)
        shop = Running(process=process, port=port)
        running.append(shop)
        await_ready(shop)
        return shop

    yield start_one
    for shop in running:
        shop.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_ready(shop: Running) -> None:
    deadline = time.monotonic() + READY_LIMIT_S
    last = "nothing yet"
    while time.monotonic() < deadline:
        assert shop.process.poll() is None, f"the shop ended with {shop.process.returncode} before it was ready"
        try:
            status, body, cookie = shop.ask("GET", "/healthz")
        except OSError as error:
            last = repr(error)
        else:
            if status == 200:
                assert not cookie, "a health check must create no session"
                return
            last = f"{status} {body}"
        time.sleep(0.05)
    pytest.fail(f"waited {READY_LIMIT_S} s for /healthz of the shop; last: {last}")


def work(shop: Running) -> str:
    """One user's visit on one instance; returns the cookie to go on with."""
    status, _, cookie = shop.ask("POST", "/login", {"user": "ann", "password": "pw"})
    assert status == 200
    status, _, changed = shop.ask("PUT", "/profile", {"nickname": "nick.1"}, cookie)
    assert status == 204
    assert shop.ask("POST", "/reviews", {"text": "good run.1"})[0] == 201
    return changed or cookie


@pytest.mark.parametrize("settings", [{"SHOP_SESSIONS": "sqlite"}, {"SHOP_SESSIONS": "jwt", "SHOP_SECRET": "shared"}])
def test_stateless_shop_whose_instance_is_killed_loses_nothing(start: Start, settings: dict[str, str]) -> None:
    """What the dead instance acknowledged, the other one goes on with."""
    first, second = start(**settings), start(**settings)
    cookie = work(first)
    first.kill()
    assert second.ask("GET", "/me", cookie=cookie)[:2] == (200, '{"user":"ann"}')
    assert second.ask("GET", "/profile", cookie=cookie)[:2] == (200, '{"nickname":"nick.1"}')
    assert '"text":"good run.1"' in second.ask("GET", "/reviews?q=run.1")[1]


def test_memory_shop_read_on_another_instance_knows_nothing(start: Start) -> None:
    """The instance that acknowledged still has everything, and nobody else does."""
    first, second = start(SHOP_SESSIONS="memory"), start(SHOP_SESSIONS="memory")
    cookie = work(first)
    assert first.ask("GET", "/me", cookie=cookie)[0] == 200
    assert second.ask("GET", "/me", cookie=cookie)[0] == 401
    assert second.ask("GET", "/profile", cookie=cookie)[0] == 401
    assert second.ask("GET", "/reviews?q=run.1")[:2] == (200, '{"items":[]}')


def test_two_workers_with_a_key_each_refuse_their_own_instance(start: Start) -> None:
    """With two worker processes and random keys, some fresh connections to one instance refuse its own login."""
    shop = start(SHOP_SESSIONS="jwt", SHOP_SECRET="random", SHOP_WORKERS="2")
    seen = set()
    # An idle process takes every connection that comes alone: only those that compete for one reach the other.
    with ThreadPoolExecutor(max_workers=8) as pool:
        for _ in range(20):
            cookie = shop.ask("POST", "/login", {"user": "ann", "password": "pw"})[2]
            seen |= set(pool.map(lambda cookie: shop.ask("GET", "/me", cookie=cookie)[0], [cookie] * 24))
            if seen == {200, 401}:
                return
    pytest.fail(f"480 reads on fresh connections to an instance with two keys were answered only by {seen}")


def test_bad_input_is_refused_with_a_sentence(start: Start) -> None:
    """A client's mistakes are 4xx with a reason and leave no session behind."""
    shop = start(SHOP_SESSIONS="memory")
    assert shop.ask("POST", "/login", {"user": "ann", "password": "no"})[0::2] == (401, "")
    assert shop.ask("POST", "/login", {"user": "ann"})[:2] == (
        400,
        '{"error":"the body must be a JSON object with user, password"}',
    )
    assert shop.ask("POST", "/reviews", {"text": ""})[0] == 400
    assert shop.ask("GET", "/me", cookie="shop_session=forged")[0] == 401
