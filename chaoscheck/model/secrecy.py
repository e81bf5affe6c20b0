"""Which settings are secrets, by their names, and what is shown in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

MASK = "***"
_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase|code)|pwd|secret|token|csrf|nonce|cookie|credential|jwt|api[-_]?key|session[-_]?id"
    r"|(?:^|_)(?:pass|auth|sid|pin|otp)(?:$|_)",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"://([^\s:/@]*):([^\s/@]+)@")
_SWITCHES = frozenset({"true", "false", "none", "null"})
_LEAST = 4


def names_secret(name: str) -> bool:
    """Whether a name of the plan says that a secret stands behind it."""
    return _SECRET_NAME.search(name) is not None


def secrets_in(settings: Mapping[str, str]) -> Iterator[str]:
    """Values of secret names, and passwords in URLs of any.

    Both only suggest a secret: `COOKIE_SECURE: "true"` is none, nor is a password that is the user's name, and masked
    they would garble every log.
    """
    for name, text in settings.items():
        if names_secret(name) and len(text) >= _LEAST and text.lower() not in _SWITCHES:
            yield text
        yield from (password for user, password in _IN_URL.findall(text) if password != user)
