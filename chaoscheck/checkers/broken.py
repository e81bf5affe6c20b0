"""The sessions behind the findings, few enough of them to be kept in a result."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from chaoscheck.checkers.findings import Judged, representative
from chaoscheck.model.broken import Broken

LISTED, BREAKS = 500, 3
"""Sessions at most, and breaks of each."""

_Break = tuple[int, str, str, str]


def broken(judged: Iterable[Judged], listed: int = LISTED) -> Broken:
    """Of all anomalies that count, by session: when the contradicting answer came, in which promise, and what it is."""
    breaks: dict[str, list[_Break]] = {}
    shown: dict[str, None] = {}
    for one in judged:
        for group in one.groups.values():
            shown[representative(group).anomaly.session] = None
        for explained in one.counted:
            anomaly = explained.anomaly
            at_ns = anomaly.read.done_ns if anomaly.read.done_ns >= 0 else anomaly.read.sent_ns
            breaks.setdefault(anomaly.session, []).append((at_ns, anomaly.session, anomaly.promise, anomaly.name))
    chosen = _chosen(breaks, list(islice(shown, listed)), listed)
    rows = sorted(row for name in chosen for row in sorted(set(breaks[name]))[:BREAKS])
    return Broken(
        sessions=len(breaks),
        listed=len(chosen),
        session=tuple(row[1] for row in rows),
        at_ns=tuple(row[0] for row in rows),
        promise=tuple(row[2] for row in rows),
        anomaly=tuple(row[3] for row in rows),
    )


def _chosen(breaks: dict[str, list[_Break]], first: list[str], listed: int) -> list[str]:
    taken = set(first)
    rest = sorted((name for name in breaks if name not in taken), key=lambda name: min(breaks[name]))
    room = listed - len(first)
    return first + (rest if len(rest) <= room else [rest[index * len(rest) // room] for index in range(room)])
