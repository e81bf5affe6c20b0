"""Real shared stores for the shop's tests: SQLite always, Redis and PostgreSQL where this machine has their servers."""

import asyncio
import getpass
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
import redis

START_LIMIT_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline, last = time.monotonic() + START_LIMIT_S, "nothing yet"
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server of port {port} ended with {server.returncode} at its start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError as error:
            last = repr(error)
        time.sleep(0.02)
    pytest.fail(f"waited {START_LIMIT_S} s for port {port}; last: {last}")


def serve(command: list[str], port: int, user: str | None = None, cwd: Path | None = None) -> Iterator[int]:
    """Runs a server until the tests are done with it."""
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, user=user, cwd=cwd)
    try:
        await_port(port, server)
        yield port
    finally:
        # SIGINT ends PostgreSQL's children too, before their folder goes.
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(timeout=5)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server") or pytest.skip("no redis-server on this machine")
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    for _ in serve(command, port):
        yield f"redis://127.0.0.1:{port}"


async def await_database(url: str) -> None:
    """The server opens its port before it lets anybody in."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            return await (await asyncpg.connect(url, timeout=START_LIMIT_S)).close(timeout=START_LIMIT_S)
        except asyncpg.CannotConnectNowError:
            assert time.monotonic() < deadline, f"waited {START_LIMIT_S} s for the database to start up"
            await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The server refuses to run as root, so then its own user runs it, in a folder that this user can reach."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "/none")]
    if not places[-1].exists():
        pytest.skip("no PostgreSQL on this machine")
    user = "postgres" if getpass.getuser() == "root" else None
    with tempfile.TemporaryDirectory(prefix="shop-postgres-") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
        make = [str(places[-1]), "-D", str(folder / "data"), "-U", "app", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, user=user, timeout=60, cwd=folder)
        port = free_port()
        address = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
        command = [str(places[-1].with_name("postgres")), "-D", str(folder / "data"), *address.split()]
        for _ in serve(command, port, user, folder):
            url = f"postgresql://app@127.0.0.1:{port}/postgres"
            asyncio.run(await_database(url))
            yield url


@pytest.fixture(scope="session")
def objects_url() -> Iterator[str]:
    if find_spec("moto") is None or find_spec("flask") is None:
        pytest.skip("no moto server beside this interpreter: see targets/stores/objects")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    for _ in serve(command, port):
        yield f"http://127.0.0.1:{port}/uploads"


def sqlite_env(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"SHOP_SESSIONS": "sqlite", "SHOP_SQLITE": str(request.getfixturevalue("tmp_path") / "shop.sqlite")}


def redis_env(request: pytest.FixtureRequest) -> dict[str, str]:
    url = request.getfixturevalue("redis_url")
    redis.Redis.from_url(url, socket_timeout=START_LIMIT_S).flushall()
    return {"SHOP_SESSIONS": "redis", "SHOP_REDIS_URL": url}


def postgres_env(request: pytest.FixtureRequest) -> dict[str, str]:
    url = request.getfixturevalue("postgres_url")

    async def empty() -> None:
        connection = await asyncpg.connect(url, timeout=START_LIMIT_S, command_timeout=START_LIMIT_S)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close(timeout=START_LIMIT_S)

    asyncio.run(empty())
    return {"SHOP_SESSIONS": "postgres", "SHOP_POSTGRES_URL": url}


STORES: dict[str, Callable[[pytest.FixtureRequest], dict[str, str]]] = {
    "sqlite": sqlite_env,
    "redis": redis_env,
    "postgres": postgres_env,
}


@pytest.fixture(params=STORES)
def shared_env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of an instance whose features live in an empty shared store: once for each kind of store."""
    return STORES[request.param](request) | {"SHOP_UPLOADS_DIR": str(tmp_path / "uploads")}
