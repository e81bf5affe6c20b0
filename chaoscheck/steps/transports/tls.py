"""TLS to the users' entry, where the plan's URL of it is https. Instances that are asked alone are dialled plainly.

Sockets stay what they were, with urllib3's TLS over them: deadlines, greenlets and the end of a wait work as without.
"""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

from urllib3.util.ssltransport import SSLTransport

from chaoscheck.errors import PlanError
from chaoscheck.model.places import Address, dialled
from chaoscheck.plan.plan import Plan
from chaoscheck.steps.mask import printable

_RECORD = 16_384  # bytes


class TlsSocket(SSLTransport):
    """A connected socket after its handshake. Raises OSError (ssl.SSLError is one) as a plain one does."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        # The library says 0 where a stream ends without TLS's own goodbye, as one does that a SIGKILL ends.
        return super().recv(buflen, flags) or b""  # type: ignore[return-value]

    def send(self, data: Any, flags: int = 0) -> int:
        # One record at a time: a peer can read nothing of one that did not leave whole, so what fails took no byte.
        return super().send(data[:_RECORD], flags)

    def shutdown(self, how: int) -> None:
        self.socket.shutdown(how)

    def is_quiet(self) -> bool:
        """Whether nothing that was received whole is left to be read. It never waits.

        A part of a record that nobody asked for can't be seen from here.
        """
        try:
            self.sslobj.read(1)
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError:
            return False
        return False


class Tls:
    """Which address takes TLS, and how it is verified: by the system's certificates or those of `balancer.ca`, for the
    host that users type. Without an https URL in the plan none does.

    Raises PlanError for a file that holds no certificates.
    """

    def __init__(self, plan: Plan | None = None, folder: Path = Path()) -> None:
        url = plan.balancer.url if plan else None
        self._address: Address | None = None
        if plan is None or not url or not url.startswith("https:"):
            return
        self._address = dialled(url)
        public = plan.target.public_url or ""
        self._name = dialled(public if public.startswith("https:") else url).host
        self._context = _context(plan.balancer.ca, folder)

    def over(self, sock: socket.socket, address: Address) -> Any:
        """The socket to talk to that address through: this one, or one that shook hands over it. Raises OSError."""
        if address != self._address:
            return sock
        try:
            return TlsSocket(sock, self._context, server_hostname=self._name)
        except BaseException:  # gevent's Timeout, which ends a handshake that takes too long, is no Exception
            sock.close()
            raise


def _context(ca: str | None, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if ca is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(folder / ca)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise PlanError(
            f"balancer.ca '{printable(ca)}' can't be read as certificates: {why}",
            hint="it is a PEM file of the authority that signed the URL's certificate, or of that certificate itself",
        ) from None
    return context
