"""Sections of the plan that say what a client sends and what it expects: steps, actions, promises."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chaoscheck.model.allowance import Bound
from chaoscheck.model.clock import NS
from chaoscheck.plan.units import Seconds, Size, seconds

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "submit", "websocket", "events")
ACTIONS = ("do", "see", "undo", "ledger")


class Section(BaseModel):
    """A part of the plan: frozen, and it refuses keys it doesn't know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Expect(Section):
    """What an answer must look like: every key that is set must hold.

    `status` one or several codes; `text` is part of the body; `match` a regular expression found in it; `value` equals
    what the step's `value` read (as text); `header` names to regular expressions.
    """

    status: int | tuple[int, ...] | None = None
    text: str | None = None
    match: str | None = None
    value: str | None = None
    header: dict[str, str] = {}

    @property
    def statuses(self) -> tuple[int, ...]:
        """The codes that are allowed; empty when none is said."""
        if self.status is None:
            return ()
        return (self.status,) if isinstance(self.status, int) else self.status


def _expectation(raw: Any) -> Any:
    if isinstance(raw, bool):
        raise ValueError("write a status (200), a text, or a mapping of status, text, match, value, header")
    if isinstance(raw, int | list):
        return {"status": raw}
    return {"text": raw} if isinstance(raw, str) else raw


Expectation = Annotated[
    Expect, BeforeValidator(_expectation, json_schema_input_type=int | str | tuple[int, ...] | Expect)
]


def _credentials(raw: str) -> str:
    if ":" not in raw:
        raise ValueError('write auth as user:password, such as "$user:$password"')
    return raw


Auth = Annotated[str, AfterValidator(_credentials), Field(description="user:password, sent as HTTP Basic")]


class Step(Section):
    """One request; its method is a key. `submit` fetches a form and posts it with its hidden fields and your `form`.

    `upload` names the file part of a multipart body (`form` holds its other fields); `websocket` and `events` open a
    stream that a channel listens to. `pending` is what "not yet" looks like, as `gone` is what absence does.
    """

    get: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    delete: str | None = None
    head: str | None = None
    options: str | None = None
    submit: str | None = None
    websocket: str | None = None
    events: str | None = None
    json_: Any = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    body: str | None = None
    upload: str | None = None
    headers: dict[str, str] = {}
    auth: Auth | None = None
    as_: Literal["self", "guest"] = Field(default="self", alias="as")
    expect: Expectation | None = None
    refused: Expectation | None = None
    gone: Expectation | None = None
    pending: Expectation | None = None
    take: dict[str, str] = {}
    value: str | None = None
    values: str | None = None
    timeout: Seconds | None = None

    @model_validator(mode="after")
    def _one_method(self) -> Step:
        named = [method for method in METHODS if getattr(self, method) is not None]
        if len(named) != 1:
            has = " and ".join(named) or "none"
            raise ValueError(f"a step has exactly one of {', '.join(METHODS)}; this one has {has}")
        if sum(part is not None for part in (self.json_, self.form, self.body)) > 1:
            raise ValueError("a step has at most one of json, form, body")
        if self.upload is not None and (self.json_ is not None or self.body is not None):
            raise ValueError("upload sends a multipart body: beside it only form is possible")
        if self.expect is not None and self.expect.value is not None and self.value is None:
            raise ValueError('expect.value needs the step to say what to read: value: "json:..."')
        return self

    @property
    def method(self) -> str:
        """The method's key, lower case: get, post, ..., submit."""
        return next(method for method in METHODS if getattr(self, method) is not None)

    @property
    def path(self) -> str:
        """The path template."""
        return str(getattr(self, self.method))


def _listed(raw: Any) -> Any:
    return [] if raw is None else raw if isinstance(raw, list | tuple) else [raw]


Action = Annotated[tuple[Step, ...], BeforeValidator(_listed, json_schema_input_type=Step | tuple[Step, ...])]
"""One step or a list; empty where the plan has none."""


_ALLOWANCE = re.compile(r"\s*(\d+)\s+per\s+(\S+)\s*")


class Allowance(Section):
    """So many requests in so many seconds."""

    count: Annotated[int, Field(ge=1)]
    per: Annotated[Seconds, Field(gt=0)]


def _allowance(raw: Any) -> Any:
    if not isinstance(raw, str):
        return raw
    found = _ALLOWANCE.fullmatch(raw)
    if not found:
        raise ValueError("write allow as '5 per 2s'")
    return {"count": int(found[1]), "per": seconds(found[2])}


DEADLINE_S = 10.0
"""Of a job, where the plan says none."""


class Promise(Section):
    """What the service promises its users: how to bring it about (`do`), to see it, and to end it (`undo`).

    What else it takes depends on its kind, which refuses the options of others: `size` of an upload; `deadline` and
    `ledger` of a job; `every` and `lock` of a schedule; `allow`, `window` and `burst` of a limit; `grace`, `max_size`
    and `personal` of a token; `within` of a channel.
    """

    kind: str
    do: Action = ()
    see: Action = ()
    undo: Action = ()
    ledger: Action = ()
    of: Literal["session", "account", "value"] | None = None
    as_: Literal["self", "guest"] = Field(default="self", alias="as")
    survives: tuple[str, ...] = ("another-instance", "kill")
    size: Annotated[Size, Field(ge=64, le=100_000_000)] | None = None
    deadline: Seconds | None = None
    every: Annotated[Seconds, Field(gt=0)] | None = None
    lock: Seconds | None = None
    allow: Annotated[Allowance, BeforeValidator(_allowance, json_schema_input_type=str | Allowance)] | None = None
    window: Literal["sliding", "fixed", "bucket"] | None = None
    burst: Annotated[int, Field(ge=1)] | None = None
    grace: Seconds | None = None
    max_size: Size | None = None
    personal: tuple[str, ...] | None = None
    within: Seconds | None = None

    def action(self, name: str) -> tuple[Step, ...]:
        """The steps of do, see, undo or ledger; empty when there are none."""
        return {"do": self.do, "see": self.see, "undo": self.undo, "ledger": self.ledger}[name]

    @property
    def actions(self) -> dict[str, tuple[Step, ...]]:
        """Those that have steps."""
        return {name: steps for name in ACTIONS if (steps := self.action(name))}

    @property
    def seen_by_guest(self) -> bool:
        """Whether a client without the session's credentials reads it."""
        return self.as_ == "guest" or (bool(self.see) and self.see[-1].as_ == "guest")

    @property
    def deadline_s(self) -> float:
        """By when a job has to be done, from its acknowledgement (s)."""
        return DEADLINE_S if self.deadline is None else self.deadline

    @property
    def bound(self) -> Bound | None:
        """What `allow` comes to. A fixed window forgives most, so it is meant where none is said."""
        if self.allow is None:
            return None
        return Bound(
            count=self.allow.count,
            per_ns=int(self.allow.per * NS),
            window=self.window or "fixed",
            burst=self.burst or self.allow.count,
        )

    @property
    def options(self) -> frozenset[str]:
        """The options that the plan sets here, of those that belong to one kind or another."""
        return frozenset(name for name in OPTIONS if getattr(self, name) is not None)


OPTIONS = (
    "size", "deadline", "every", "lock", "allow", "window", "burst", "grace", "max_size", "personal", "within",
)  # fmt: skip
