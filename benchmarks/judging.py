"""How fast parsed histories are judged, and what memory that takes: run it with `python benchmarks/judging.py`."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator

from chaoscheck.checkers.base import PromiseChecker
from chaoscheck.checkers.kept import KeptChecker
from chaoscheck.checkers.register import RegisterChecker
from chaoscheck.checkers.session import SessionChecker
from chaoscheck.model.ops import Op

ROUNDS = 5


def history(sessions: int, each: int, checker: type[PromiseChecker]) -> Iterator[Op]:
    """Sequential sessions of that kind: a write (a login), then reads of it; a register writes every fifth time."""
    for number in range(sessions):
        session, value = f"s{number}", ""
        for turn in range(each):
            at = (number * each + turn) * 20
            writes = turn == 0 or (checker is RegisterChecker and turn % 5 == 0)
            value = f"run.{session}.{turn}" if writes else value
            yield Op(
                f"r{number}.{turn}", session, "p", "do" if writes else "see", "own", turn, 0, value if writes else "",
                "user", "lb", True, at, at, at + 10, "ok", 200, "", f"web-{turn % 3}.1", "" if writes else value, "",
            )  # fmt: skip


def speed(ops: list[Op], checker: type[PromiseChecker]) -> float:
    """Million operations a second of CPU, the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        judge = checker("p")  # type: ignore[call-arg]
        gc.collect()
        gc.freeze()
        since = time.process_time()
        judge.fold(ops)
        best = min(best, time.process_time() - since)
        assert sum(judge.tally().outcomes.values()) == len(ops)
    return len(ops) / best / 1e6


def memory(sessions: int, each: int, checker: type[PromiseChecker]) -> float:
    """Peak MB of the checker while a history is streamed through it."""
    tracemalloc.start()
    judge = checker("p")  # type: ignore[call-arg]
    judge.fold(history(sessions, each, checker))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    """Print speed for 1,000,000 operations, and memory for 100,000 and 1,000,000 of 10,000 sessions."""
    for checker in (SessionChecker, RegisterChecker, KeptChecker):
        ops = list(history(100_000, 10, checker))
        print(f"{checker.kind}: {speed(ops, checker):.2f} M operations/s (1,000,000 in 100,000 sessions)")
        del ops
        small, large = memory(10_000, 10, checker), memory(10_000, 100, checker)
        print(f"{checker.kind}: peak {small:.1f} MB for 100,000, {large:.1f} MB for 1,000,000, both of 10,000 sessions")


if __name__ == "__main__":
    main()
