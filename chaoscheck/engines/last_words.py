"""What an instance's last lines tell of why it doesn't serve."""

from __future__ import annotations

import re

_NAME = r"[\"'(]?([A-Za-z0-9][A-Za-z0-9._-]*)"
_UNKNOWN = (
    rf"(?:ENOTFOUND|EAI_AGAIN) {_NAME}",
    rf"could not translate host name {_NAME}",
    rf"lookup {_NAME}[^\n]*(?:no such host|server misbehaving)",
    rf"UnknownHostException: {_NAME}",
    rf"Unknown (?:MySQL )?(?:server )?host {_NAME}",
    r"Name or service not known|name resolution|nodename nor servname|Name does not resolve|getaddrinfo failed",
)
_REFUSED = (
    r"ECONNREFUSED ([\w.:\[\]-]+)",
    r"connect(?:ion)? to (?:server at )?[\"']?([\w.:-]+)[^\n]*refused",
    r"dial tcp ([\w.:\[\]-]+): connect: connection refused",
    r"Connection refused",
)


def hint_of(log: str) -> str:
    """What to look at, or "" where the lines tell nothing that we know."""
    found = _first(_UNKNOWN, log)
    if found is not None:
        name = f" ({found})" if found else ""
        return (
            f"its log: a name in its settings isn't there{name}: is a store missing from stores, or is it called "
            "otherwise there?"
        )
    found = _first(_REFUSED, log)
    if found is not None:
        at = f" {found.rstrip('.:')}" if found else " what it asks"
        return (
            f"its log: it is refused at{at}: is a store missing from stores, or do its settings say localhost where "
            "the store's name belongs?"
        )
    return ""


def _first(patterns: tuple[str, ...], log: str) -> str | None:
    """What the first pattern that is found names, "" where it names nothing; None when none is found."""
    for pattern in patterns:
        if found := re.search(pattern, log, re.IGNORECASE):
            return str(found[1]) if found.re.groups else ""
    return None
