"""An authority of the tests' own, and what it signed."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import trustme


class Authority:
    """`ca` is the file that trusts it. Certificates are for 127.0.0.1, localhost and shop.test, or those named."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self._folder = Path(mkdtemp(prefix="chaoscheck-test-ca-"))
        self.ca = self._folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def pem(self, *names: str) -> Path:
        """A file with a key and its certificate."""
        path = self._folder / f"{'-'.join(names) or 'usual'}.pem"
        if not path.exists():
            issued = self._authority.issue_cert(*(names or ("127.0.0.1", "localhost", "shop.test")))
            issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def context(self, *names: str) -> ssl.SSLContext:
        """What a server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem(*names))
        return context


@cache
def authority() -> Authority:
    """One for all tests of a process."""
    return Authority()
