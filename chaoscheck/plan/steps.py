"""Sections of the plan that say what a client sends and what it expects: steps, actions, promises."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chaoscheck.plan.units import Seconds

METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "submit")


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
    """One request; its method is a key. `submit` fetches a form and posts it with its hidden fields and your `form`."""

    get: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    delete: str | None = None
    head: str | None = None
    options: str | None = None
    submit: str | None = None
    json_: Any = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    body: str | None = None
    headers: dict[str, str] = {}
    auth: Auth | None = None
    as_: Literal["self", "guest"] = Field(default="self", alias="as")
    expect: Expectation | None = None
    refused: Expectation | None = None
    gone: Expectation | None = None
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
    return raw if isinstance(raw, list | tuple) else [raw]


Action = Annotated[
    tuple[Step, ...], BeforeValidator(_listed, json_schema_input_type=Step | tuple[Step, ...]), Field(min_length=1)
]


class Promise(Section):
    """What the service promises its users: how to bring it about (`do`), to see it, and to end it (`undo`)."""

    kind: str
    do: Action
    see: Action
    undo: Action | None = None
    of: Literal["session", "account", "value"] | None = None
    as_: Literal["self", "guest"] = Field(default="self", alias="as")
    survives: tuple[str, ...] = ("another-instance", "kill")

    def action(self, name: str) -> tuple[Step, ...]:
        """The steps of do, see or undo; empty when there are none."""
        return {"do": self.do, "see": self.see, "undo": self.undo or ()}[name]
