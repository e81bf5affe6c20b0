"""Which settings are secrets, by their names, and what is shown in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

MASK = "***"
_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase|code)|pwd|secret|token|csrf|nonce|cookie|credential|jwt|api[-_]?key|session[-_]?id"
    r"|(?:^|_)(?:pass|auth|sid|pin|otp)(?:$|_)|(?:^|_)(?:private|master|signing|encryption|access|app)[-_]?key",
    re.IGNORECASE,
)
_ABOUT_ONE = re.compile(
    r"[-_](?:ttl|(?:max[-_]?)?age|expiry|days|minutes|seconds|enabled|hasher|name|file|path)$", re.IGNORECASE
)
_IN_URL = (re.compile(r"://([^\s:/@]*):([^\s/@]+)@"), re.compile(r"://([^\s:/@]*):([^\s?]+)@"))
"""The user and the password: of each of several URLs, and one that has `@` or `/` in it as they are."""
_SWITCHES = frozenset({"true", "false", "none", "null", "enabled", "disabled"})
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
        if names_secret(name) and not _ABOUT_ONE.search(name):
            yield from _likely(text)
        for user, password in (found for pattern in _IN_URL for found in pattern.findall(text)):
            if password != user:
                # Drivers are given it decoded, and so do their logs show it.
                yield from {*_likely(password), *_likely(unquote(password))}


def _likely(text: str) -> Iterator[str]:
    if len(text) >= _LEAST and text.lower() not in _SWITCHES:
        yield text
