"""An operation: one request on the wire, what it was meant to do and what is known of it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """What is certain about an attempt; the table that decides it is steps/classify.py."""

    OK = "ok"  # it happened, or the read saw what it returned
    FAIL = "fail"  # it certainly did not happen
    UNKNOWN = "unknown"  # a write that may have happened, or may yet
    GONE = "gone"  # a read that says: not there, or not logged in
    PENDING = "pending"  # a read that says: accepted, and not done yet
    UNRECOGNISED = "unrecognised"  # a read whose answer the plan doesn't know
    DROPPED = "dropped"  # a read without an answer that says anything


READS = frozenset({"see", "ledger"})
"""Actions that only look."""


class Lane(StrEnum):
    """Whose traffic an operation is. Budgets count USER only."""

    CONTROL = "control"  # tests of the plan, before the service is judged
    MATRIX = "matrix"  # write on i, read on j
    USER = "user"  # scheduled sessions through the balancer
    BURST = "burst"  # held on the victim until it is dead
    INFLIGHT = "inflight"  # aimed into the victim's last milliseconds
    WATCH = "watch"  # the run's one observer of what runs by itself, straight at the instances
    CONFIRM = "confirm"  # re-reads of a suspicion, through every instance
    FINAL = "final"  # reads of every object through every instance, after settle


class Phase(StrEnum):
    """The parts of a run, in their order."""

    PLAN = "plan"
    PREPARE = "prepare"
    CONTROLS = "controls"
    MATRIX = "matrix"
    WARM_UP = "warm-up"
    BASELINE = "baseline"
    CHAOS = "chaos"
    SETTLE = "settle"
    FINAL = "final reads"
    JUDGE = "judge"
    REPORT = "report"
    CLEAN = "clean up"


class Op(NamedTuple):
    """One attempt. Times are nanoseconds of the run's clock; `done_ns` is -1 while nothing is known of the end.

    `action` is the plan's word: do, see, undo or ledger; `judged` is False for the requests that only prepare it.
    `value` is what a write carried, or what a read was about; `seen` is what a read returned. `via` names where the
    client dialled: "lb" or an incarnation's name; `incarnation` names who answered, "" when that isn't known.
    `seq` counts the session's operations, `attempt` the tries of one of them, from 0.
    """

    rid: str
    session: str
    promise: str
    action: str
    obj: str
    seq: int
    attempt: int
    value: str
    lane: str
    via: str
    judged: bool
    intended_ns: int
    sent_ns: int
    done_ns: int
    outcome: str
    status: int
    error: str
    incarnation: str
    seen: str
    excerpt: str

    @property
    def is_write(self) -> bool:
        return self.action not in READS
