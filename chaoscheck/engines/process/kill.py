"""A confirmed kill of a whole session: its leader, its group, and whoever left the group but belongs to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chaoscheck.engines.base import KillReceipt, State
from chaoscheck.engines.process.child import Child
from chaoscheck.engines.process.members import Process, of_instance, process, still
from chaoscheck.engines.refusal import RefusalWatch
from chaoscheck.model.clock import Clock
from chaoscheck.model.places import Address

KILLED = 137
_POLL_S = 0.003

Signal = Callable[[Child, Sequence[Process]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What is left of an instance: `left` still live; another process of it than its leader was last seen at
    `other_ns` (-1: never), and none any more at `empty_ns`."""

    left: tuple[Process, ...]
    other_ns: int
    empty_ns: int


def kill(child: Child, mark: bytes, address: Address, *, clock: Clock, limit_s: float, signal: Signal) -> KillReceipt:
    """Send `signal`, and wait (at most `limit_s`) until nobody of the instance lives and its port refuses."""
    watch = RefusalWatch(address, clock, limit_s=limit_s + 1).start()
    was_over = process(child.pid) is None
    signal_ns = clock.now_ns()
    signal(child, ())
    returned_ns = clock.now_ns()
    ended = _wait_until_empty(child, mark, clock, limit_s, signal)
    state = child.state()
    lives = bool(ended.left) or state.running
    refused_ns = watch.refused_ns(wait_s=0 if lives else limit_s)
    trouble = _trouble(state, ended, signal_ns, refused_ns, limit_s, was_over=was_over)
    death_ns, error_ns = (-1, 0) if lives else _death(state, ended)
    return KillReceipt(
        signal_ns=signal_ns,
        returned_ns=returned_ns,
        death_ns=death_ns,
        error_ns=error_ns,
        refused_ns=refused_ns,
        confirmed=not trouble,
        exit_code=state.exit_code,
        detail=trouble or f"ended by signal 9 after {(death_ns - signal_ns) / 1e6:.1f} ms",
    )


def end_all(child: Child, mark: bytes, *, clock: Clock, limit_s: float, signal: Signal) -> None:
    """As `kill`, with no questions asked; then let go of the leader's id. EnvironmentTrouble if it lives on."""
    if not child.reaped:
        signal(child, ())
        _wait_until_empty(child, mark, clock, limit_s, signal)
        child.reap(limit_s)


def _wait_until_empty(child: Child, mark: bytes, clock: Clock, limit_s: float, signal: Signal) -> Ended:
    until = time.monotonic() + limit_s
    other_ns, known = -1, dict[int, Process]()
    # Looking at /proc keeps this interpreter busy: first let the watching threads see what the signal did.
    time.sleep(_POLL_S)
    while True:
        looked_ns = clock.now_ns()
        known |= {one.pid: one for one in of_instance(child.pid, mark)}
        left = tuple(still(known.values()))
        others = [one for one in left if one.pid != child.pid]
        if not left and not child.state().running:
            return Ended(left=(), other_ns=other_ns, empty_ns=clock.now_ns())
        other_ns = looked_ns if others else other_ns
        if time.monotonic() >= until:
            return Ended(left=left, other_ns=other_ns, empty_ns=-1)
        if others:
            signal(child, others)
        time.sleep(_POLL_S)


def _death(state: State, ended: Ended) -> tuple[int, int]:
    """When the last of it ended: the leader's end is known exactly, another's only between two looks."""
    if ended.other_ns > state.ended_ns:
        return ended.empty_ns, ended.empty_ns - ended.other_ns
    return state.ended_ns, state.error_ns


def _trouble(state: State, ended: Ended, signal_ns: int, refused_ns: int, limit_s: float, *, was_over: bool) -> str:
    if ended.left or state.running:
        who = ", ".join(f"{one.words} ({one.pid})" for one in ended.left[:5])
        return f"still running {limit_s:g} s after the signal: {who}"
    # The end is stamped after it, never before: what bears an earlier stamp was over, however vague that is.
    if was_over or state.ended_ns < signal_ns:
        before_ms = max(0, signal_ns - state.ended_ns) / 1e6
        return f"had ended {before_ms:.1f} ms before the signal, with exit code {state.exit_code}"
    if state.exit_code != KILLED:
        return f"ended with exit code {state.exit_code}, not by signal 9"
    if refused_ns < 0:
        return f"its port did not refuse a connection within {limit_s:g} s: someone else listens there"
    return ""
