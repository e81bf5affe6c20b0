"""What the plan says of its own strictness: findings that are known, and how much a gate decides."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from chaoscheck.model.verdict import Cause, Level
from chaoscheck.plan.steps import Section

Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]


def _day(raw: Any) -> Any:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw
    try:
        return date.fromisoformat(raw)
    except (TypeError, ValueError):
        raise ValueError("write until as a day, such as 2026-12-31") from None


def _reason(text: str) -> str:
    if not text.strip():
        raise ValueError("say because of what it may stay so: a ticket, or a sentence")
    return " ".join(text.split())


class Known(Section):
    """A finding that its owners know of: shown, without failing the run, up to and with the day `until` (UTC).

    `finding` is the anomaly's name (LOST, STALE, ...); with `cause` only findings of that cause are covered.
    """

    promise: str
    finding: str
    because: Annotated[str, AfterValidator(_reason)]
    until: Annotated[date, BeforeValidator(_day, json_schema_input_type=Day)]
    cause: Cause | None = None

    def covers(self, promise: str, anomaly: str, cause: Cause) -> bool:
        return (promise, anomaly) == (self.promise, self.finding) and self.cause in (None, cause)


def _level(raw: Any) -> Any:
    # YAML reads a bare `off` as false.
    return "off" if raw is False else raw


AnyLevel = Annotated[Level, BeforeValidator(_level, json_schema_input_type=Literal["off", "warn", "error", False])]
"""A gate's level, as the plan writes it."""
