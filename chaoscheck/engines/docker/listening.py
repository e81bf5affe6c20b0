"""Whether something in a container listens: the engine's proxy accepts on a published port whether it does or not."""

from __future__ import annotations

import http.client
import select
import socket

from chaoscheck.model.places import Address
from chaoscheck.steps.base import Answer, Trouble

_DIAL_S = 0.5
_LINGER_S = 0.15


def listens(inner: Address | None, published: Address | None) -> bool:
    """Dial the container's own address; where there is no way there (None: as is known), the published one, if it
    stays open."""
    try:
        if inner is None:
            return published is not None and _stays_open(published)
        socket.create_connection(inner, timeout=_DIAL_S).close()
        return True
    except ConnectionRefusedError:
        return False
    except OSError:
        return published is not None and _stays_open(published)


def get(address: Address, path: str, timeout_s: float) -> Answer:
    """What a GET there gets; the body, cut at 64 kB, tells what went wrong where the status is 0."""
    connection = http.client.HTTPConnection(*address, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return Answer(answer.status, tuple(answer.getheaders()), answer.read(64_000), Trouble.NONE, True, 0, 0)
    except (OSError, http.client.HTTPException) as error:
        why = (str(error) or type(error).__name__).encode()
        return Answer(0, (), why, Trouble.CLOSED, True, 0, 0)
    finally:
        connection.close()


def _stays_open(address: Address) -> bool:
    """The proxy closes at once when it finds nobody behind it; a real listener waits, or speaks first."""
    try:
        with socket.create_connection(address, timeout=_DIAL_S) as dialled:
            readable, _, _ = select.select([dialled], [], [], _LINGER_S)
            return not readable or bool(dialled.recv(1))
    except OSError:
        return False
