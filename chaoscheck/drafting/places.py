"""Where an answer shows a text: the shortest extraction that reads just it, checked on the answer itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import quote, quote_plus, urlsplit

from chaoscheck.drafting.draft import Json
from chaoscheck.drafting.har import Exchange
from chaoscheck.errors import PlanError
from chaoscheck.steps.read import Reader

NEAR = 24
_IDENT = re.compile(r"(^|[._])((uu)?id|key|number|nr)$", re.IGNORECASE)


def find(exchange: Exchange, text: str) -> str:
    """`json:...`, `css:...`, `header:...` or `match:...` that reads exactly `text` there first; "" when none does."""
    return next((each for each in _candidates(exchange, text) if reads(exchange, each, text)), "")


def reads(exchange: Exchange, extraction: str, text: str) -> bool:
    """Whether the first that it reads in that answer is the text."""
    try:
        return Reader(extraction).first(exchange.page) == text
    except PlanError:
        return False


def leaves(document: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """(path, value) of every leaf; an element of a list by its index."""
    if isinstance(document, dict):
        for key, each in document.items():
            plain = re.fullmatch(r"[\w:-]+", key)
            yield from leaves(each, f"{path}.{key}".lstrip(".") if plain else f'{path}["{key}"]')
    elif isinstance(document, list):
        for index, each in enumerate(document):
            yield from leaves(each, f"{path}[{index}]")
    else:
        yield path, document


def shows(exchange: Exchange, text: str) -> bool:
    """Whether the answer has it anywhere, as it is or escaped for HTML."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return bool(text) and (text in exchange.text or escaped in exchange.text)


def replaced(path: str, text: str, name: str) -> str:
    """The path with the text, however a URL writes it, as a name; "" when it isn't there."""
    for written in sorted({text, quote(text, safe=""), quote(text), quote_plus(text)}, key=len, reverse=True):
        found = re.search(rf"(?<![\w%]){re.escape(written)}(?![\w%])", path)
        if found:
            return path[: found.start()] + name + path[found.end() :]
    return ""


def around(exchange: Exchange, text: str) -> str:
    """A regular expression for the text between tags, `$value` in its place; "" where it stands nowhere so."""
    for before, after in ((">", "<"), (None, "<")):
        for found in re.finditer(re.escape(text), exchange.text):
            start, end = found.start(), found.end()
            if exchange.text[end : end + 1] == after and before in (None, exchange.text[start - 1 : start]):
                return f"{before or ''}$value{after}"
    return ""


def _candidates(exchange: Exchange, text: str) -> Iterator[str]:
    for document in exchange.page.json:
        # A first object's version, count and id may all be 1.
        named = sorted(leaves(document), key=lambda leaf: not (_IDENT.search(leaf[0]) and text.isdecimal()))
        for path, value in named:
            if value == text or (isinstance(value, int) and not isinstance(value, bool) and str(value) == text):
                yield f"json:{path}"
    yield from _redirect(exchange, text)
    if exchange.is_html:
        yield from _controls(exchange, text)
    yield from _contexts(exchange, text)


def _redirect(exchange: Exchange, text: str) -> Iterator[str]:
    """A segment of the path that it sends the browser to."""
    for before, segment in pairwise(urlsplit(exchange.page.headers.get("location", "")).path.split("/")):
        if segment == text:
            ident = re.fullmatch(r"([A-Za-z_-]*)\d+", text)
            sort = f"{ident[1]}[0-9]+" if ident else "[^/?#]+"
            yield f"header:Location {_escaped(before)}/({sort})"


def _controls(exchange: Exchange, text: str) -> Iterator[str]:
    """Boxes of a form that hold it."""
    for root in exchange.page.tree:
        for item in root.iter("input", "textarea"):
            held = item.get("value") if item.tag == "input" else "".join(item.itertext()).strip()
            if held == text:
                ident, name = item.get("id"), item.get("name")
                end = "@value" if item.tag == "input" else ""
                if ident and re.fullmatch(r"[A-Za-z][\w-]*", ident):
                    yield f"css:#{ident}{end}"
                if name:
                    yield f'css:{item.tag}[name="{name}"]{end}'


def _contexts(exchange: Exchange, text: str) -> Iterator[str]:
    """The characters before it and the one after; what stands in running text before what stands in attributes."""
    body, ident = exchange.text, re.fullmatch(r"([A-Za-z_-]*)\d+", text)
    places = [found.start() for found in re.finditer(re.escape(text), body)]
    for start in sorted(places, key=lambda at: (body[at + len(text) : at + len(text) + 1] != "<", at)):
        after = body[start + len(text) : start + len(text) + 1]
        line = re.split(r"[\n>]", body[max(0, start - NEAR) : start])[-1]
        inner = f"{ident[1]}[0-9]+" if ident else f"[^{after}]+" if after and after in "<\"&'" else r"[\w.@-]+"
        sizes = list(range(1, len(line) + 1))
        usual = 1 if ident else 7
        for size in sorted(sizes, key=lambda size: (size < usual, abs(size - usual))):
            yield f"match:{_escaped(line[-size:])}({inner}){'' if ident else _escaped(after)}"
        if not line:
            yield f"match:>({inner}){_escaped(after)}"


def _escaped(text: str) -> str:
    """For a regular expression, without escapes that a reader has no use for."""
    return re.sub(r"([.^*+?{}\[\]\\|()$])", r"\\\1", text)
