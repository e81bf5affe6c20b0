"""Durations, shares and rates as people write them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PER = {"hour": 3600.0, "day": 86400.0, "week": 604800.0, "month": 2592000.0, "year": 31536000.0}


def seconds(text: Any) -> Any:
    """Seconds of "250ms", "10s", "5m", "2h", "30d" or a bare number."""
    if isinstance(text, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)\s*", text)
        if not found:
            raise ValueError(f"'{text}' is no duration; write 250ms, 10s, 5m, 2h or 30d")
        return float(found[1]) * _SECONDS[found[2] or "s"]
    return text


def share(text: Any) -> Any:
    """A fraction from "1%" or 0.01."""
    if isinstance(text, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|)\s*", text)
        if not found:
            raise ValueError(f"'{text}' is no share; write 1% or 0.01")
        return float(found[1]) / (100 if found[2] else 1)
    return text


def per_second(text: Any) -> Any:
    """A rate a second from "200/month" or the like."""
    if isinstance(text, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*/\s*(hour|day|week|month|year)\s*", text)
        if not found:
            raise ValueError(f"'{text}' is no rate; write 200/month (hour, day, week, month, year)")
        return float(found[1]) / _PER[found[2]]
    return text


def size(text: Any) -> Any:
    """Bytes of "64 kB", "1 MB", "512 B" or a bare number; a kB has 1000."""
    if isinstance(text, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(B|kB|MB|)\s*", text)
        if not found:
            raise ValueError(f"'{text}' is no size; write 512 B, 64 kB or 1 MB")
        return int(float(found[1]) * {"B": 1, "kB": 1000, "MB": 1_000_000}[found[2] or "B"])
    return text


Seconds = Annotated[float, BeforeValidator(seconds, json_schema_input_type=float | str)]
Share = Annotated[float, BeforeValidator(share, json_schema_input_type=float | str)]
PerSecond = Annotated[float, BeforeValidator(per_second, json_schema_input_type=float | str)]
Size = Annotated[int, BeforeValidator(size, json_schema_input_type=int | str)]
