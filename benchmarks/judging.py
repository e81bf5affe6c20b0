"""How fast parsed histories are judged beside a bare loop over them, and what memory that takes."""

from __future__ import annotations

import gc
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chaoscheck.checkers.kept import KeptChecker
from chaoscheck.checkers.register import RegisterChecker
from chaoscheck.checkers.session import SessionChecker
from chaoscheck.checkers.set import SetChecker
from chaoscheck.checkers.states import Fold
from chaoscheck.model.history import (
    Batch,
    OpFields,
    SessionBorn,
    SessionEnded,
    done_line,
    header,
    invoke_line,
    read_raw,
)
from chaoscheck.model.ops import Op

ROUNDS = 5
TARGET = 5.0
"""Million operations a second, of 1,000,000 in 100,000 sequential sessions."""
PARALLEL = 0.5
"""The same of sessions with parallel requests."""
BATCH = 8192
Judge = type[Fold] | type[SetChecker]
KINDS: tuple[Judge, ...] = (SessionChecker, RegisterChecker, KeptChecker, SetChecker)
MS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Nanoseconds of processor time an operation: to judge it, and to loop over it and unpack it, in turn."""

    best: float
    median: float
    bare: float

    @property
    def rate(self) -> float:
        """Million operations a second at the best."""
        return 1000 / self.best


def history(sessions: int, each: int, kind: Judge) -> Iterator[Op]:
    """Sequential sessions: a login and reads; a register written and a new object made at every fifth turn."""
    if kind is SetChecker:
        yield from carts(sessions, each)
        return
    for number in range(sessions):
        session, value = f"s{number}", ""
        for turn in range(each):
            at = (number * each + turn) * 2 * MS
            writes = turn == 0 or (kind is not SessionChecker and turn % 5 == 0)
            value = f"run.{session}.{turn}" if writes else value
            obj = value if kind is KeptChecker else "own"
            yield Op(
                f"r{number}.{turn}", session, "p", "do" if writes else "see", obj, turn, 0, value if writes else "",
                "user", "lb", True, at, at, at + MS, "ok", 200, "", f"web-{turn % 3}.1", "" if writes else value, "",
            )  # fmt: skip


def carts(sessions: int, each: int) -> Iterator[Op]:
    """Sequential sessions: every fifth turn adds an element or, of three, removes the oldest; the others read."""
    for number in range(sessions):
        session, items, shown = f"s{number}", list[str](), "[]"
        for turn in range(each):
            at = (number * each + turn) * 2 * MS
            action, value = "see" if turn % 5 else "do" if len(items) < 3 else "undo", ""
            if action != "see":
                value = f"run.{session}.{turn}" if action == "do" else items.pop(0)
                items += [value] if action == "do" else []
                shown = json.dumps(items, separators=(",", ":"))
            yield Op(
                f"r{number}.{turn}", session, "p", action, "own", turn, 0, value, "user", "lb", True, at, at, at + MS,
                "ok", 200, "", f"web-{turn % 3}.1", shown if action == "see" else "", "",
            )  # fmt: skip


def parallel(sessions: int, each: int) -> Iterator[Op]:
    """Sessions with three requests in flight at a time, two reads beside every write, in the order of their ends."""
    for number in range(sessions):
        session, items = f"s{number}", list[str]()
        for turn in range(each):
            burst, place = divmod(turn, 3)
            at = (number * each + burst * 3) * 2 * MS
            action, value = "see" if place else "do" if len(items) < 3 else "undo", ""
            shown = json.dumps(items, separators=(",", ":"))
            if action != "see":
                value = f"run.{session}.{turn}" if action == "do" else items.pop(0)
                items += [value] if action == "do" else []
            yield Op(
                f"r{number}.{turn}", session, "p", action, "own", turn, 0, value, "user", "lb", True, at, at + place,
                at + MS + place, "ok", 200, "", f"web-{turn % 3}.1", shown if action == "see" else "", "",
            )  # fmt: skip


def as_read(ops: Iterator[Op]) -> Iterator[OpFields]:
    """The same as a run's file gives them: every text an object of its own."""

    def lines() -> Iterator[str]:
        yield header("run", "w0")
        for op in ops:
            yield invoke_line(op)
            yield done_line(op)

    return (row for row in read_raw(lines()) if not isinstance(row, SessionBorn | SessionEnded))


def speed(ops: Batch, kind: Judge) -> Speed:
    """Judging and the bare loop alternate, so that what else the machine does hits both."""
    judged, bare = [], []
    for _ in range(ROUNDS):
        bare.append(_timed(lambda: _loop(ops)))
        judge = kind("p")
        judged.append(_timed(lambda judge=judge: judge.fold(ops)))  # type: ignore[misc]
        if sum(judge.tally().outcomes.values()) != len(ops):
            raise SystemExit(f"{kind.kind}: not every operation was judged")
    scale = 1e9 / len(ops)
    return Speed(best=min(judged) * scale, median=statistics.median(judged) * scale, bare=min(bare) * scale)


def speed_as_read(kind: Judge, count: int) -> float:
    """ns an operation where they are parsed and judged by the batch, as a run's own are; parsing isn't counted."""
    judge, spent = kind("p"), 0.0
    source = as_read(history(count // 10, 10, kind))
    while batch := [op for op, _ in zip(source, range(BATCH), strict=False)]:
        parsed = Batch(batch)
        since = time.process_time()
        judge.fold(parsed)
        spent += time.process_time() - since
    return spent / count * 1e9


def memory(sessions: int, each: int, kind: Judge) -> float:
    """Peak MB of the checker while a history of one object a session is streamed through it."""
    tracemalloc.start()
    judge = kind("p")
    judge.fold(op._replace(obj="own") for op in history(sessions, each, kind))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main() -> int:
    """Print the table and the verdict; 1 where a kind misses the target."""
    print("judging 1,000,000 parsed operations of 100,000 sequential sessions, processor time on one core")
    print("kind      M ops/s  ns an op  median  bare loop  x bare  as read  MB for 100k  MB for 1M")
    missed = []
    for kind in KINDS:
        ops = Batch(tuple(op) for op in history(100_000, 10, kind))
        seen = speed(ops, kind)
        del ops
        read = speed_as_read(kind, 200_000)
        small, large = memory(10_000, 10, kind), memory(10_000, 100, kind)
        print(
            f"{kind.kind:<9} {seen.rate:7.2f} {seen.best:9.0f} {seen.median:7.0f} {seen.bare:10.0f} "
            f"{seen.best / seen.bare:7.2f} {read:8.0f} {small:12.1f} {large:10.1f}"
        )
        missed += [kind.kind] if seen.rate < TARGET else []
    beside = speed(Batch(tuple(op) for op in parallel(2_000, 30)), SetChecker)
    print(f"set, three requests of a session at a time: {beside.rate:.2f} M ops/s (target {PARALLEL:g})")
    missed += ["parallel sessions"] if beside.rate < PARALLEL else []
    print("bare loop: each operation unpacked and nothing else; memory: 10,000 sessions in both")
    print(f"target {TARGET:g} M ops/s: {'missed by ' + ', '.join(missed) if missed else 'reached by every kind'}")
    return 1 if missed else 0


def _loop(ops: Batch) -> None:
    for _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _ in ops.whole:
        pass


def _timed(work: Callable[[], None]) -> float:
    # As judging does: without the collector, for folds make no cycles.
    gc.collect()
    gc.disable()
    since = time.process_time()
    work()
    spent = time.process_time() - since
    gc.enable()
    return spent


if __name__ == "__main__":
    raise SystemExit(main())
