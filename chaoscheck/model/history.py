"""The history of a run on disk: what was sent is written before it is sent, what came of it after.

A file is one worker's: a header object, then one JSON array a line.

    ["s", session, user, lane, born_ns]                                                a session begins
    ["i", rid, session, promise, action, obj, seq, attempt, value, lane, via, judged, intended_ns, sent_ns]
    ["d", rid, done_ns, outcome, status, error, incarnation, seen, excerpt]            an attempt ends
    ["e", session, ended_ns, why]                                                      a session ends

An "i" without its "d" is an attempt whose end nobody knows: a worker that dies leaves an unknown, not a gap.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from chaoscheck.errors import HistoryDamaged
from chaoscheck.model.ops import READS, Op, Outcome

VERSION = 1


class SessionBorn(NamedTuple):
    """A client with one jar; `user` is its account's name."""

    session: str
    user: str
    lane: str
    born_ns: int


class SessionEnded(NamedTuple):
    """It left; `why` is "departed", "frozen", "stopped" or what went wrong."""

    session: str
    ended_ns: int
    why: str


class BalancerRow(NamedTuple):
    """The balancer's own word on one attempt: who got it ("" for nobody), and how it ended there."""

    rid: str
    incarnation: str
    status: int
    ending: str
    retries: int


Row = Op | SessionBorn | SessionEnded

OpFields = tuple[Any, ...]
"""The fields of an Op, in its order, as a plain tuple: taking one apart costs a third of what a named one costs."""

Glance = tuple[str, str, int, str, str, int, int]
"""(session, obj, how usual it is, seen or value, incarnation, sent_ns, done_ns) of an operation."""

OTHER, USUAL_READ, USUAL_WRITE, USUAL_UNDO = 0, 1, 2, 3
"""Usual are a user's own that are ok; what the others are the checker tells from whole operations."""


BATCH = 1024
"""Operations of a stream that are folded at a time."""


class Batch:
    """Judged operations of one promise as a checker takes them fastest; those that only prepare are left out.

    It iterates over `whole`, of which `glances` tell enough for most: touching seven fields instead of twenty is what
    makes the difference.
    """

    __slots__ = ("glances", "whole")

    def __init__(self, ops: Iterable[OpFields] = ()) -> None:
        self.whole: list[OpFields] = []
        self.glances: list[Glance] = []
        for fields in ops:
            self.add(fields)

    def add(self, fields: OpFields) -> None:
        _, whose, _, action, obj, _, _, value, lane, _, judged, _, sent, done, outcome, _, _, who, seen, _ = fields
        if not judged:
            return
        usual = outcome == "ok" and lane == "user"
        if action == "see":
            self.glances.append((whose, obj, USUAL_READ if usual else OTHER, seen, who, sent, done))
        else:
            writes = USUAL_WRITE if action == "do" else USUAL_UNDO if action == "undo" else OTHER
            self.glances.append((whose, obj, writes if usual else OTHER, value, who, sent, done))
        self.whole.append(fields)

    def __iter__(self) -> Iterator[OpFields]:
        return iter(self.whole)

    def __len__(self) -> int:
        return len(self.whole)


def batches(ops: Iterable[OpFields]) -> Iterator[Batch]:
    """A batch as it is; a stream cut into batches, so that memory doesn't grow with it."""
    if isinstance(ops, Batch):
        yield ops
        return
    rest = iter(ops)
    while part := list(islice(rest, BATCH)):
        yield Batch(part)


RawRow = OpFields | SessionBorn | SessionEnded


def header(run: str, worker: str) -> str:
    """The first line of a history file."""
    return json.dumps({"chaoscheck": "history", "version": VERSION, "run": run, "worker": worker}) + "\n"


def born_line(born: SessionBorn) -> str:
    return json.dumps(["s", *born], separators=(",", ":")) + "\n"


def ended_line(ended: SessionEnded) -> str:
    return json.dumps(["e", *ended], separators=(",", ":")) + "\n"


def invoke_line(op: Op) -> str:
    """The line of an attempt about to be sent: the first fourteen fields of `op`."""
    return json.dumps(["i", *op[:13]], separators=(",", ":")) + "\n"


def done_line(op: Op) -> str:
    """The line of an attempt that ended."""
    return json.dumps(["d", op.rid, *op[13:]], separators=(",", ":")) + "\n"


def read_rows(lines: Iterable[str], *, where: str = "history") -> Iterator[Row]:
    """`read_raw`, with operations as Op."""
    for row in read_raw(lines, where=where):
        yield row if isinstance(row, SessionBorn | SessionEnded) else Op._make(row)


def read_raw(lines: Iterable[str], *, where: str = "history") -> Iterator[RawRow]:
    """Rows in the order in which they became known; attempts without an end come last, as unknown or dropped.

    A last line that was cut off by a crash is left out; damage anywhere else raises HistoryDamaged.
    """
    source = iter(lines)
    _check_header(next(source, ""), where)
    open_: dict[str, list[object]] = {}
    held: tuple[int, str] | None = None
    for number, line in enumerate(source, start=2):
        if held is not None:
            raise HistoryDamaged(f"{where}:{held[0]} is not a history row: {held[1][:80]!r}")
        try:
            row = json.loads(line)
        except ValueError:
            held = (number, line)
            continue
        tag = row[0]
        if tag == "i":
            open_[row[1]] = row
        elif tag == "d":
            invoked = open_.pop(row[1], None)
            if invoked is None:
                raise HistoryDamaged(f"{where}:{number} ends attempt {row[1]}, which never began")
            yield (*invoked[1:], *row[2:])
        elif tag == "s":
            yield SessionBorn(*row[1:])
        elif tag == "e":
            yield SessionEnded(*row[1:])
        else:
            raise HistoryDamaged(f"{where}:{number} has an unknown tag {tag!r}")
    yield from (_unfinished(row) for row in open_.values())


def read_file(path: Path) -> Iterator[Row]:
    """`read_rows` of a file, a line at a time."""
    with path.open(encoding="utf-8") as lines:
        yield from read_rows(lines, where=path.name)


def raw_file(path: Path) -> Iterator[RawRow]:
    """`read_raw` of a file, a line at a time."""
    with path.open(encoding="utf-8") as lines:
        yield from read_raw(lines, where=path.name)


def some_of(path: Path, wants: Callable[[str], bool]) -> Iterator[RawRow]:
    """Rows of a file as in `raw_file`, but only births and what belongs to sessions that `wants` takes when it begins.

    The others' lines, most of a long history, aren't parsed: their session, or the attempt that they end, stands in
    front, in letters that JSON doesn't escape.
    """
    with path.open(encoding="utf-8") as lines:
        yield from read_raw(_only(lines, wants), where=path.name)


def _only(lines: Iterator[str], wants: Callable[[str], bool]) -> Iterator[str]:
    yield next(lines, "")
    open_: set[str] = set()
    for line in lines:
        parts = line.split('"', 6)
        tag = parts[1] if len(parts) > 4 else ""
        if tag == "d":
            if parts[3] in open_:
                open_.discard(parts[3])
                yield line
        elif tag == "i" and len(parts) > 6:
            if wants(parts[5]):
                open_.add(parts[3])
                yield line
        elif tag != "e" or wants(parts[3]):
            yield line


def _check_header(line: str, where: str) -> None:
    try:
        head = json.loads(line)
        known = head["chaoscheck"] == "history" and head["version"] == VERSION
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise HistoryDamaged(f"{where} doesn't begin as a history of version {VERSION}")


def _unfinished(row: list[object]) -> OpFields:
    outcome = Outcome.DROPPED if row[4] in READS else Outcome.UNKNOWN
    return (*row[1:], -1, outcome.value, 0, "no end recorded", "", "", "")
