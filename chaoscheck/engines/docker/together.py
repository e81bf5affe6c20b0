"""Calls at the same time, in threads that an interrupt or a failure leaves behind instead of waiting for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(call: Callable[[], T], name: str) -> Future[T]:
    """Run `call` in a daemon thread; what it returns or raises comes out of the future."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # it is raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def together(calls: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """All results by name; raises what the first of them (in their order) raised."""
    futures = {name: begin(call, name) for name, call in calls.items()}
    return {name: future.result() for name, future in futures.items()}
