"""Findings as the page shows them: the worst whole, as many as it has room for, the others as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chaoscheck.model.events import Event, LastWords
from chaoscheck.model.verdict import Finding
from chaoscheck.reporting.figure import FLAGS

LONGEST = 20_000
"""Characters of one text; an answer of 10 MB must not become the page."""
ROOM = 700_000
"""Characters that cards may take together: a page of any number of findings stays small enough to be sent around."""
OPEN = 3
"""So many are open from the start."""
_FRAME, _LINK = 1_900, 330
"""About what the page adds to a card's and to a link's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A finding, its place in the list and on the timeline; `log` is what the blamed kill's victim printed last.

    Of several findings that blame one kill the first has the log, and the others name it: `log_in` is its number.
    """

    number: int
    finding: Finding
    open: bool
    flagged: bool
    log: str
    log_in: int


def last_words(events: Iterable[Event]) -> dict[str, str]:
    """Victim -> what it printed last, of those of which something is known."""
    return {event.instance: event.log for event in events if isinstance(event, LastWords)}


def cards(findings: Sequence[Finding], logs: dict[str, str]) -> tuple[tuple[Card, ...], tuple[Card, ...]]:
    """Those shown whole, and the rest; a known finding is never open."""
    whole: list[Card] = []
    rest: list[Card] = []
    told: dict[int, int] = {}
    room = ROOM
    for number, finding in enumerate(findings, start=1):
        log = logs.get(finding.victim, "") if finding.strike >= 0 else ""
        first = told.get(finding.strike, 0)
        card = Card(
            number=number,
            finding=finding,
            open=number <= OPEN and not finding.known,
            flagged=number <= FLAGS,
            log="" if first else log,
            log_in=first if log else 0,
        )
        room -= _size(card)
        (whole if room >= 0 and not rest else rest).append(card)
        if log and not rest:
            told.setdefault(finding.strike, number)
    return tuple(whole), tuple(rest)


def _size(card: Card) -> int:
    one = card.finding
    words = [one.summary, one.fix, one.value, one.seen, one.session, one.obj, one.known, card.log]
    words += [word for link in one.chain for word in (link.curl, link.note)]
    return _FRAME + sum(min(len(word), LONGEST) for word in words) + _LINK * len(one.chain)
