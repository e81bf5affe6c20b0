"""What `try` shows: each step's request, its answer, what it took; then controls and matrix as they came out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from chaoscheck.cli.grids import print_matrix
from chaoscheck.model.events import ControlProbed, Event
from chaoscheck.model.ops import Lane, Outcome
from chaoscheck.model.verdict import MatrixCell, Result
from chaoscheck.steps.mask import printable
from chaoscheck.steps.perform import Exchange

BODY_CHARS = 200


class Exchanges:
    """Shows the requests of the controls, equal ones once; the matrix repeats them, so it is shown as a grid only."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: tuple[str, str] = ("", "")

    def __call__(self, exchange: Exchange) -> None:
        """One request and its answer."""
        if exchange.op.lane != Lane.CONTROL.value:
            return
        shown = (_asked(exchange), _answered(exchange))
        if shown != self._last:
            for line in shown:
                self._console.print(line, soft_wrap=True, highlight=False)
        self._last = shown


def _asked(exchange: Exchange) -> str:
    op, wire = exchange.op, exchange.wire
    sent = printable(wire.body.decode("utf-8", "replace"))[:BODY_CHARS]
    return f"[bold]{escape(op.promise)}.{op.action}[/bold] on {op.via}: {escape(f'{wire.method} {wire.path} {sent}')}"


def _answered(exchange: Exchange) -> str:
    op = exchange.op
    said = printable(exchange.text)[:BODY_CHARS]
    taken = ", ".join(f"${name}={value}" for name, value in exchange.taken.items())
    seen = f", read {op.seen!r}" if op.seen and op.seen in exchange.text else ""
    why = f" ({op.error})" if op.error and op.outcome != Outcome.OK else ""
    took = f", took {taken}" if taken else ""
    return f"  -> {op.status or op.error}  [bold]{op.outcome}[/bold]{escape(why + seen + took)}  {escape(said)}"


def show_probes(console: Console, events: Sequence[Event], matrix: Sequence[MatrixCell]) -> None:
    """Controls in words, the matrix as grids."""
    console.print()
    for event in events:
        if isinstance(event, ControlProbed):
            good = event.held == (event.tries if event.must == "hold" else 0) and event.tries > 0
            console.print(
                f"{'ok ' if good else 'NOT'} control {escape(event.promise)}: must {event.must}, "
                f"held {event.held} of {event.tries} times",
                highlight=False,
            )
    if matrix:
        console.print()
        print_matrix(console, matrix)


def show_held(console: Console, result: Result) -> bool:
    """Say that all of it held, if it did: the evidence that a verdict needs is a run's business."""
    if not result.matrix or not all(cell.holds for cell in result.matrix):
        return False
    promises = ", ".join(one.promise for one in result.promises)
    console.print(
        f"\nThe plan works: {promises} can fail, hold, and hold between every two of {result.instances} "
        "instances. No instance was killed: `chaoscheck run` does that.",
        markup=False,
        soft_wrap=True,
    )
    return True
