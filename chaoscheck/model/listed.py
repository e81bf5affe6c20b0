"""What a `values` reading showed, as an operation keeps it: a JSON list of texts."""

from __future__ import annotations

import json


def listed(seen: str) -> list[str] | None:
    """The texts in their order; None where it is no list."""
    try:
        found = json.loads(seen)
    except (ValueError, RecursionError):
        return None
    return [str(item) for item in found] if isinstance(found, list) else None


def numbers(seen: str) -> list[int] | None:
    """The same as whole numbers; None where one of them is none."""
    try:
        return [int(text) for text in listed(seen) or []] if seen.startswith("[") else None
    except ValueError:
        return None
