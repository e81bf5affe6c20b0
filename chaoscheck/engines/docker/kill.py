"""A confirmed kill of a container: what the engine says afterwards, weighed against what was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound

from chaoscheck.engines.base import KillReceipt, State
from chaoscheck.engines.docker.api import talking
from chaoscheck.engines.docker.times import STAMP_LAG_NS, Offset, stamp_ns

KILLED = 137
_POLL_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Signalled:
    """A signal that was sent: between which of the run's times, and what the engine objected, if it did."""

    signal_ns: int
    returned_ns: int
    objection: str


def send_kill(client: Any, id_: str, name: str) -> str:
    """Ask the engine for it; what it objected, or ""."""
    with talking(f"kill {name}"):
        try:
            client.kill(id_, "SIGKILL")
        except NotFound:
            return "its container is gone"
        except APIError as error:
            if error.status_code != 409:
                raise
            return "it was not running"
    return ""


def state_of(found: Mapping[str, Any] | None, offset: Offset) -> State:
    """What an inspection says, in the run's time."""
    if found is None:
        return State(running=False)
    state = found["State"]
    if state["Running"]:
        return State(running=True)
    stamp = stamp_ns(state["FinishedAt"])
    return State(
        running=False,
        exit_code=int(state["ExitCode"]),
        out_of_memory=bool(state["OOMKilled"]),
        ended_ns=stamp + offset.ns if stamp >= 0 else -1,
        error_ns=offset.error_ns + STAMP_LAG_NS,
    )


def wait_until_ended(look: Callable[[], State], limit_s: float) -> State:
    """Its state once it ended, or as it is at the limit."""
    until = time.monotonic() + limit_s
    while True:
        state = look()
        if not state.running or time.monotonic() >= until:
            return state
        time.sleep(_POLL_S)


def receipt(sent: Signalled, state: State, *, seen_ended_ns: int, refused_ns: int, limit_s: float) -> KillReceipt:
    """The receipt; unconfirmed with a reason unless all of it shows that this signal ended the whole container."""
    death_ns, error_ns = _death(sent, state, seen_ended_ns)
    trouble = _trouble(sent, state, refused_ns, limit_s)
    return KillReceipt(
        signal_ns=sent.signal_ns,
        returned_ns=sent.returned_ns,
        death_ns=death_ns,
        error_ns=error_ns,
        refused_ns=refused_ns,
        confirmed=not trouble,
        exit_code=state.exit_code,
        detail=trouble or f"ended by signal 9 after {(death_ns - sent.signal_ns) / 1e6:.1f} ms",
    )


def _trouble(sent: Signalled, state: State, refused_ns: int, limit_s: float) -> str:
    if state.running:
        return f"still running {limit_s:g} s after the signal" + (f" ({sent.objection})" if sent.objection else "")
    if sent.objection:
        return f"the signal did not reach it: {sent.objection}"
    if state.out_of_memory:
        return "it ran out of memory, so the kill is not certain to be what ended it"
    if state.exit_code != KILLED:
        return f"ended with exit code {state.exit_code}, not by signal 9"
    if 0 <= state.ended_ns < sent.signal_ns - state.error_ns:
        return f"had ended {(sent.signal_ns - state.ended_ns) / 1e6:.1f} ms before the signal"
    if refused_ns < 0:
        return f"its port did not refuse a connection within {limit_s:g} s"
    return ""


def _death(sent: Signalled, state: State, seen_ended_ns: int) -> tuple[int, int]:
    """When it died and how sure that is. A stamp after it was seen ended is of another clock: the interval says it."""
    if state.running:
        return -1, 0
    early = state.ended_ns < sent.signal_ns - state.error_ns
    if state.ended_ns >= 0 and not sent.objection and not early and state.ended_ns <= seen_ended_ns:
        return max(state.ended_ns, sent.signal_ns), state.error_ns
    if early and state.ended_ns >= 0:
        return state.ended_ns, state.error_ns
    return (sent.signal_ns + seen_ended_ns) // 2, (seen_ended_ns - sent.signal_ns) // 2 + 1
