"""What happened in a run, in a line each: the same words in the live view and in a log."""

from __future__ import annotations

from chaoscheck.cli.progress import SHAM, Blow
from chaoscheck.model.events import (
    Event,
    FindingSeen,
    InstanceDied,
    MatrixProbed,
    RoundAdded,
    StoreDied,
    Troubled,
    Warned,
    WorkerLost,
)
from chaoscheck.reporting.units import count, millis, plural


def told(what: Blow | Event) -> str:
    """A strike as far as it went, or what nobody asked for. It may hold hostile text."""
    match what:
        case Blow():
            return blow_words(what)
        case InstanceDied():
            return f"{what.instance} died, and no strike meant it (exit code {what.exit_code})"
        case StoreDied():
            return f"store {what.store} died or restarted unasked: {what.detail}"
        case RoundAdded():
            return added_words(what)
        case Warned():
            return f"warning: {what.text}"
        case WorkerLost():
            return f"worker {what.worker} ended by itself: {what.detail}"
        case FindingSeen():
            return f"broken: {what.anomaly} {what.promise} (session {what.session})"
        case MatrixProbed():
            return f"broken: {what.anomaly or 'LOST'} {what.promise} (written on {what.writer}, read on {what.reader})"
        case Troubled():
            return f"trouble: {what.message}"
        case _:
            return ""


def color_of(what: Blow | Event) -> str:
    """None for a strike that does as it should; red where something is broken."""
    if isinstance(what, Blow):
        return "bold red" if what.struck and not what.confirmed and what.mode != SHAM else ""
    if isinstance(what, RoundAdded):
        return ""
    return "yellow" if isinstance(what, Warned) else "bold red"


def added_words(added: RoundAdded) -> str:
    """ "round 3 is added: profile lacks 12 exposures, nightly lacks 1 kill"."""
    lacks = [
        f"{name} lacks {plural(lack, 'kill' if name in added.kills else 'exposure')}"
        for name, lack in added.lacks.items()
    ]
    return f"round {added.round} is added: {', '.join(lacks)}"


def blow_words(blow: Blow) -> str:
    """ "web-2.1 killed (burst), dead in 21 ms, replaced in 1.2 s"."""
    if not blow.struck:
        return f"{blow.victim} is aimed at ({blow.mode})"
    if blow.mode == SHAM:
        return f"{blow.victim} spared: a sham strike"
    if not blow.confirmed:
        return f"{blow.victim} struck ({blow.mode}), NOT confirmed dead"
    words = [f"{blow.victim} killed ({blow.mode})", f"dead in {millis(blow.dead_ms)}"]
    if blow.back_ms >= 0:
        words.append(f"replaced in {millis(blow.back_ms)}")
    if blow.ended and blow.read_back < blow.exposed:
        words.append(f"only {count(blow.read_back)} of {count(blow.exposed)} read back")
    return ", ".join(words)
