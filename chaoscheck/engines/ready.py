"""Waits until instances may get traffic, and says what was seen where they don't become so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from chaoscheck.engines.base import Fleet, HasLogs, Instance
from chaoscheck.engines.last_words import hint_of
from chaoscheck.errors import InstanceCrashed, NotReady, PlanError
from chaoscheck.model.clock import NS, Clock, wait_s
from chaoscheck.plan.plan import Ready
from chaoscheck.plan.steps import Expect
from chaoscheck.steps.base import Answer, Transport, Trouble, Wire
from chaoscheck.steps.read import Page

POLL_S = 0.03
PROBE_S = 2.0
LOG_LINES = 20
_STUBBORN = re.compile(r"GET \S+ answers 4\d\d")
SILENT_S = 5.0
"""Nobody needs to be told of a shorter wait."""


@runtime_checkable
class ProbesInside(Protocol):
    """A fleet that can look at an instance from within: what a published port can't tell."""

    def listens(self, instance: Instance, port: int) -> bool:
        """Whether something in the instance accepts connections on that port of its own."""
        ...

    def execute(self, instance: Instance, words: Sequence[str]) -> tuple[int, str]:
        """Run a command beside the service: its exit code and what it printed. Bounded by `PROBE_S` x 5."""
        ...


def wait_ready(
    fleet: Fleet,
    instances: Iterable[Instance],
    ready: Ready,
    *,
    transport: Transport,
    clock: Clock,
    headers: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, int]:
    """Wait until every instance is ready, for `ready.within` at most; its name -> when that was seen (run's clock, ns).

    `headers` are sent with a `get` (Host is the instance's address unless it is among them); no cookie is kept.
    `say` hears now and then what a long wait waits for.
    Raises InstanceCrashed as soon as one ended, NotReady at the limit, EngineLost as the fleet does.
    """
    began = clock.now_ns()
    waiting = {instance.name: instance for instance in instances}
    seen: dict[str, str] = {}
    found: dict[str, int] = {}
    patience = Patience(ready.within, say)
    while True:
        for name, instance in list(waiting.items()):
            seen[name] = _probe(fleet, instance, ready, transport, dict(headers or {}))
            if not seen[name]:
                found[name] = clock.now_ns()
                del waiting[name]
            else:
                _still_lives(fleet, instance)
        if not waiting:
            return found
        if clock.now_ns() - began >= ready.within * NS:
            raise _not_ready(fleet, waiting, ready, seen)
        name = next(iter(waiting))
        so_far_s, so_seen = (clock.now_ns() - began) / NS, seen[name] + _doubt(seen[name])
        patience.waited(so_far_s, f"{name}{_others(waiting, 'and')}", so_seen)
        wait_s(clock, POLL_S)


class Patience:
    """Says what a long wait waits for: after five seconds, then at ten, twenty, forty, ..."""

    def __init__(self, within_s: float, say: Callable[[str], None]) -> None:
        self._within_s = within_s
        self._say = say
        self._next_s = SILENT_S

    def waited(self, so_far_s: float, for_whom: str, seen: str) -> None:
        """It waits on; `seen` is the last thing seen."""
        if so_far_s < self._next_s:
            return
        while self._next_s <= so_far_s:
            self._next_s *= 2
        self._say(f"still waiting for {for_whom}: {seen} ({so_far_s:.0f} s of {self._within_s:g} s)")


def meets(expect: Expect | None, answer: Answer) -> bool:
    """Whether a health answer is as expected: 2xx or 3xx unless `expect` names statuses, and all else that it names."""
    if expect is None:
        return 200 <= answer.status < 400
    text = answer.body.decode("utf-8", "replace")
    return (
        (answer.status in expect.statuses if expect.statuses else 200 <= answer.status < 400)
        and (expect.text is None or expect.text in text)
        and (expect.match is None or re.search(expect.match, text) is not None)
        and all(re.search(pattern, answer.header(name)) for name, pattern in expect.header.items())
    )


def _probe(fleet: Fleet, instance: Instance, ready: Ready, transport: Transport, headers: dict[str, str]) -> str:
    """ "" when it is ready, else what was seen instead."""
    if ready.get is not None:
        wire = Wire("GET", ready.get, tuple(({"Host": str(instance.address)} | headers).items()), b"", PROBE_S)
        answer = transport.send(instance.address, wire, fresh=True)
        if not answer.trouble and meets(ready.expect, answer):
            return ""
        if answer.trouble:
            return f"GET {ready.get}: {answer.trouble}"
        return f"GET {ready.get} answers {answer.status}" + (f": {_excerpt(answer)}" if answer.body else "")
    if not isinstance(fleet, ProbesInside):
        raise PlanError("this engine can only check readiness by HTTP", hint="write ready: /a/path")
    if ready.tcp is not None:
        return "" if fleet.listens(instance, ready.tcp) else f"nothing accepts connections on port {ready.tcp}"
    code, printed = fleet.execute(instance, ready.command or ())
    return "" if code == 0 else f"`{' '.join(ready.command or ())}` ended in {code}: {printed.strip()[-200:]}"


def _excerpt(answer: Answer) -> str:
    """Of an HTML page what its reader would see."""
    return " ".join(Page(answer._replace(body=answer.body[:20_000])).shown.split())[:200]


def _still_lives(fleet: Fleet, instance: Instance) -> None:
    state = fleet.state(instance)
    if state.running:
        return
    why = "out of memory" if state.out_of_memory else f"exit code {state.exit_code}"
    log = _tail(fleet, instance)
    raise InstanceCrashed(
        f"{instance.name} ended by itself before it was ready ({why})",
        hint=hint_of(log) or "its last lines say why; try the image by hand with the plan's env",
        details=log,
    )


def _not_ready(fleet: Fleet, waiting: Mapping[str, Instance], ready: Ready, seen: Mapping[str, str]) -> NotReady:
    name, instance = next(iter(waiting.items()))
    log = _tail(fleet, instance)
    return NotReady(
        f"{name}{_others(waiting, 'nor')} was not ready within {ready.within:g} s; last seen: {seen[name]}",
        hint=_hint(ready, seen[name], log),
        details=log,
    )


def _others(waiting: Mapping[str, Instance], word: str) -> str:
    return f" ({word} {', '.join(list(waiting)[1:])})" if len(waiting) > 1 else ""


def _doubt(seen: str) -> str:
    """Some services answer 404 until they have started, so nobody gives up; but the user may know better at once."""
    return " - is that the right path for `ready`?" if _STUBBORN.match(seen) else ""


def _hint(ready: Ready, seen: str, log: str) -> str:
    if not _STUBBORN.match(seen) and (told := hint_of(log)):
        return told
    if "answers" in seen:
        return "target.ready must name a path that answers 2xx once the service can work, or say what to expect"
    if any(str(trouble) in seen for trouble in (Trouble.REFUSED, Trouble.CLOSED, Trouble.RESET)) or ready.tcp:
        return "does the service listen on 0.0.0.0 and on target.port? Its last lines may tell"
    return "give it longer with ready: {within: ...}, if it only starts slowly"


def _tail(fleet: Fleet, instance: Instance) -> str:
    return fleet.logs(instance, LOG_LINES) if isinstance(fleet, HasLogs) else ""
