"""The outcome table: what is certain about an attempt, by what was seen of it. The docs print it from here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from chaoscheck.model.ops import Outcome
from chaoscheck.steps.base import Trouble

_LOGIN = re.compile(r"(?<![a-z])(?:log|sign)[-_.]?(?:in|on)(?![a-z])", re.IGNORECASE)
_INDEFINITE = frozenset({408, 425, 499})
_CONFLICTS = frozenset({409, 429})
_ABSENT = frozenset({401, 403, 404})


class Seen(NamedTuple):
    """What is known of an attempt.

    `sent` is False only if certainly no byte left. `meets`, `refused`, `gone`, `pending` say whether the plan's words
    hold; `gone_said` that the plan says what else absence looks like. `to_login` is a redirect to a login page.
    `not_forwarded` is a balancer's word that no instance got it. `can_be_gone`: the controls saw `expect` unmet where
    it had to be.
    """

    status: int
    trouble: Trouble
    sent: bool = True
    meets: bool = False
    refused: bool = False
    gone: bool = False
    gone_said: bool = False
    pending: bool = False
    to_login: bool = False
    not_forwarded: bool = False
    can_be_gone: bool = False


class Row(NamedTuple):
    """One line of the table; None where it can't be of a write, or of a read."""

    name: str
    seen: str
    write: Outcome | None
    read: Outcome | None
    reason: str
    applies: Callable[[Seen], bool]


def _refusable(seen: Seen) -> bool:
    return 200 <= seen.status < 500 and seen.status not in _INDEFINITE


def _tellable(seen: Seen) -> bool:
    """Whether the answer says something of the object, rather than of the service's trouble."""
    return _refusable(seen) and seen.status not in _CONFLICTS


def _absent_by_default(seen: Seen) -> bool:
    return seen.status in _ABSENT or (seen.to_login and 300 <= seen.status < 400)


OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN
GONE, PENDING, UNRECOGNISED, DROPPED = Outcome.GONE, Outcome.PENDING, Outcome.UNRECOGNISED, Outcome.DROPPED

# The first row that applies decides. A row with None in the column asked for is passed over.
TABLE: tuple[Row, ...] = (
    Row(
        "not sent",
        "refused, no route, connect timeout: no byte sent",
        FAIL,
        DROPPED,
        "The service can't have seen what never left.",
        lambda seen: not seen.sent,
    ),
    Row(
        "not forwarded",
        "a balancer's own 503 that says nothing was forwarded",
        FAIL,
        DROPPED,
        "The balancer answered by itself, and says that no instance got the request.",
        lambda seen: seen.not_forwarded and seen.status == 503,
    ),
    Row(
        "no answer",
        "reset or end of stream before the status, timeout, not HTTP",
        UNKNOWN,
        DROPPED,
        "The request left; whether it was applied, or will be, nobody can tell.",
        lambda seen: seen.trouble is not Trouble.NONE and seen.trouble is not Trouble.CUT,
    ),
    Row(
        "cut off",
        "a status, but not the whole body",
        UNKNOWN,
        DROPPED,
        "The answer was still being made when it stopped: what it would have said is lost.",
        lambda seen: seen.trouble is Trouble.CUT,
    ),
    Row(
        "not yet",
        "2xx to 4xx that meets `pending`",
        None,
        PENDING,
        "The plan says that this answer means: accepted, and not done yet.",
        lambda seen: seen.pending and _refusable(seen),
    ),
    Row(
        "as expected",
        "a whole answer that meets `expect`",
        OK,
        OK,
        "It says what the plan calls success.",
        lambda seen: seen.meets,
    ),
    Row(
        "refused",
        "2xx to 4xx that meets `refused`",
        FAIL,
        None,
        "The plan says that this answer is a refusal.",
        lambda seen: seen.refused and _refusable(seen),
    ),
    Row(
        "gone as said",
        "2xx to 4xx that meets `gone` or `refused`",
        None,
        GONE,
        "The plan says that this answer is absence.",
        lambda seen: (seen.gone or seen.refused) and _refusable(seen),
    ),
    Row(
        "gone",
        "401, 403, 404, or a redirect to a login page",
        None,
        GONE,
        "It is how services say: not there, or not for you.",
        _absent_by_default,
    ),
    Row(
        "gone by expect",
        "2xx to 4xx that doesn't meet `expect`, where controls saw it unmet and no `gone` is said",
        None,
        GONE,
        "The same check failed where it had to fail and held where it had to hold, so that failing means absence.",
        lambda seen: seen.can_be_gone and not seen.gone_said and _tellable(seen),
    ),
    Row(
        "conflict or limit",
        "409, 429",
        UNKNOWN,
        DROPPED,
        "It may be the echo of an earlier attempt that did land; only the plan can say that it is a refusal.",
        lambda seen: seen.status in _CONFLICTS,
    ),
    Row(
        "indefinite",
        "408, 425, 499, 5xx",
        UNKNOWN,
        DROPPED,
        "Something gave up on the way; the write may have happened before it did.",
        lambda seen: seen.status in _INDEFINITE or 500 <= seen.status < 600,
    ),
    Row(
        "refused by status",
        "another 4xx",
        FAIL,
        None,
        "The service says that it won't: the request was understood and not applied.",
        lambda seen: 400 <= seen.status < 500,
    ),
    Row(
        "unexpected",
        "2xx or 3xx that doesn't meet `expect`",
        UNKNOWN,
        None,
        "It claims success in words that the plan doesn't know.",
        lambda seen: 200 <= seen.status < 400,
    ),
    Row(
        "unrecognised",
        "2xx to 4xx that neither meets `expect` nor says absence",
        None,
        UNRECOGNISED,
        "The plan doesn't know this answer, so it is evidence of nothing.",
        lambda seen: 200 <= seen.status < 500,
    ),
    Row(
        "no HTTP status",
        "a status outside 200 to 599",
        UNKNOWN,
        DROPPED,
        "No meaning is agreed for it.",
        lambda seen: True,
    ),
)

_WRITE_ROWS = tuple((row.applies, (row.write, row)) for row in TABLE if row.write is not None)
_READ_ROWS = tuple((row.applies, (row.read, row)) for row in TABLE if row.read is not None)
AS_EXPECTED = next(row for row in TABLE if row.name == "as expected")
REFUSED = next(row for row in TABLE if row.name == "refused")


def classify(seen: Seen, *, is_write: bool) -> tuple[Outcome, Row]:
    """The outcome, and the row of the table that says why."""
    return next(verdict for applies, verdict in (_WRITE_ROWS if is_write else _READ_ROWS) if applies(seen))


def is_refusal(error: str) -> bool:
    """Whether that error of an attempt says that the plan's `refused` was met."""
    return error.partition(":")[0] == REFUSED.name


def redirects_to_login(status: int, location: str) -> bool:
    """A 3xx whose Location's path looks like a login page's."""
    return 300 <= status < 400 and _LOGIN.search(_path_of(location)) is not None


def markdown() -> str:
    """The table as the documentation shows it."""
    lines = ["| seen | a write is | a read is | because |", "|---|---|---|---|"]
    lines += [f"| {row.seen} | {row.write or '—'} | {row.read or '—'} | {row.reason} |" for row in TABLE]
    return "\n".join(lines) + "\n"


def _path_of(location: str) -> str:
    try:
        return urlsplit(location).path
    except ValueError:
        return ""
