"""A session that asks one instance after another, while what it read is doubted (an `Asking`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from chaoscheck.model.clock import Clock, wait_s
from chaoscheck.model.ops import Lane, Op
from chaoscheck.steps.calls import Call, Done, Router
from chaoscheck.steps.client import Client
from chaoscheck.traffic.session import Session


class Asked(Protocol):
    """What asking needs of the worker."""

    clock: Clock

    def perform(self, call: Call, client: Client, router: Router) -> Done: ...

    def hang_up(self, client: Client, *, ended: bool = False) -> None: ...


class SessionAsking:
    """Asks as that session does about the object of `read`; `browser` is another client of the same user."""

    def __init__(
        self, worker: Asked, session: Session, read: Op, routes: Mapping[str, Router], browser: Client | None = None
    ) -> None:
        self._worker = worker
        self._session = session
        self._read = read
        self._routes = routes
        self._browser = browser

    def new_value(self) -> str:
        return self._session.new_value()

    def do(self, value: str, on: str) -> Done:
        return self._call("do", value, on, self._session.client)

    def see(self, value: str, on: str) -> Done:
        return self._call("see", value, on, self._browser or self._session.client)

    def elsewhere(self) -> SessionAsking:
        return SessionAsking(self._worker, self._session, self._read, self._routes, self._session.client.copy())

    def hang_up(self) -> None:
        if self._browser is not None:
            self._worker.hang_up(self._browser)

    def now_ns(self) -> int:
        return self._worker.clock.now_ns()

    def wait(self, seconds: float) -> None:
        wait_s(self._worker.clock, seconds)

    def _call(self, action: str, value: str, on: str, client: Client) -> Done:
        read, now_ns = self._read, self._worker.clock.now_ns()
        call = self._session.call(read.promise, action, read.obj, value, Lane.CONFIRM, now_ns)
        return self._worker.perform(call, client, self._routes[on] if on else self._session.router)
