"""What a look at the surroundings of a run found, before there is a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`problem`: a run could not work; `warn`: it would, but worse, or perhaps not."""

    OK = "ok"
    WARN = "warn"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: what was seen there, and what to do about it."""

    name: str
    level: Level
    seen: str
    hint: str = ""


def ok(name: str, seen: str) -> Check:
    return Check(name=name, level=Level.OK, seen=seen)


def warn(name: str, seen: str, hint: str = "") -> Check:
    return Check(name=name, level=Level.WARN, seen=seen, hint=hint)


def problem(name: str, seen: str, hint: str = "") -> Check:
    return Check(name=name, level=Level.PROBLEM, seen=seen, hint=hint)
