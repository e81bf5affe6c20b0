"""What `try` shows: each step's request, its answer, what it took; then controls and matrix as they came out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from chaoscheck.model.events import ControlProbed, Event, MatrixProbed
from chaoscheck.model.ops import Lane
from chaoscheck.model.verdict import Result
from chaoscheck.steps.mask import printable
from chaoscheck.steps.perform import Exchange

BODY_CHARS = 200


def show_exchange(console: Console, exchange: Exchange) -> None:
    """One request of the controls; the matrix repeats them, so it is shown as a grid only."""
    op = exchange.op
    if op.lane != Lane.CONTROL.value:
        return
    wire = exchange.wire
    sent = printable(wire.body.decode("utf-8", "replace"))[:BODY_CHARS]
    said = printable(exchange.text)[:BODY_CHARS]
    asked = escape(f"{wire.method} {wire.path} {sent}")
    console.print(f"[bold]{escape(op.promise)}.{op.action}[/bold] on {op.via}: {asked}", soft_wrap=True)
    taken = ", ".join(f"${name}={value}" for name, value in exchange.taken.items())
    seen = f", read {op.seen!r}" if op.seen else ""
    console.print(
        f"  -> {op.status or op.error}  [bold]{op.outcome}[/bold]{escape(seen)}"
        f"{escape(', took ' + taken) if taken else ''}  {escape(said)}",
        soft_wrap=True,
        highlight=False,
    )


def show_probes(console: Console, events: Sequence[Event]) -> None:
    """Controls in words, the matrix as a grid."""
    console.print()
    for event in events:
        if isinstance(event, ControlProbed):
            good = event.held == (event.tries if event.must == "hold" else 0) and event.tries > 0
            console.print(
                f"{'ok ' if good else 'NOT'} control {escape(event.promise)}: must {event.must}, "
                f"held {event.held} of {event.tries} times",
                highlight=False,
            )
    cells = [event for event in events if isinstance(event, MatrixProbed)]
    for promise in dict.fromkeys(cell.promise for cell in cells):
        mine = [cell for cell in cells if cell.promise == promise]
        names = list(dict.fromkeys(cell.writer for cell in mine))
        console.print(f"matrix {escape(promise)} (rows: written on; columns: read on)", highlight=False)
        console.print(" " * 10 + "".join(f"{name:>10}" for name in names), highlight=False)
        for writer in names:
            row = "".join(f"{_mark(mine, writer, reader):>10}" for reader in names)
            console.print(f"{writer:>10}{row}", highlight=False)


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


def _mark(cells: list[MatrixProbed], writer: str, reader: str) -> str:
    told = [cell.holds for cell in cells if (cell.writer, cell.reader) == (writer, reader)]
    if not told or None in told:
        return "?"
    return "holds" if all(told) else "LOST"
