"""Reads values out of answers, and says whether an answer is what a plan expects. Hostile bodies never raise."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from cssselect import SelectorError
from lxml import etree, html
from lxml.cssselect import CSSSelector

from chaoscheck.errors import PlanError
from chaoscheck.plan.steps import Expect
from chaoscheck.steps.base import Answer, Trouble
from chaoscheck.steps.jar import Jar
from chaoscheck.steps.template import Template

TEXT_LIMIT = 2_000_000  # bytes of a body that are looked at

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_JSON_TOKEN = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\*)\]|\[([\"'])(.*?)\3\]")
_UNSEEN = ("script", "style", "template", "noscript", "head", "select", "textarea", "*[@hidden]")
_WORDS = f"//body//text()[not({' or '.join(f'ancestor::{name}' for name in _UNSEEN)})]"
_ATTRIBUTE = re.compile(r"^(.*?)@([A-Za-z_][\w:-]*)$", re.DOTALL)


class Page:
    """An answer, read lazily and once. `jar` is the client's, which has taken in the answer's cookies; `headers` has
    the first of each name, in lower case."""

    __slots__ = ("_json", "_text", "_tree", "answer", "headers", "jar")

    def __init__(self, answer: Answer, jar: Jar | None = None) -> None:
        self.answer = answer
        self.jar = jar
        self.headers = {name.lower(): value for name, value in reversed(answer.headers)}
        self._text: str | None = None
        self._json: list[Any] | None = None
        self._tree: list[Any] | None = None

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = _decoded(self.answer.body, self.headers)
        return self._text

    def raw(self, most: int) -> bytes:
        """The body's bytes without their content coding, so many at most."""
        return _unpacked(self.answer.body, self.headers.get("content-encoding", ""), most)

    @property
    def json(self) -> list[Any]:
        """The document, in a list of one; an empty list when the body is none."""
        if self._json is None:
            try:
                self._json = [json.loads(self.text)]
            except (ValueError, RecursionError):
                self._json = []
        return self._json

    @property
    def tree(self) -> list[Any]:
        """The HTML's root, in a list of one; an empty list when nothing can be made of it."""
        if self._tree is None:
            self._tree = _parsed(self.text)
        return self._tree

    @property
    def shown(self) -> str:
        """What a reader of a report should see of it: of an HTML page its title and visible words, else the text."""
        is_html = "html" in self.headers.get("content-type", "").partition(";")[0].lower()
        return (is_html and _visible(self.tree)) or self.text

    @property
    def complete(self) -> bool:
        return self.answer.trouble is Trouble.NONE and self.answer.status > 0


class Reader:
    """An extraction of the plan: `json:`, `css:`, `match:`, `header:` or `cookie:`. Made from its text once."""

    __slots__ = ("_list", "_read", "text")

    def __init__(self, text: str) -> None:
        kind, colon, rest = text.partition(":")
        maker = _READERS.get(kind.strip()) if colon else None
        if maker is None:
            raise PlanError(
                f"{text!r} doesn't say how to read",
                hint=f"begin with one of {', '.join(f'{key}:' for key in _READERS)}",
            )
        self.text = text
        self._read = maker(rest.strip())
        before, star, _ = rest.strip().partition("[*]")
        self._list = _json_reader(before) if star and maker is _json_reader else None

    def all(self, page: Page) -> list[str]:
        """Everything it finds, as texts, in the answer's order."""
        return [_clean(item) for item in self._read(page)]

    def there(self, page: Page) -> bool:
        """Whether the answer has what `all` reads: something, or for `json:` with [*] a list, be it empty."""
        if self._list is not None:
            return any(isinstance(item, list) for item in self._list(page))
        return bool(self._read(page))

    def first(self, page: Page) -> str | None:
        """The first it finds; None when there is nothing."""
        found = self._read(page)
        return _clean(found[0]) if found else None


class Expectation:
    """An `expect`, `refused` or `gone` of the plan, made ready. `statuses` stand in when the plan names none."""

    __slots__ = ("_headers", "_match", "_says_status", "_text", "_value", "expect", "statuses")

    def __init__(self, expect: Expect | None, statuses: frozenset[int]) -> None:
        self.expect = expect
        said = expect.statuses if expect is not None else ()
        self._says_status = bool(said)
        self.statuses = frozenset(said) or statuses
        self._text = _Text(expect.text) if expect and expect.text is not None else None
        self._match = _Pattern(expect.match) if expect and expect.match is not None else None
        self._value = Template(expect.value, lenient=True) if expect and expect.value is not None else None
        self._headers = tuple((key, _Pattern(text)) for key, text in (expect.header if expect else {}).items())

    @property
    def says_status(self) -> bool:
        return self._says_status

    def holds(self, page: Page, names: Mapping[str, str], value: str | None) -> bool:
        """Whether the answer is as said; `value` is what the step's `value` read."""
        return page.answer.status in self.statuses and (self.expect is None or not self.unmet(page, names, value))

    def unmet(self, page: Page, names: Mapping[str, str], value: str | None) -> str:
        """What doesn't hold first, in the plan's words (so that equal reasons read equal); "" when all does."""
        answer = page.answer
        if answer.status not in self.statuses:
            return f"status {answer.status}, expected {_codes(self.statuses)}"
        if self._value is not None and value != self._value.fill(names):
            return f"read {_shown(value)}, expected {_shown(self._value.text)}"
        if self._text is not None and not self._text.found(page.text, names):
            return f"no text {_shown(self._text.text)}"
        if self._match is not None and not self._match.found(page.text, names):
            return f"no match of {_shown(self._match.text)}"
        for key, pattern in self._headers:
            if not any(pattern.found(item, names) for item in answer.header_all(key)):
                return f"header {key} isn't {_shown(pattern.text)}"
        return ""


class _Text:
    """A text to be found. A name at its edge is a whole word: `user-1` isn't there because `user-12` is."""

    __slots__ = ("_template", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._template = Template(text, lenient=True)

    def found(self, text: str, names: Mapping[str, str]) -> bool:
        """Never true of a name that stands for nothing: an empty text is found everywhere."""
        template = self._template
        if not template.is_set(names):
            return False
        wanted = template.fill(names)
        at = text.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            if not (template.begins and _is_word(text[at - 1 : at])) and not (
                template.ends and _is_word(text[end : end + 1])
            ):
                return True
            at = text.find(wanted, at + 1)
        return False


class _Pattern:
    """A regular expression in which names stand for themselves, as whole words where they stand at its edge."""

    __slots__ = ("_fixed", "_template", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._template = Template(text, of_value=re.escape, lenient=True)
        self._fixed = _compiled(text if self._template.literal is None else self._template.literal)

    def found(self, text: str, names: Mapping[str, str]) -> bool:
        template = self._template
        if template.literal is not None:
            return self._fixed.search(text) is not None
        edges = (r"(?<!\w)" if template.begins else "", r"(?!\w)" if template.ends else "")
        return template.is_set(names) and re.search(template.fill(names).join(edges), text) is not None


def meets(expect: Expect | None, answer: Answer, names: Mapping[str, str], value: str | None) -> bool:
    """Whether `answer` is as `expect` says (any 2xx where it names no status)."""
    return Expectation(expect, frozenset(range(200, 300))).holds(Page(answer), names, value)


def _json_reader(path: str) -> Callable[[Page], list[Any]]:
    tokens: list[str | int] = []
    at = 0
    while at < len(path):
        found = _JSON_TOKEN.match(path, at)
        if found is None:
            raise PlanError(f"json:{path} isn't a path", hint="write json:a.b[0].c or json:items[*].sku")
        at = found.end()
        index = found[2]
        tokens.append(
            (int(index) if index != "*" else "*") if index is not None else "." + (found[1] or found[4] or "")
        )
    return lambda page: _walk(page.json, tokens)


def _walk(found: list[Any], tokens: list[str | int]) -> list[Any]:
    for token in tokens:
        if token == "*":
            found = [item for each in found if isinstance(each, list) for item in each]
        elif isinstance(token, int):
            found = [each[token] for each in found if isinstance(each, list) and len(each) > token]
        else:
            key = token[1:]
            found = [each[key] for each in found if isinstance(each, dict) and key in each]
    return [item for item in found if item is not None]


def _css_reader(text: str) -> Callable[[Page], list[Any]]:
    split = _ATTRIBUTE.match(text)
    selector, attribute = (split[1], split[2]) if split else (text, "")
    try:
        select = CSSSelector(selector, translator="html")
    except SelectorError as error:
        raise PlanError(
            f"css:{selector} isn't a selector: {error}", hint="write css:#id, css:.class or css:input[name=x]@value"
        ) from None

    def read(page: Page) -> list[Any]:
        elements = [element for root in page.tree for element in select(root)]
        if attribute:
            return [element.get(attribute) for element in elements if element.get(attribute) is not None]
        return ["".join(element.itertext()).strip() for element in elements]

    return read


def _match_reader(text: str) -> Callable[[Page], list[Any]]:
    pattern = _compiled(text)
    group = 1 if pattern.groups else 0
    return lambda page: [found[group] or "" for found in pattern.finditer(page.text)]


def _header_reader(text: str) -> Callable[[Page], list[Any]]:
    """`NAME`, or `NAME PATTERN` for what a regular expression finds in it: its first group."""
    name, _, wanted = text.partition(" ")
    if not wanted.strip():
        return lambda page: list(page.answer.header_all(name))
    pattern = _compiled(wanted.strip())
    group = 1 if pattern.groups else 0
    return lambda page: [
        found[group] or "" for value in page.answer.header_all(name) for found in pattern.finditer(value)
    ]


def _cookie_reader(name: str) -> Callable[[Page], list[Any]]:
    def read(page: Page) -> list[Any]:
        jar = page.jar
        if jar is None:
            jar = Jar("https://localhost")
            jar.absorb("/", page.answer.header_all("set-cookie"))
        value = jar.value(name)
        return [] if value is None else [value]

    return read


_READERS: dict[str, Callable[[str], Callable[[Page], list[Any]]]] = {
    "json": _json_reader,
    "css": _css_reader,
    "match": _match_reader,
    "header": _header_reader,
    "cookie": _cookie_reader,
}


def _decoded(body: bytes, headers: Mapping[str, str]) -> str:
    body = _unpacked(body, headers.get("content-encoding", ""), TEXT_LIMIT)
    named = _CHARSET.search(headers.get("content-type", ""))
    try:
        return body.decode(named[1] if named else "utf-8", "replace")
    except (LookupError, ValueError):  # an unknown charset, or one that isn't of text
        return body.decode("utf-8", "replace")


def _unpacked(body: bytes, coding: str, most: int) -> bytes:
    if coding.lower() not in ("gzip", "x-gzip", "deflate"):
        return body[:most]
    for bits in (47, -15):  # gzip or zlib by their own header; then raw deflate, which some servers call deflate
        try:
            return zlib.decompressobj(bits).decompress(body, most)
        except zlib.error:
            continue
    return body[:most]


def _parsed(text: str) -> list[Any]:
    try:
        parser = html.HTMLParser(encoding="utf-8", no_network=True, recover=True)
        root = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError, RecursionError, AssertionError):
        return []
    return [root] if root is not None else []


def _visible(tree: list[Any]) -> str:
    """`title | words`, white space folded; "" when there is neither."""
    parts = []
    for root in tree:
        parts.append(" ".join("".join(root.xpath("//title[1]//text()")).split()))
        parts.append(" ".join(" ".join(root.xpath(_WORDS)).split()))
    return " | ".join(part for part in parts if part)


def _compiled(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, RecursionError) as error:
        raise PlanError(f"{text!r} isn't a regular expression: {error}", hint="see the syntax of Python's re") from None


def _clean(item: Any) -> str:
    text = item if isinstance(item, str) else json.dumps(item, separators=(",", ":"))
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _codes(statuses: frozenset[int]) -> str:
    if len(statuses) <= 4:
        return " or ".join(str(code) for code in sorted(statuses))
    return " or ".join(f"{family}xx" for family in sorted({code // 100 for code in statuses}))


def _shown(text: str | None) -> str:
    return "nothing" if text is None else repr(text[:80])
