"""Does one action of one promise: its requests in order, each recorded before it is sent, the last one judged."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from chaoscheck.model.clock import Clock
from chaoscheck.model.ops import Lane, Op, Outcome
from chaoscheck.model.secrecy import names_secret
from chaoscheck.model.wire import BALANCER_HEADER
from chaoscheck.plan.plan import Target
from chaoscheck.plan.steps import Promise
from chaoscheck.steps.base import Transport, Trouble, Wire
from chaoscheck.steps.calls import Call, Done, Journal, Router
from chaoscheck.steps.classify import Seen, classify
from chaoscheck.steps.client import Client
from chaoscheck.steps.confidential import literal_passwords
from chaoscheck.steps.forms import NoForm, encode, find_form
from chaoscheck.steps.listen import WITHIN_S, Diary, Published
from chaoscheck.steps.listening import Listening
from chaoscheck.steps.mask import Masker, looks_secret
from chaoscheck.steps.naming import Naming
from chaoscheck.steps.prepared import PreparedStep, Verdict, prepare
from chaoscheck.steps.read import Page
from chaoscheck.steps.render import CompiledStep, Origin
from chaoscheck.steps.walk import Walk, begun, compiled_for

WRONG_USER = "wrong user"
_OPEN_NAMES = frozenset({"user", "value", "obj", "session"})
# Read once: asking an enum member for its value costs more than all of a comparison, four times a request.
_OK, _FAIL, _UNKNOWN, _DROPPED = Outcome.OK.value, Outcome.FAIL.value, Outcome.UNKNOWN.value, Outcome.DROPPED.value
_LANES = {lane: lane.value for lane in Lane}
_SHOWN = 100_000
"""Bytes of a body, or characters of an answer, that whoever watches is shown."""
_BALANCER = BALANCER_HEADER.lower()


class Exchange(NamedTuple):
    """One attempt as it may be shown: secrets are masked in all of it. `names` are those that any plan may use."""

    op: Op
    wire: Wire
    headers: tuple[tuple[str, str], ...]
    text: str
    taken: Mapping[str, str]
    names: Mapping[str, str] = MappingProxyType({})


class Performer(Listening):
    """Performs actions for any number of clients, one at a time each.

    `origin` is the URL that clients believe they opened, unless the target has a public one; their jars have the same
    (`self.origin.url`). `rids` makes a new request id at each call. `secrets` are masked in what is recorded.
    `gone_by_expect` holds the promises whose `see` the controls saw unmet where it had to be; it is asked each time.
    `other_user` finds another run user's name in a text. `watch` is told of every attempt. `Router.pick` is asked once
    an attempt, in the order in which they are sent; attempt 0 begins a new request.
    """

    def __init__(
        self,
        promises: Mapping[str, Promise],
        target: Target,
        origin: str,
        transport: Transport,
        journal: Journal,
        clock: Clock,
        rids: Callable[[], str],
        secrets: Iterable[str] = (),
        *,
        timeout_s: float = 10.0,
        gone_by_expect: Container[str] = frozenset(),
        other_user: Callable[[str], str | None] | None = None,
        watch: Callable[[Exchange], None] | None = None,
        naming: Naming | None = None,
    ) -> None:
        origin = target.public_url or origin
        self.origin = Origin(
            url=origin, forwarded=origin.partition(":")[0] if target.public_url else "", extra=target.headers
        )
        self.masker = Masker([*secrets, *literal_passwords(promises, target)])
        self._promises = prepare(promises, self.origin, timeout_s, target.auth)
        self._session_names = frozenset[str]().union(
            *(each.takes for each in self._promises.values() if each.is_session)
        )
        self._secret_names = frozenset[str]().union(*(each.secrets for each in self._promises.values()))
        self._transport = transport
        self._journal = journal
        self._clock = clock
        self._rids = rids
        self._gone_by_expect = gone_by_expect
        self._other_user = other_user
        self._watch = watch
        self._naming = naming or Naming()
        self._within_s = {name: WITHIN_S if each.within is None else each.within for name, each in promises.items()}
        self._diary = Diary()

    def perform(self, call: Call, client: Client, router: Router) -> Done:
        """Run the action's steps; stop at the first that prepares and doesn't meet its `expect`."""
        promise = self._promises[call.promise]
        steps = promise.action(call.action)
        if promise.listens and call.action == "see" and call.promise in client.ears:
            steps = steps[-1:]  # Whoever is subscribed needs no more of what prepares it.
        walk = Walk(call, client, router, promise)
        last = steps[-1]
        for step in steps:
            self._enter(walk, step)
            attempt = self._listen if step.stream else self._submit if step.is_submit else self._plain
            op, reached = attempt(walk, step, step is last)
            if op.outcome != _OK:
                break
        if reached:
            self._remember(walk, op)
        if promise.listens and call.action == "do":
            self._diary.note(
                client.session,
                call.promise,
                call.value,
                Published(op.sent_ns, op.done_ns if reached and op.outcome == _OK else -1),
            )
        return Done(op=op, reached=reached, taken=walk.taken)

    def _enter(self, walk: Walk, step: PreparedStep) -> None:
        call, client = walk.call, walk.client
        if step.is_guest:
            walk.guest = walk.guest or self._guest(client)
        walk.actor = walk.guest if step.is_guest and walk.guest is not None else client
        own = client.objects.get((call.promise, call.obj)) if client.objects else None
        walk.names = {
            **walk.actor.names,
            **(own or {}),
            **walk.taken,
            "value": call.value,
            "obj": call.obj,
            "session": client.session,
        }

    def _guest(self, client: Client) -> Client:
        guest = client.guest()
        for name in self._session_names:
            guest.names.pop(name, None)
        guest.logged_in = False
        return guest

    def _plain(self, walk: Walk, step: PreparedStep, judged: bool) -> tuple[Op, bool]:
        compiled = compiled_for(step, walk.actor)

        def make(rid: str) -> Wire:
            return compiled.wire(walk.names, walk.actor.jar, rid)

        op, _ = self._request(walk, step, make, judged)
        return op, judged

    def _submit(self, walk: Walk, step: PreparedStep, judged: bool) -> tuple[Op, bool]:
        compiled = compiled_for(step, walk.actor)
        typed = compiled.fields(walk.names)
        files = compiled.files(walk.names)
        posts: list[Callable[[str], Wire]] = []

        def fetch(rid: str) -> Wire:
            return compiled.wire(walk.names, walk.actor.jar, rid)

        def check(page: Page) -> str:
            url = self.origin.url + compiled.path(walk.names)
            try:
                form = find_form(page, url, [*typed, *(file.field for file in files)])
            except NoForm as error:
                return str(error)
            posts.append(
                lambda rid: _post(
                    compiled, walk, encode(form, typed, "chaoscheck-" + rid, files), form.method, url, rid
                )
            )
            return ""

        op, _ = self._request(walk, step, fetch, False, check)
        if not posts:
            return op, False
        op, _ = self._request(walk, step, posts[0], judged)
        return op, judged

    def _request(
        self,
        walk: Walk,
        step: PreparedStep,
        make: Callable[[str], Wire],
        judged: bool,
        check: Callable[[Page], str] | None = None,
    ) -> tuple[Op, Page]:
        """Attempts until one was sent or nobody else can take it; the last one's op and answer."""
        attempt = 0
        while True:
            rid = self._rids()
            via, address = walk.router.pick(attempt)
            wire = make(rid)
            sent_ns = self._clock.now_ns()
            self._journal.invoke(begun(walk, rid, attempt, via, judged, sent_ns))
            answer = self._transport.send(address, wire, fresh=walk.call.fresh)
            page = Page(answer, walk.actor.jar)
            if "set-cookie" in page.headers:
                walk.replaced = walk.actor.jar.values()
                walk.actor.jar.absorb(wire.path, answer.header_all("set-cookie"))
            op = self._judged(walk, step, page, begun(walk, rid, attempt, via, judged, sent_ns), check)
            self._journal.done(op)
            self._show(walk, op, wire, page)
            attempt += 1
            if answer.sent or not walk.router.another(attempt):
                walk.intended_ns = op.done_ns
                return op, page

    def _judged(self, walk: Walk, step: PreparedStep, page: Page, op: Op, check: Callable[[Page], str] | None) -> Op:
        answer = page.answer
        verdict = step.judge(page, walk.names) if check is None else _form_verdict(page, check)
        if verdict.meets:
            walk.taken |= verdict.takes
        outcome, why = self._outcome(walk, step, page, verdict, op.is_write)
        seen = self._seen(walk, verdict) if outcome is Outcome.OK and not op.is_write else ""
        error = ""
        if outcome is not Outcome.OK:
            # `why` is a word of our own, by which others tell what came of it.
            error = f"{why}: {self.masker.text(verdict.unmet, self._secrets(walk))}" if verdict.unmet else why
            other = self._someone_else(walk, step, page, verdict, op)
            if other is not None:
                outcome, error, seen = Outcome.GONE, WRONG_USER, other
        excerpt = "" if outcome is Outcome.OK else self.masker.excerpt(answer, _text(page), self._secrets(walk))
        incarnation = self._naming.of(page.headers, op.sent_ns) if op.via == "lb" else op.via
        return Op(*op[:13], answer.done_ns, outcome.value, answer.status, error, incarnation, seen, excerpt)

    def _outcome(
        self, walk: Walk, step: PreparedStep, page: Page, verdict: Verdict, is_write: bool
    ) -> tuple[Outcome, str]:
        if verdict.meets and page.answer.status < 400:
            return Outcome.OK, ""
        answer = page.answer
        outcome, row = classify(
            Seen(
                status=answer.status,
                trouble=answer.trouble,
                sent=answer.sent,
                meets=verdict.meets,
                refused=verdict.refused,
                gone=verdict.gone,
                gone_said=step.gone_said,
                pending=verdict.pending,
                to_login=verdict.to_login,
                not_forwarded=answer.status == 503 and page.headers.get(_BALANCER, "").lower() == "none",
                can_be_gone=walk.call.promise in self._gone_by_expect,
            ),
            is_write=is_write,
        )
        return outcome, answer.trouble.value or row.name

    def _seen(self, walk: Walk, verdict: Verdict) -> str:
        if verdict.read is None and walk.promise.is_session:
            return walk.names.get("user", "")
        return verdict.read or ""

    def _someone_else(self, walk: Walk, step: PreparedStep, page: Page, verdict: Verdict, op: Op) -> str | None:
        """The other user whom this answer takes the client for, if the same words hold of that one."""
        if self._other_user is None or op.is_write or not op.judged or not page.complete:
            return None
        if verdict.read is None and step.reads:
            return None  # Another's name elsewhere on the page isn't who this client is taken for.
        other = self._other_user(verdict.read if verdict.read is not None else page.text)
        if other is None or other == walk.names.get("user"):
            return None
        return other if step.expect.holds(page, {**walk.names, "user": other}, verdict.read) else None

    def _remember(self, walk: Walk, op: Op) -> None:
        call, client = walk.call, walk.client
        if walk.taken and op.outcome == _UNKNOWN and call.action == "do" and not walk.promise.is_session:
            # What it may have written can be asked for only by the names that the steps before it took.
            client.objects.setdefault((call.promise, call.obj), dict(walk.taken))
        if walk.taken and op.outcome == _OK:
            # What identifies the session is the login's own to change, however others name what they take.
            kept = frozenset() if walk.promise.is_session else self._session_names
            client.names |= {name: text for name, text in walk.taken.items() if name not in kept}
            if call.action == "do" and not walk.promise.is_session:
                # A client that makes many objects must see each by the names that this one gave.
                client.objects[call.promise, call.obj] = dict(walk.taken)
        if walk.promise.is_session:
            if call.action == "do" and op.outcome == _OK:
                client.logged_in = True
            elif call.action == "undo" and op.outcome != _FAIL:
                client.logged_in = False

    def _secrets(self, walk: Walk) -> list[str]:
        known = {**walk.client.names, **walk.names, **walk.taken}
        open_texts = {known.get(name) for name in _OPEN_NAMES}
        named = [
            text
            for name, text in known.items()
            if name not in _OPEN_NAMES
            and (name in self._secret_names or names_secret(name) or (looks_secret(text) and text not in open_texts))
        ]
        return [*walk.actor.jar.values(), *walk.replaced, *named]

    def _show(self, walk: Walk, op: Op, wire: Wire, page: Page) -> None:
        if self._watch is not None:
            self._watch(self._exchange(walk, op, wire, page))

    def _exchange(self, walk: Walk, op: Op, wire: Wire, page: Page) -> Exchange:
        also = self._secrets(walk)
        masker = self.masker
        return Exchange(
            op=op,
            wire=masker.wire(wire._replace(body=wire.body[:_SHOWN]), also),
            headers=masker.headers(page.answer.headers),
            text=masker.text(_text(page)[:_SHOWN], also),
            taken={name: masker.text(text, also) for name, text in walk.taken.items()},
            names={name: masker.text(walk.names[name], also) for name in _OPEN_NAMES & walk.names.keys()},
        )


def _form_verdict(page: Page, check: Callable[[Page], str]) -> Verdict:
    verdict = Verdict()
    if page.complete:
        status = page.answer.status
        verdict.unmet = check(page) if 200 <= status < 300 else f"status {status}, expected the page of a form"
        verdict.meets = not verdict.unmet
    return verdict


def _post(
    compiled: CompiledStep, walk: Walk, encoded: tuple[str, bytes, str], method: str, page_url: str, rid: str
) -> Wire:
    """The request that submits a form: the step's headers, and those that a browser adds to a form's post."""
    path, body, content_type = encoded
    replaced = {"content-type", "origin", "referer"}
    headers = [
        pair for pair in compiled.headers(walk.names, walk.actor.jar, path, rid) if pair[0].lower() not in replaced
    ]
    headers.append(("Referer", page_url))
    if method == "POST":
        headers += [("Origin", compiled.origin.url), ("Content-Type", content_type)]
    return Wire(method, path, tuple(headers), body, compiled.timeout_s)


def _text(page: Page) -> str:
    return page.shown if page.answer.trouble is not Trouble.GARBAGE else ""
