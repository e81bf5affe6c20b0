"""What `try` shows: each step's request, its answer, what it took; then controls and matrix as they came out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from chaoscheck.cli.grids import print_matrix
from chaoscheck.engines.last_words import hint_of
from chaoscheck.model.events import ControlProbed, Event, InstanceDied, Printed
from chaoscheck.model.ops import READS, Lane, Outcome
from chaoscheck.model.verdict import MatrixCell, Result, Verdict
from chaoscheck.plan.plan import Plan
from chaoscheck.plan.steps import Step
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import measured, plural, span
from chaoscheck.steps.base import Wire
from chaoscheck.steps.mask import printable
from chaoscheck.steps.perform import Exchange
from chaoscheck.store import near

BODY_CHARS = 200
LOG_LINES = 15
TESTS, PAIR_READS = 8, 3
"""Reads of a promise's controls, and of each pair of the matrix."""


class Exchanges:
    """Shows the requests of the controls, equal ones once; the matrix repeats them, so it is shown as a grid only.

    `unhelpful` has the first answer of each action that was neither as expected nor an absence; `any`: one was shown.
    `pairs` is about how many requests the matrix takes: it says how long that is by how long the others took.
    """

    def __init__(self, console: Console, pairs: int = 0) -> None:
        self._console = console
        self._pairs = pairs
        self._took_ns: list[int] = []
        self._last: tuple[str, str] = ("", "")
        self._done: set[str] = set()
        self.unhelpful: dict[str, Exchange] = {}
        self.any = False

    def __call__(self, exchange: Exchange) -> None:
        """One request and its answer."""
        if exchange.op.lane != Lane.CONTROL.value:
            self._foretell()
            return
        self._took_ns.append(max(0, exchange.op.done_ns - exchange.op.sent_ns))
        shown = (_asked(exchange), _answered(exchange, done=exchange.op.promise in self._done))
        self._weigh(exchange)
        if shown != self._last:
            for line in shown:
                self._console.print(line, soft_wrap=True, highlight=False)
        self._last = shown

    def _foretell(self) -> None:
        """Once, as the matrix begins: it shows no request, so a slow service's user would wait in the dark."""
        if self._pairs and self._took_ns:
            long_s = self._pairs * sum(self._took_ns) / len(self._took_ns) / 1e9
            self._console.print(
                f"matrix: each instance writes, each reads: about {self._pairs} requests, {span(max(1.0, long_s))} at "
                "their pace (more where something doesn't hold)",
                soft_wrap=True,
                markup=False,
            )
        self._pairs = 0

    def _weigh(self, exchange: Exchange) -> None:
        """What is looked at before anything was done may look like anything, but for trouble."""
        op = exchange.op
        self.any = True
        if op.outcome == Outcome.OK and op.action == "do":
            self._done.add(op.promise)
        counts = op.action == "do" or op.promise in self._done or op.status >= 500 or not op.status
        if counts and op.outcome not in (Outcome.OK, Outcome.GONE):
            self.unhelpful.setdefault(f"{op.promise}.{op.action}", exchange)


def _asked(exchange: Exchange) -> str:
    op, wire = exchange.op, exchange.wire
    sent = printable(_sent(wire))[:BODY_CHARS]
    return f"[bold]{escape(op.promise)}.{op.action}[/bold] on {op.via}: {escape(f'{wire.method} {wire.path} {sent}')}"


def _sent(wire: Wire) -> str:
    """The body; of a multipart one its fields, and of files how long they are."""
    media = next((value for name, value in wire.headers if name.lower() == "content-type"), "")
    if not media.startswith("multipart/form-data"):
        return wire.body.decode("utf-8", "replace")
    whole = message_from_bytes(f"Content-Type: {media}\r\n\r\n".encode() + wire.body)
    return ", ".join(_field(part) for part in whole.walk() if not part.is_multipart())


def _field(part: Message) -> str:
    name = part.get_param("name", header="content-disposition")
    payload = part.get_payload(decode=True)
    held = payload if isinstance(payload, bytes) else b""
    return f"{name} ({len(held)} bytes)" if part.get_filename() else f"{name}={held.decode('utf-8', 'replace')}"


def _meant(outcome: str, *, reads: bool, done: bool) -> str:
    """An outcome in words of the plan's author: before anything was done a check has to say no."""
    if not reads or outcome not in (Outcome.GONE, Outcome.UNRECOGNISED):
        return outcome
    if not done:
        return "no (as it should: nothing was done yet)"
    return "not there" if outcome == Outcome.GONE else "not as expected"


def _filled(text: str, names: Mapping[str, str]) -> str:
    """The plan's words with what the names stood for."""
    return re.sub(r"\$(\w+)", lambda found: names.get(found[1], found[0]), text)


def _answered(exchange: Exchange, *, done: bool) -> str:
    op = exchange.op
    said = printable(exchange.text)[:BODY_CHARS]
    taken = ", ".join(f"${name}={value}" for name, value in exchange.taken.items())
    seen = f", read {op.seen!r}" if op.seen and op.seen in exchange.text else ""
    error = _filled(op.error.removeprefix(f"{Outcome.UNRECOGNISED}: "), {**exchange.names, **exchange.taken})
    why = f" ({error})" if op.error and op.outcome != Outcome.OK else ""
    meant = _meant(op.outcome, reads=op.action in READS, done=done)
    took = f", took {taken}" if taken else ""
    return f"  -> {op.status or op.error}  [bold]{meant}[/bold]{escape(why + seen + took)}  {escape(said)}"


def requests_of(plan: Plan) -> tuple[int, int]:
    """About how many requests controls and matrix send where all holds."""

    def sent(steps: Sequence[Step]) -> int:
        return sum(2 if step.submit else 1 for step in steps)

    promises = plan.promises.values()
    tests = sum(sent(each.do) + TESTS * sent(each.see) for each in promises)
    pairs = plan.instances**2 * sum(sent(each.do) + PAIR_READS * sent(each.see) for each in promises)
    return tests, pairs


def foretell(console: Console, plan: Plan) -> int:
    """Say what is about to be sent; the matrix's part of it."""
    tests, pairs = requests_of(plan)
    where = f"{plural(len(plan.promises), 'promise')} on {plural(plan.instances, 'instance')}"
    console.print(
        f"trying {where}: about {tests + pairs} requests, usually some seconds once it has started; no load, no kill",
        soft_wrap=True,
        markup=False,
    )
    return pairs


def show_probes(console: Console, events: Sequence[Event], matrix: Sequence[MatrixCell]) -> None:
    """Controls in words, the matrix as grids."""
    console.print()
    for event in events:
        if isinstance(event, ControlProbed):
            good = event.held == (event.tries if event.must == "hold" else 0) and event.tries > 0
            console.print(
                f"{'ok ' if good else 'NOT'} control {escape(event.promise)}: must {event.must}, {_probed(event)}",
                highlight=False,
            )
    if matrix:
        console.print()
        print_matrix(console, matrix)
    console.print()


def _probed(event: ControlProbed) -> str:
    if event.undone:
        return f"but its do was never ok ({plural(event.tries, 'try', 'tries')}): nothing was there to see"
    if not event.tries:
        return "but nothing was counted: no read was answered"
    return f"held {event.held} of {event.tries} times"


def show_held(console: Console, result: Result) -> bool:
    """Say that all of it held, if it did: the evidence that a verdict needs is a run's business."""
    if not result.matrix or not all(cell.holds for cell in result.matrix):
        return False
    promises = ", ".join(one.promise for one in result.promises)
    console.print(
        f"The plan works: {promises} can fail, hold, and hold between every two of {result.instances} "
        "instances. No instance was killed: `chaoscheck run` does that.",
        markup=False,
        soft_wrap=True,
    )
    return True


def show_next(console: Console, exchanges: Exchanges, result: Result, run: Path, events: Sequence[Event]) -> None:
    """What to mend first: evidence and kills, which a run asks for, are no business of a plan that doesn't work yet."""
    for line in next_lines(exchanges, result, last_words(events), near(run)):
        console.print(line, markup=False, soft_wrap=True, highlight=False)
    console.print(f"run     {near(run)}", markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLines:
    """What an instance printed last."""

    instance: str
    log: str


def last_words(events: Sequence[Event]) -> LastLines | None:
    """Of the instance that ended by itself, else of the first that gave no good answer; None where nobody was asked."""
    ended = [LastLines(instance=each.instance, log=each.log) for each in events
             if isinstance(each, InstanceDied) and not each.asked]  # fmt: skip
    printed = [LastLines(instance=each.instance, log=each.log) for each in events if isinstance(each, Printed)]
    told = [*ended, *printed]
    return next((one for one in told if one.log.strip()), told[0] if told else None)


def next_lines(exchanges: Exchanges, result: Result, last: LastLines | None = None, run: str = "") -> list[str]:
    """The verdict, what made it so, and the first step that wasn't answered as expected, with what to look at.

    `last` is what the instance in trouble printed, `run` the run's folder.
    """
    bad = [gate for gate in result.gates if gate.verdict is Verdict.INVALID]
    lines = ["", f"{result.verdict.value}  {one_line(result.reason) if bad else 'the plan was not tried to its end'}"]
    untold = [gate for gate in result.gates if gate.name.endswith(" its check can fail") and not gate.n]
    lines += [f"  {gate.name}: {one_line(measured(gate))}" for gate in bad or untold[:1]]
    login = next((one.promise for one in result.promises if one.kind == "session"), "")
    if bad and not exchanges.unhelpful:
        lines.append("hint: hold the answers above against the plan: is what `see` reads what `do` sent?")
    for step, exchange in list(exchanges.unhelpful.items())[:1]:
        op = exchange.op
        lines.append(f"next    {step}: {exchange.wire.method} {printable(exchange.wire.path)} was answered "
                     f"{op.status or 'nothing'}: {one_line(printable(op.error), 200)}")  # fmt: skip
        lines += printed_lines(last, run)
        logs_in = op.promise == login and op.action == "do"
        told = hint_of(last.log) if last and (op.status >= 500 or not op.status) else ""
        printed = bool(last and last.log.strip())
        lines.append(f"hint: {told or _hint(op.status, op.action, logs_in=logs_in, printed=printed)}")
    return lines


def printed_lines(last: LastLines | None, run: str) -> list[str]:
    """The instance's own words, and where there are more of them."""
    if last is None:
        return []
    said = [line for line in last.log.splitlines() if line.strip()][-LOG_LINES:]
    if not said:
        return [f"{last.instance} printed nothing"]
    more = f" (more in {run}/logs/{last.instance}.log)" if run else ""
    return [f"{last.instance} printed last{more}:", *(f"  | {one_line(line, 200)}" for line in said)]


def _hint(status: int, action: str, *, logs_in: bool, printed: bool = False) -> str:
    if status >= 500 or not status:
        read = "its last lines may say" if printed else "--keep leaves it running, so that you can read its log"
        return (
            "the service itself is in trouble: does it lack a store (stores), a setting (target.env), or its tables "
            f"(target.setup)? {read}"
        )
    if logs_in and 400 <= status < 500 and status not in (404, 405):
        return (
            "it refuses the login itself: json or form, the names of its fields, the password (accounts), a CSRF token "
            "(then `submit` the form)"
        )
    if status in (401, 403, 407):
        return "it wants to know who asks: a session promise with `take`, `headers` on its `see`, or target.auth"
    if status in (404, 405):
        return "it doesn't know that path or method: is it the one the service has, with its prefix (/api, /v1)?"
    if status in (400, 415, 422):
        return "it doesn't like the body: json or form, the names of its fields, a CSRF token (then `submit` the form)"
    return f"make `expect` of `{action}` say what the answer above looks like"
