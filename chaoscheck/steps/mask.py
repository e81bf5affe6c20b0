"""Keeps secrets out of everything that is written, and control characters out of what services answered."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chaoscheck.model.secrecy import MASK, names_secret
from chaoscheck.steps.base import Answer, Wire

EXCERPT_CHARS = 300

_SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
        "x-csrftoken",
        "x-xsrf-token",
        "api-key",
    }
)
_FIELD = re.compile(
    r"""((?:pass(?:word|wd)?|pwd|secret|token|csrf|api[-_]?key|session[-_]?id|authenticity)[\w-]*["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s&,;}<>"']+)""",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    r"""(name=["']?[\w.-]*(?:csrf|token|nonce)[\w.-]*["']?[^<>]*?\svalue=)("[^"]*"|'[^']*'|[^\s<>"']+)""", re.IGNORECASE
)
_PART = re.compile(
    r"""(;\s*name="[^"\r\n]*(?:pass|pwd|secret|csrf|token|nonce)[^"\r\n]*"\r\n\r\n)([^\r\n]+)""", re.IGNORECASE
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_NAME = re.compile(r"\$\{?(\w+)\}?")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_SHORT = 8


def printable(text: str) -> str:
    """One line without control, bidirectional or zero-width characters."""
    return _UNPRINTABLE.sub(" ", text).strip()


def looks_secret(text: str) -> bool:
    """Whether a value that was taken from an answer looks like a token rather than a name or a number."""
    return (
        len(text) >= 16
        and not any(char.isspace() for char in text)
        and any(char.isalpha() for char in text)
        and (any(char.isdigit() for char in text) or len(text) >= 32)
    )


def carries_credentials(header: str) -> bool:
    """Whether what a request header of that name holds is nobody else's business."""
    return header.lower() in _SECRET_HEADERS or header.lower() == "cookie"


class Masker:
    """Masks `secrets` (the plan's list, passwords) wherever they stand, and what headers and fields are named after."""

    __slots__ = ("_known",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = _either(secrets)

    def known(self, text: str) -> str:
        """`text` with nothing masked but the secrets that were given."""
        return self._known.sub(MASK, text) if self._known is not None else text

    def text(self, text: str, also: Iterable[str] = ()) -> str:
        """`text` with secrets masked; `also` are secrets of this moment: cookie values, tokens taken."""
        more = _either(also)
        for pattern in (self._known, more):
            if pattern is not None:
                text = pattern.sub(MASK, text)
        text = _JWT.sub(MASK, _BEARER.sub(rf"\1 {MASK}", text))
        text = _PART.sub(rf"\1{MASK}", text)
        return _HIDDEN.sub(_field_masked, _FIELD.sub(_field_masked, text))

    def header(self, name: str, value: str) -> str:
        """A header's value: cookies keep their names and attributes, credentials their scheme."""
        low = name.lower()
        if low == "cookie":
            return "; ".join(_pair_masked(part.strip()) for part in value.split(";"))
        if low == "set-cookie":
            pair, semicolon, rest = value.partition(";")
            return _pair_masked(pair) + semicolon + rest
        if low in _SECRET_HEADERS:
            scheme, space, _ = value.partition(" ")
            return f"{scheme} {MASK}" if space and low.endswith("authorization") else MASK
        return self.text(value)

    def headers(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Headers that may be shown."""
        return tuple((name, printable(self.header(name, value))) for name, value in headers)

    def wire(self, wire: Wire, also: Iterable[str] = ()) -> Wire:
        """A request that may be shown."""
        words = tuple(also)
        body = self.text(wire.body.decode("utf-8", "replace"), words).encode()
        headers = tuple((name, self.text(value, words)) for name, value in self.headers(wire.headers))
        return wire._replace(path=self.text(wire.path, words), headers=headers, body=body)

    def excerpt(self, answer: Answer, text: str, also: Iterable[str] = ()) -> str:
        """What an answer said, in a line of at most 300 characters: `STATUS location=... body...`."""
        parts = [str(answer.status)] if answer.status else []
        if location := answer.header("location"):
            parts.append(f"location={location[:EXCERPT_CHARS]}")
        parts.append(text[: 4 * EXCERPT_CHARS])
        return printable(self.text(" ".join(parts), also))[:EXCERPT_CHARS]


def expression(secrets: Iterable[str]) -> str:
    """A regular expression for any of them, the longest that stands there first; "" for none."""
    words = sorted({secret for secret in secrets if secret}, key=lambda word: (-len(word), word))
    # A short secret stands in other words by chance, and masking those would garble the text.
    return "|".join(re.escape(word) if len(word) >= _SHORT else rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)


def _either(secrets: Iterable[str]) -> re.Pattern[str] | None:
    found = expression(secrets)
    return re.compile(found) if found else None


def _field_masked(found: re.Match[str]) -> str:
    value = found[2]
    quote = value[0] if value[0] in "\"'" else ""
    name = _NAME.fullmatch(value.strip("\"'"))
    if name is not None and names_secret(name[1]):
        return found[0]  # `password: $password` in a plan gives nothing away.
    return f"{found[1]}{quote}{MASK}{quote}"


def _pair_masked(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}={MASK}" if equals and value else pair
