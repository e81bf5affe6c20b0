"""From a step of the plan and the names a client knows to a request."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus, urlsplit

from chaoscheck import __version__
from chaoscheck.model.wire import REQUEST_HEADER
from chaoscheck.plan.steps import Promise, Step
from chaoscheck.steps.base import EVENTS, WEBSOCKET, Wire
from chaoscheck.steps.blob import DEFAULT_SIZE, MEDIA_TYPE, content, file_name, is_raw
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.mask import carries_credentials
from chaoscheck.steps.multipart import FilePart, content_type, multipart
from chaoscheck.steps.template import Template

USER_AGENT = f"chaoscheck/{__version__}"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
BOUNDARY = "chaoscheck-part-Jx7PqVw2Zr"
_URL_SAFE = "/:?#[]@!$&'()*+,;=%~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What clients believe they opened. `forwarded` is X-Forwarded-Proto or ""; `extra` goes on every request."""

    url: str
    forwarded: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


class CompiledStep:
    """A step made ready for rendering. `defaults` (headers) and `auth` hold unless the step says otherwise.

    `size` is how long the file is that it sends, if it sends one, in bytes.
    """

    __slots__ = (
        "_auth",
        "_body",
        "_dynamic",
        "_fields",
        "_form",
        "_path",
        "_raw",
        "_size",
        "_static",
        "_whole",
        "method",
        "origin",
        "own_cookie",
        "step",
        "timeout_s",
    )

    def __init__(
        self,
        step: Step,
        origin: Origin,
        *,
        defaults: Mapping[str, str] | None = None,
        auth: str | None = None,
        timeout_s: float = 10.0,
        size: int = DEFAULT_SIZE,
    ) -> None:
        self.step = step
        self.origin = origin
        self.method = "GET" if step.method in ("submit", WEBSOCKET, EVENTS) else step.method.upper()
        self.timeout_s = step.timeout or timeout_s
        # A path that begins with a name is a whole address that was taken from an answer; elsewhere a name is a part.
        self._whole = step.path.startswith("$")
        of_value = _quote_address if self._whole else _quote_part
        self._path = Template(step.path, of_value=of_value, of_literal=_quote_address)
        self._fields = [(Template(key), Template(text)) for key, text in (step.form or {}).items()]
        encoded = step.method != "submit" and step.upload is None
        self._form = [_form_part(key, text) for key, text in (step.form or {}).items()] if encoded else []
        self._body = _body_template(step)
        self._raw = is_raw(step.body)
        self._size = size
        templates = {key: Template(text, of_value=header_safe) for key, text in self._headers(defaults or {}).items()}
        own = [key for key in templates if key.lower() == "authorization"]
        auth = step.auth or (None if own else auth)
        self._auth = Template(auth) if auth is not None else None
        if self._auth is not None:
            templates = {key: text for key, text in templates.items() if key not in own}
        self._static = tuple((key, text.literal) for key, text in templates.items() if text.literal is not None)
        self._dynamic = tuple((key, text) for key, text in templates.items() if text.literal is None)
        self.own_cookie = any(key.lower() == "cookie" for key in templates)

    def wire(self, names: Mapping[str, str], jar: Jar, rid: str) -> Wire:
        """The step's request (for `submit` the one that fetches the form)."""
        path = self.path(names)
        return Wire(self.method, path, self.headers(names, jar, path, rid), self.body(names), self.timeout_s)

    def path(self, names: Mapping[str, str]) -> str:
        """Origin form, with query."""
        path = self._path.fill(names)
        return origin_form(path) if self._whole or path[:1] != "/" else path

    def headers(self, names: Mapping[str, str], jar: Jar, path: str, rid: str) -> tuple[tuple[str, str], ...]:
        """All headers of a request of `path`; one whose names nothing has set is left out, credentials too."""
        made = [*self._static]
        for key, text in self._dynamic:
            if text.needs <= names.keys():
                made.append((key, text.fill(names)))
        if self._auth is not None and self._auth.needs <= names.keys():
            made.append(("Authorization", "Basic " + base64.b64encode(self._auth.fill(names).encode()).decode()))
        cookie = "" if self.own_cookie else jar.header(path)
        if cookie:
            made.append(("Cookie", cookie))
        made.append((REQUEST_HEADER, rid))
        return tuple(made)

    def body(self, names: Mapping[str, str]) -> bytes:
        if self._raw:
            return content(names["value"], self._size)
        if self.step.upload is not None:
            return multipart(self.fields(names).items(), BOUNDARY, self.files(names))
        if self._body is not None:
            return self._body.fill(names).encode("utf-8", "replace")
        if self._form:
            return "&".join([part.fill(names) for part in self._form]).encode("ascii")
        return b""

    def files(self, names: Mapping[str, str]) -> list[FilePart]:
        """The file that the step uploads as a part of a form; none where it doesn't."""
        if self.step.upload is None:
            return []
        value = names["value"]
        return [FilePart(self.step.upload, file_name(value), MEDIA_TYPE, content(value, self._size))]

    def fields(self, names: Mapping[str, str]) -> dict[str, str]:
        """The form's fields that the plan fills in, as plain text."""
        return {key.fill(names): text.fill(names) for key, text in self._fields}

    def _headers(self, defaults: Mapping[str, str]) -> dict[str, str]:
        origin = self.origin
        layers: list[Mapping[str, str]] = [
            {"Host": origin.host, "User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
            {"X-Forwarded-Proto": origin.forwarded} if origin.forwarded else {},
            {} if self.method in SAFE_METHODS else {"Origin": origin.url, "Referer": origin.url + "/"},
            _content_type(self.step),
            _of_stream(self.step, origin),
            origin.extra,
            defaults,
            self.step.headers,
        ]
        merged: dict[str, tuple[str, str]] = {}
        for layer in layers:
            for key, text in layer.items():
                merged[key.lower()] = (key, header_safe(text))
        return dict(merged.values())


def names_sent(step: Step) -> frozenset[str]:
    """Every `$name` of its request."""
    body = "" if is_raw(step.body) else step.body or ""
    texts = [step.path, body, step.auth or "", *step.headers.values()]
    texts += [part for pair in (step.form or {}).items() for part in pair]
    texts += [json.dumps(step.json_)] if step.json_ is not None else []
    return frozenset[str]().union(*(Template(text).needs for text in texts))


def names_needed(step: Step) -> frozenset[str]:
    """Every `$name` that a step mentions, wherever it does."""
    loose: list[str] = []
    for expect in (step.expect, step.refused, step.gone):
        if expect is not None:
            loose += [expect.text or "", expect.match or "", expect.value or "", *expect.header.values()]
    return names_sent(step).union(*(Template(text, lenient=True).needs for text in loose))


def names_of_secrets(step: Step, auth: str | None) -> frozenset[str]:
    """Names that a step sends as credentials: in headers that carry them, as the password of its auth."""
    texts = [text for key, text in step.headers.items() if carries_credentials(key)]
    texts += [password_of(step.auth or auth)]
    return frozenset[str]().union(*(Template(text).needs for text in texts))


def password_of(auth: str | None) -> str:
    """What stands behind the colon of `user:password`; "" without any."""
    return auth.partition(":")[2] if auth is not None else ""


def names_taken(steps: Sequence[Step]) -> frozenset[str]:
    return frozenset(name for step in steps for name in step.take)


def default_headers(login: Promise | None) -> dict[str, str]:
    """Headers of the session promise's `see`: what a logged-in client sends on every later step."""
    return dict(login.see[-1].headers) if login is not None else {}


def default_auth(promise: Promise, action: str, auth: str | None) -> str | None:
    """The target's credentials, where that action sends them: neither while logging in nor as a guest."""
    return None if promise.as_ == "guest" or (promise.kind == "session" and action == "do") else auth


def origin_form(address: str) -> str:
    """Path and query of a URL, or of a path already."""
    parts = urlsplit(address)
    path = parts.path if parts.path.startswith("/") else "/" + parts.path
    return _quote_address(f"{path}?{parts.query}" if parts.query else path)


def header_safe(text: str) -> str:
    """A header's value without control characters, each byte of its UTF-8 one character."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode("latin-1")


def _quote_part(text: str) -> str:
    return quote(text, safe="")


def _quote_address(text: str) -> str:
    return quote(text, safe=_URL_SAFE)


def _quote_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _form_part(key: str, text: str) -> Template:
    return Template(f"{key}\0{text}", of_value=quote_plus, of_literal=_quote_pair)


def _quote_pair(literal: str) -> str:
    return "=".join(quote_plus(part) for part in literal.split("\0"))


def _body_template(step: Step) -> Template | None:
    if step.json_ is not None:
        # JSON escapes no dollar, so the text of the whole document is the template.
        return Template(json.dumps(step.json_, separators=(",", ":")), of_value=_quote_json)
    return Template(step.body) if step.body is not None and not is_raw(step.body) else None


def _of_stream(step: Step, origin: Origin) -> dict[str, str]:
    """What a browser says when it opens one; many services let in no websocket of an unknown origin."""
    if step.method == WEBSOCKET:
        return {"Origin": origin.url}
    return {"Accept": "text/event-stream", "Cache-Control": "no-cache"} if step.method == EVENTS else {}


def _content_type(step: Step) -> dict[str, str]:
    if step.json_ is not None:
        return {"Content-Type": "application/json"}
    if is_raw(step.body):
        return {"Content-Type": MEDIA_TYPE}
    if step.upload is not None:
        return {"Content-Type": content_type(BOUNDARY)} if step.method != "submit" else {}
    if step.form is not None and step.method != "submit":
        return {"Content-Type": "application/x-www-form-urlencoded"}
    return {}
