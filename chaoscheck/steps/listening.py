"""What a performer does with streams: opening one is a request that prepares; listening sends none, and is judged."""

from __future__ import annotations

from collections.abc import Callable

from chaoscheck.errors import PlanError
from chaoscheck.model.clock import Clock
from chaoscheck.model.ops import Op, Outcome
from chaoscheck.steps.base import Answer, Stream, Streams, Transport, Wire
from chaoscheck.steps.calls import Journal
from chaoscheck.steps.client import Client
from chaoscheck.steps.listen import Diary, Ear, Hearing
from chaoscheck.steps.mask import Masker
from chaoscheck.steps.naming import Naming
from chaoscheck.steps.prepared import PreparedStep, Verdict
from chaoscheck.steps.read import Page
from chaoscheck.steps.walk import Walk, begun, compiled_for

_OK, _DROPPED = Outcome.OK.value, Outcome.DROPPED.value


class Listening:
    """The part of a Performer that listens; `_within_s` is how long a message of each promise may take."""

    masker: Masker
    _transport: Transport
    _journal: Journal
    _clock: Clock
    _rids: Callable[[], str]
    _within_s: dict[str, float]
    _diary: Diary
    _naming: Naming

    def _outcome(
        self, walk: Walk, step: PreparedStep, page: Page, verdict: Verdict, is_write: bool
    ) -> tuple[Outcome, str]:
        raise NotImplementedError

    def _secrets(self, walk: Walk) -> list[str]:
        raise NotImplementedError

    def _show(self, walk: Walk, op: Op, wire: Wire, page: Page) -> None:
        """Tell whoever watches."""
        raise NotImplementedError

    def hang_up(self, client: Client, *, ended: bool = False) -> None:
        """Close the client's streams; `ended` says that its session is over."""
        for ear in client.ears.values():
            ear.stream.close()
        client.ears.clear()
        if ended:
            self._diary.forget(client.session)

    def _listen(self, walk: Walk, step: PreparedStep, judged: bool) -> tuple[Op, bool]:
        """Listen for the call's value; without one only see to it that the client is subscribed."""
        call, client = walk.call, walk.client
        ear = client.ears.get(call.promise)
        if ear is None or not (call.value or ear.stream.alive):
            self._drop(client, call.promise)
            op, ear = self._subscribe(walk, step)
            if ear is None or not call.value:
                return op, ear is not None
        elif not call.value:
            now_ns = self._clock.now_ns()
            op = begun(walk, "", 0, ear.via, False, now_ns)
            return op._replace(done_ns=now_ns, outcome=_OK, status=ear.status, incarnation=ear.incarnation), True
        return self._hear(walk, step, ear), judged

    def _subscribe(self, walk: Walk, step: PreparedStep) -> tuple[Op, Ear | None]:
        """Open the stream, and wait for the word that one is subscribed where the plan says one."""
        op, stream, wire = self._open(walk, step)
        if op.outcome != _OK:
            if op.outcome != _DROPPED:
                self._record(walk, op, wire, stream.answer, Outcome.UNRECOGNISED, op.error, op.excerpt)
            stream.close()
            return op, None
        ear = Ear(stream, op.via, op.incarnation, wire)
        if step.expect.expect is not None:
            hearing = self._hearing(walk, step, ear)
            if not hearing.ready(lambda answer: step.expect.holds(Page(answer), walk.names, step.read(Page(answer)))):
                outcome = Outcome.UNRECOGNISED if stream.alive else Outcome.DROPPED
                why = f"no ready message within {self._within_s[walk.call.promise]:g} s" if stream.alive else "it ended"
                stream.close()
                return self._record(walk, op, wire, stream.answer, outcome, why, why), None
        walk.client.ears[walk.call.promise] = ear
        return op, ear

    def _open(self, walk: Walk, step: PreparedStep) -> tuple[Op, Stream, Wire]:
        """Attempts until one was sent or nobody else can take it, as with any request."""
        if not isinstance(self._transport, Streams):
            raise PlanError(f"this transport opens no {step.stream} streams", hint="use another engine, docker say")
        router = walk.client.listens or walk.router
        compiled, attempt = compiled_for(step, walk.actor), 0
        while True:
            rid = self._rids()
            via, address = router.pick(attempt)
            wire = compiled.wire(walk.names, walk.actor.jar, rid)
            op = begun(walk, rid, attempt, via, False, self._clock.now_ns())
            self._journal.invoke(op)
            stream = self._transport.open(address, wire, step.stream)
            page = Page(stream.answer, walk.actor.jar)
            walk.actor.jar.absorb(wire.path, stream.answer.header_all("set-cookie"))
            op = self._opened(walk, step, page, op, stream)
            self._journal.done(op)
            self._show(walk, op, wire, page)
            attempt += 1
            if stream.answer.sent or not router.another(attempt):
                walk.intended_ns = op.done_ns
                return op, stream, wire

    def _opened(self, walk: Walk, step: PreparedStep, page: Page, op: Op, stream: Stream) -> Op:
        """Granted, or what the answer says of a refusal."""
        answer = page.answer
        incarnation = self._naming.of(page.headers, op.sent_ns) if op.via == "lb" else op.via
        if stream.alive:
            return op._replace(done_ns=answer.done_ns, outcome=_OK, status=answer.status, incarnation=incarnation)
        outcome, why = self._outcome(walk, step, page, Verdict(), False)
        if outcome is not Outcome.DROPPED:
            outcome, why = Outcome.UNRECOGNISED, f"{step.stream} refused: status {answer.status}"
        text = self.masker.excerpt(answer, page.shown, self._secrets(walk))
        return op._replace(
            done_ns=answer.done_ns,
            outcome=outcome.value,
            status=answer.status,
            error=why,
            incarnation=incarnation,
            excerpt=f"{why}: {text}" if outcome is Outcome.UNRECOGNISED else text,
        )

    def _hear(self, walk: Walk, step: PreparedStep, ear: Ear) -> Op:
        call = walk.call
        published = self._diary.find(walk.client.session, call.promise, call.value)
        now_ns = self._clock.now_ns()
        # One who has listened since before it was sent has listened from then on.
        listened = published is not None and ear.opened_ns <= published.sent_ns
        sent_ns = published.sent_ns if published is not None and listened else now_ns
        attempt = begun(walk, self._rids(), 0, ear.via, True, sent_ns)
        self._journal.invoke(attempt)
        told = self._hearing(walk, step, ear).hear(call.value, walk.client.session, published)
        ended = told.outcome in (Outcome.DROPPED, Outcome.UNRECOGNISED)
        op = attempt._replace(
            done_ns=self._clock.now_ns(),
            outcome=told.outcome.value,
            status=0 if told.outcome is Outcome.DROPPED else ear.status,
            error=told.why,
            incarnation=ear.incarnation if told.claims else "",
            seen=told.heard.text(),
            excerpt=f"{told.why}, subscribed on {ear.incarnation or ear.via}" if told.why else "",
        )
        if ended:
            self._drop(walk.client, call.promise)
        answer = ear.stream.answer._replace(headers=(), body="\n".join(told.texts).encode("utf-8", "replace"))
        return self._finish(walk, op, ear.wire, answer)

    def _hearing(self, walk: Walk, step: PreparedStep, ear: Ear) -> Hearing:
        within_s = self._within_s[walk.call.promise]
        return Hearing(ear, self._clock, within_s, lambda answer: step.read(Page(answer)))

    def _record(
        self, walk: Walk, opened: Op, wire: Wire, answer: Answer, outcome: Outcome, why: str, excerpt: str
    ) -> Op:
        """Judged: this subscription shows nothing."""
        attempt = begun(walk, self._rids(), 0, opened.via, True, opened.done_ns)
        self._journal.invoke(attempt)
        status = 0 if outcome is Outcome.DROPPED else opened.status
        op = attempt._replace(
            done_ns=max(self._clock.now_ns(), opened.done_ns),
            outcome=outcome.value,
            status=status,
            error=why,
            excerpt=excerpt,
        )
        return self._finish(walk, op, wire, answer)

    def _finish(self, walk: Walk, op: Op, wire: Wire, answer: Answer) -> Op:
        self._journal.done(op)
        walk.intended_ns = op.done_ns
        self._show(walk, op, wire, Page(answer))
        return op

    @staticmethod
    def _drop(client: Client, promise: str) -> None:
        ear = client.ears.pop(promise, None)
        if ear is not None:
            ear.stream.close()
