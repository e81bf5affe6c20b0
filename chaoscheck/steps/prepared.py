"""Actions of promises made ready once: templates, readers and expectations of every step."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from chaoscheck.errors import PlanError
from chaoscheck.model.ops import READS
from chaoscheck.plan.steps import ACTIONS, Expect, Promise, Step
from chaoscheck.registry import nearest
from chaoscheck.steps.base import EVENTS, WEBSOCKET
from chaoscheck.steps.blob import DEFAULT_SIZE, carries_file, read_back
from chaoscheck.steps.classify import redirects_to_login
from chaoscheck.steps.read import Expectation, Page, Reader
from chaoscheck.steps.render import (
    CompiledStep,
    Origin,
    default_auth,
    default_headers,
    names_needed,
    names_of_secrets,
    names_taken,
)
from chaoscheck.steps.template import Template

GIVEN_NAMES = frozenset({"user", "password", "value", "obj", "session"})
SUCCESS = frozenset(range(200, 300))
TOO_MANY = Expect(status=429)
SUCCESS_OR_REDIRECT = frozenset(range(200, 400))
_TELLABLE = frozenset(range(200, 500))
_SPARE = 100_000
"""Bytes of a file beyond its length that are looked at."""

Place = Callable[..., str]
"""Keys of the plan -> `file:line`, or "" where that isn't known."""


def nowhere(*keys: str) -> str:
    """For plans that were checked before."""
    return ""


class Verdict:
    """What a step's words say of one answer."""

    __slots__ = ("gone", "meets", "pending", "read", "refused", "takes", "to_login", "unmet")

    def __init__(self) -> None:
        self.meets = self.refused = self.gone = self.pending = self.to_login = False
        self.read: str | None = None
        self.takes: dict[str, str] = {}
        self.unmet = ""


class PreparedStep:
    """One step: how to send it, and how to read its answer.

    `plain` as it is, `logged_in` with the session's headers, both with the plan's credentials; `bare` with neither.
    `size` is the length of the file that it sends, `reads_file` says that its answer is such a file, `refused` what a
    refusal is where the step doesn't say.
    """

    __slots__ = (
        "_gone",
        "_length",
        "_must_read",
        "_pending",
        "_redirects_ok",
        "_refused",
        "_takes",
        "_value",
        "_values",
        "bare",
        "expect",
        "gone_said",
        "is_guest",
        "is_submit",
        "logged_in",
        "plain",
        "stream",
    )

    def __init__(
        self,
        step: Step,
        *,
        is_write: bool,
        origin: Origin,
        session_headers: Mapping[str, str],
        auth: str | None,
        timeout_s: float,
        place: Place = nowhere,
        size: int = DEFAULT_SIZE,
        reads_file: bool = False,
        refused: Expect | None = None,
    ) -> None:
        self.bare = CompiledStep(step, origin, timeout_s=timeout_s, size=size)
        self.plain = CompiledStep(step, origin, auth=auth, timeout_s=timeout_s, size=size) if auth else self.bare
        self.logged_in = (
            CompiledStep(step, origin, defaults=session_headers, auth=auth, timeout_s=timeout_s, size=size)
            if session_headers
            else self.plain
        )
        with _at(place, "expect"):
            self.expect = Expectation(step.expect, SUCCESS_OR_REDIRECT if is_write else SUCCESS)
        with _at(place, "refused"):
            says = step.refused or refused
            self._refused = Expectation(says, _TELLABLE) if says is not None else None
        with _at(place, "gone"):
            self._gone = Expectation(step.gone, _TELLABLE) if step.gone is not None else None
        with _at(place, "pending"):
            self._pending = Expectation(step.pending, _TELLABLE) if step.pending is not None else None
        with _at(place, "value"):
            self._value = Reader(step.value) if step.value is not None else None
        with _at(place, "values"):
            self._values = Reader(step.values) if step.values is not None else None
        self._must_read = (self._values or self._value) if not is_write else None
        with _at(place, "take"):
            self._takes = tuple((name, Reader(text)) for name, text in step.take.items())
        self._length = size if reads_file else None
        self._redirects_ok = self.expect.says_status
        self.gone_said = step.gone is not None
        self.is_guest = step.as_ == "guest"
        self.is_submit = step.method == "submit"
        self.stream = step.method if step.method in (WEBSOCKET, EVENTS) else ""

    def judge(self, page: Page, names: Mapping[str, str]) -> Verdict:
        """What the step's words say of a whole answer; of one that isn't, nothing."""
        verdict = Verdict()
        if not page.complete:
            return verdict
        verdict.read = self.read(page)
        answer = page.answer
        if 300 <= answer.status < 400:
            verdict.to_login = redirects_to_login(answer.status, page.headers.get("location", ""))
        # Asked first: an answer that says "not yet" often meets a plain `expect: 200` as well.
        verdict.pending = self._pending is not None and self._pending.holds(page, names, verdict.read)
        verdict.unmet = (
            ("not done yet" if verdict.pending else "")
            or self.expect.unmet(page, names, verdict.read)
            or self._login_page(verdict)
            or self._nothing_read(page, verdict.read)
            or self._take(page, verdict)
        )
        verdict.meets = not verdict.unmet
        if not verdict.meets:
            verdict.refused = self._refused is not None and self._refused.holds(page, names, verdict.read)
            verdict.gone = self._gone is not None and self._gone.holds(page, names, verdict.read)
        return verdict

    def read(self, page: Page) -> str | None:
        """What `value` reads, `values` as a JSON list, or whose file it is; None when there is nothing to read."""
        if self._length is not None:
            body = page.raw(self._length + _SPARE) if 200 <= page.answer.status < 300 else None
            return read_back(body, self._length) if body is not None else None
        if self._values is not None:
            return json.dumps(self._values.all(page), separators=(",", ":"))
        return self._value.first(page) if self._value is not None else None

    @property
    def reads(self) -> bool:
        """Whether the plan says what to read from its answer."""
        return self._value is not None or self._values is not None

    def _nothing_read(self, page: Page, read: str | None) -> str:
        # An answer in which a read finds nothing must not pass for one that was seen.
        reader = self._must_read
        if reader is None or (read is not None and read != "[]") or reader.there(page):
            return ""
        return f"read nothing at {reader.text}"

    def _login_page(self, verdict: Verdict) -> str:
        # A write without an expected status takes any redirect for success, but this one says the opposite.
        return "a redirect to a login page" if verdict.to_login and not self._redirects_ok else ""

    def _take(self, page: Page, verdict: Verdict) -> str:
        for name, reader in self._takes:
            text = reader.first(page)
            if text is None:
                return f"nothing at {reader.text} to take as {name}"
            verdict.takes[name] = text
        return ""


class PreparedPromise:
    """A promise's actions. `takes` are the names that its steps take, `secrets` those that they send as credentials;
    `listens` says that what is done is seen on a stream."""

    __slots__ = ("_actions", "is_session", "listens", "name", "secrets", "takes")

    def __init__(
        self,
        name: str,
        promise: Promise,
        *,
        origin: Origin,
        session_headers: Mapping[str, str],
        auth: str | None,
        timeout_s: float,
        place: Place = nowhere,
    ) -> None:
        self.name = name
        self.is_session = promise.kind == "session"
        self.listens = any(step.method in (WEBSOCKET, EVENTS) for step in promise.see)
        steps = {action: promise.action(action) for action in ACTIONS}
        every = [step for action in steps.values() for step in action]
        uploads = any(carries_file(step) for step in promise.do)
        self.takes = names_taken(every)
        self.secrets = frozenset[str]().union(*(names_of_secrets(step, auth) for step in every))
        self._actions = {
            action: tuple(
                PreparedStep(
                    step,
                    is_write=action not in READS,
                    origin=origin,
                    timeout_s=timeout_s,
                    # Whoever logs in says so in full: there is nothing to repeat yet.
                    session_headers={} if self.is_session and action == "do" else session_headers,
                    auth=default_auth(promise, action, auth),
                    place=partial(place, "promises", name, action, str(number)),
                    size=promise.size or DEFAULT_SIZE,
                    # What a promise uploads, the last step of its `see` downloads, unless the plan says what to read.
                    reads_file=uploads and action == "see" and step is parts[-1] and not (step.value or step.values),
                    # What is over an allowance is refused so, unless the plan says how.
                    refused=TOO_MANY if promise.allow is not None and action == "do" and step is parts[-1] else None,
                )
                for number, step in enumerate(parts)
            )
            for action, parts in steps.items()
        }

    def action(self, name: str) -> tuple[PreparedStep, ...]:
        """The steps of do, see, undo or ledger. PlanError when the promise has no such action."""
        steps = self._actions[name]
        if not steps:
            raise PlanError(f"promise '{self.name}' has no {name}", hint=f"add `{name}:` to it")
        return steps


def prepare(
    promises: Mapping[str, Promise], origin: Origin, timeout_s: float, auth: str | None = None, place: Place = nowhere
) -> dict[str, PreparedPromise]:
    """Every promise made ready; `auth` is the target's. PlanError, with place, for what can't be read or matched."""
    login = next((promise for promise in promises.values() if promise.kind == "session"), None)
    headers = default_headers(login)
    prepared: dict[str, PreparedPromise] = {}
    for name, promise in promises.items():
        try:
            prepared[name] = PreparedPromise(
                name, promise, origin=origin, session_headers=headers, auth=auth, timeout_s=timeout_s, place=place
            )
        except PlanError as error:
            raise PlanError(f"promise '{name}': {error.message}", place=error.place, hint=error.hint) from None
    return prepared


def check_names(
    promises: Mapping[str, Promise], known: Iterable[str] = (), auth: str | None = None, place: Place = nowhere
) -> None:
    """PlanError for a `$name` that nothing sets: not given (user, password, value, ..., `known`), taken by no step.

    `auth` are the target's credentials.
    """
    steps = [(name, action, part) for name, promise in promises.items() for action, part in promise.actions.items()]
    have = GIVEN_NAMES | names_taken([step for *_, part in steps for step in part]) | set(known)
    for unset in sorted(Template(auth or "").needs - have):
        raise PlanError(
            f"target.auth uses ${unset}, which nothing sets", hint=nearest(unset, have), place=place("target", "auth")
        )
    for name, promise in promises.items():
        for unset in sorted(frozenset[str]().union(*(Template(word).needs for word in promise.personal or ())) - have):
            raise PlanError(
                f"promise '{name}': personal uses ${unset}, which nothing sets",
                hint=nearest(unset, have),
                place=place("promises", name, "personal"),
            )
    for name, action, part in steps:
        for number, step in enumerate(part):
            keys = ("promises", name, action, str(number))
            with _at(place, *keys):
                needed = names_needed(step)
            for unset in sorted(needed - have):
                raise PlanError(
                    f"promise '{name}': {action} of {step.path} uses ${unset}, which nothing sets",
                    hint=nearest(unset, have),
                    place=place(*keys, _key_with(step, unset)),
                )


def _key_with(step: Step, name: str) -> str:
    """The key of the step whose text mentions that name."""
    said = step.model_dump(by_alias=True, exclude_unset=True)
    words = re.compile(rf"\$({name}\b|{{{name}}})")
    return next((key for key, value in said.items() if words.search(str(value))), "")


@contextmanager
def _at(place: Place, *keys: str) -> Iterator[None]:
    """What is wrong in there stands at those keys of the plan."""
    try:
        yield
    except PlanError as error:
        raise PlanError(error.message, hint=error.hint, place=error.place or place(*keys)) from None
