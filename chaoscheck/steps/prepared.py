"""Actions of promises made ready once: templates, readers and expectations of every step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from chaoscheck.errors import PlanError
from chaoscheck.plan.steps import Promise, Step
from chaoscheck.registry import nearest
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
SUCCESS_OR_REDIRECT = frozenset(range(200, 400))
_TELLABLE = frozenset(range(200, 500))


class Verdict:
    """What a step's words say of one answer."""

    __slots__ = ("gone", "meets", "read", "refused", "takes", "to_login", "unmet")

    def __init__(self) -> None:
        self.meets = self.refused = self.gone = self.to_login = False
        self.read: str | None = None
        self.takes: dict[str, str] = {}
        self.unmet = ""


class PreparedStep:
    """One step: how to send it, and how to read its answer.

    `plain` as it is, `logged_in` with the session's headers, both with the plan's credentials; `bare` with neither.
    """

    __slots__ = (
        "_gone",
        "_must_read",
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
    ) -> None:
        self.bare = CompiledStep(step, origin, timeout_s=timeout_s)
        self.plain = CompiledStep(step, origin, auth=auth, timeout_s=timeout_s) if auth else self.bare
        self.logged_in = (
            CompiledStep(step, origin, defaults=session_headers, auth=auth, timeout_s=timeout_s)
            if session_headers
            else self.plain
        )
        self.expect = Expectation(step.expect, SUCCESS_OR_REDIRECT if is_write else SUCCESS)
        self._refused = Expectation(step.refused, _TELLABLE) if step.refused is not None else None
        self._gone = Expectation(step.gone, _TELLABLE) if step.gone is not None else None
        self._value = Reader(step.value) if step.value is not None else None
        self._values = Reader(step.values) if step.values is not None else None
        self._must_read = (self._values or self._value) if not is_write else None
        self._takes = tuple((name, Reader(text)) for name, text in step.take.items())
        self._redirects_ok = self.expect.says_status
        self.gone_said = step.gone is not None
        self.is_guest = step.as_ == "guest"
        self.is_submit = step.method == "submit"

    def judge(self, page: Page, names: Mapping[str, str]) -> Verdict:
        """What the step's words say of a whole answer; of one that isn't, nothing."""
        verdict = Verdict()
        if not page.complete:
            return verdict
        verdict.read = self.read(page)
        answer = page.answer
        if 300 <= answer.status < 400:
            verdict.to_login = redirects_to_login(answer.status, page.headers.get("location", ""))
        verdict.unmet = (
            self.expect.unmet(page, names, verdict.read)
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
        """What `value` reads, or `values` as a JSON list; None when there is nothing to read."""
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
    """A promise's actions. `takes` are the names that its steps take, `secrets` those that they send as credentials."""

    __slots__ = ("_actions", "is_session", "name", "secrets", "takes")

    def __init__(
        self,
        name: str,
        promise: Promise,
        *,
        origin: Origin,
        session_headers: Mapping[str, str],
        auth: str | None,
        timeout_s: float,
    ) -> None:
        self.name = name
        self.is_session = promise.kind == "session"
        steps = {action: promise.action(action) for action in ("do", "see", "undo")}
        every = [step for action in steps.values() for step in action]
        self.takes = names_taken(every)
        self.secrets = frozenset[str]().union(*(names_of_secrets(step, auth) for step in every))
        self._actions = {
            action: tuple(
                PreparedStep(
                    step,
                    is_write=action != "see",
                    origin=origin,
                    timeout_s=timeout_s,
                    # Whoever logs in says so in full: there is nothing to repeat yet.
                    session_headers={} if self.is_session and action == "do" else session_headers,
                    auth=default_auth(promise, action, auth),
                )
                for step in parts
            )
            for action, parts in steps.items()
        }

    def action(self, name: str) -> tuple[PreparedStep, ...]:
        """The steps of do, see or undo. PlanError when the promise has no such action."""
        steps = self._actions[name]
        if not steps:
            raise PlanError(f"promise '{self.name}' has no {name}", hint=f"add `{name}:` to it")
        return steps


def prepare(
    promises: Mapping[str, Promise], origin: Origin, timeout_s: float, auth: str | None = None
) -> dict[str, PreparedPromise]:
    """Every promise made ready; `auth` is the target's. PlanError for what can't be read, matched or filled in."""
    login = next((promise for promise in promises.values() if promise.kind == "session"), None)
    headers = default_headers(login)
    prepared: dict[str, PreparedPromise] = {}
    for name, promise in promises.items():
        try:
            prepared[name] = PreparedPromise(
                name, promise, origin=origin, session_headers=headers, auth=auth, timeout_s=timeout_s
            )
        except PlanError as error:
            raise PlanError(f"promise '{name}': {error.message}", place=error.place, hint=error.hint) from None
    return prepared


def check_names(promises: Mapping[str, Promise], known: Iterable[str] = (), auth: str | None = None) -> None:
    """PlanError for a `$name` that nothing sets: not given (user, password, value, ..., `known`), taken by no step.

    `auth` are the target's credentials.
    """
    steps = [
        step for promise in promises.values() for action in ("do", "see", "undo") for step in promise.action(action)
    ]
    have = GIVEN_NAMES | names_taken(steps) | set(known)
    for unset in sorted(Template(auth or "").needs - have):
        raise PlanError(f"target.auth uses ${unset}, which nothing sets", hint=nearest(unset, have))
    for name, promise in promises.items():
        for action in ("do", "see", "undo"):
            for step in promise.action(action):
                for unset in sorted(names_needed(step) - have):
                    raise PlanError(
                        f"promise '{name}': {action} of {step.path} uses ${unset}, which nothing sets",
                        hint=nearest(unset, have),
                    )
