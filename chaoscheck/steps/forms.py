"""Fills in a server's form as a browser would: hidden fields, defaults and the first button go along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urljoin, urlsplit

from chaoscheck.steps.multipart import FilePart, content_type, multipart
from chaoscheck.steps.read import Page
from chaoscheck.steps.render import origin_form

_BUTTONS = frozenset({"submit", "image", "reset", "button"})


class NoForm(Exception):
    """The page has no form to fill in; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form of a page: where it goes, and what a browser would send if nothing were typed."""

    method: str
    path: str
    enctype: str
    fields: tuple[tuple[str, str], ...]

    def filled(self, typed: Mapping[str, str]) -> list[tuple[str, str]]:
        """All fields with yours in their places; fields that the form doesn't have come last."""
        left = dict(typed)
        pairs = []
        for name, text in self.fields:
            if name not in typed:
                pairs.append((name, text))
            elif name in left:
                pairs.append((name, left.pop(name)))
        return pairs + list(left.items())


def find_form(page: Page, url: str, typed: Iterable[str]) -> Form:
    """The form of that page (at the absolute `url`) that has the fields you fill in; NoForm when none has.

    Of several that have them all the first is taken.
    """
    forms = [form for root in page.tree for form in root.iter("form")]
    if not forms:
        raise NoForm("the page has no form")
    for element in forms:
        form = _form(element, url)
        if set(typed) <= _names(element):
            return form
    missing = ", ".join(sorted(set(typed) - set().union(*(_names(element) for element in forms))) or sorted(typed))
    raise NoForm(f"no form of the page has the field{'s' if ',' in missing else ''} {missing}")


def encode(
    form: Form, typed: Mapping[str, str], boundary: str, files: Sequence[FilePart] = ()
) -> tuple[str, bytes, str]:
    """(path, body, Content-Type) of the request that submits it. One that is posted with files is multipart."""
    pairs = form.filled(typed)
    if form.method == "GET":
        return f"{form.path.partition('?')[0]}?{urlencode(pairs)}", b"", ""
    if files:
        return form.path, multipart(pairs, boundary, files), content_type(boundary)
    if form.enctype == "multipart/form-data":
        return form.path, multipart(pairs, boundary), content_type(boundary)
    if form.enctype == "text/plain":
        return form.path, "".join(f"{name}={text}\r\n" for name, text in pairs).encode(), "text/plain"
    return form.path, urlencode(pairs, quote_via=quote_plus).encode(), "application/x-www-form-urlencoded"


def _form(element: Any, url: str) -> Form:
    bases = element.getroottree().getroot().xpath("//base[@href]/@href")
    try:
        target = urljoin(urljoin(url, bases[0]) if bases else url, (element.get("action") or "").strip() or url)
        elsewhere = urlsplit(target).hostname != urlsplit(url).hostname
    except ValueError:
        raise NoForm("the form's action isn't an address") from None
    if elsewhere:
        raise NoForm(f"the form posts to another host: {target[:80]}")
    method = (element.get("method") or "get").strip().upper()
    return Form(
        method=method if method in ("GET", "POST") else "GET",
        path=origin_form(target),
        enctype=(element.get("enctype") or "").strip().lower(),
        fields=tuple(_fields(element)),
    )


def _controls(element: Any) -> list[Any]:
    """Controls inside the form, and those elsewhere that name it."""
    own = [item for item in element.iter("input", "select", "textarea", "button") if item.get("form") is None]
    name = element.get("id")
    root = element.getroottree().getroot()
    return own + [
        item for item in root.iter("input", "select", "textarea", "button") if name and item.get("form") == name
    ]


def _names(element: Any) -> set[str]:
    return {item.get("name") for item in _controls(element) if item.get("name")}


def _fields(element: Any) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    pressed = False
    for item in _controls(element):
        name = item.get("name")
        kind = (item.get("type") or ("submit" if item.tag == "button" else "text")).lower()
        if item.get("disabled") is not None:
            continue
        if kind == "submit" and item.tag in ("input", "button"):
            # Pressing enter presses the first button; some servers do nothing without its name.
            if not pressed and name:
                pairs.append((name, item.get("value") or ""))
            pressed = True
        elif name and not (item.tag in ("input", "button") and kind in _BUTTONS):
            pairs += [(name, text) for text in _values(item, kind)]
    return pairs


def _values(item: Any, kind: str) -> list[str]:
    if item.tag == "textarea":
        return ["".join(item.itertext()).removeprefix("\n")]
    if item.tag == "select":
        return _chosen(item)
    if kind in ("checkbox", "radio"):
        return [item.get("value") or "on"] if item.get("checked") is not None else []
    return [] if kind == "file" else [item.get("value") or ""]


def _chosen(select: Any) -> list[str]:
    options = [item for item in select.iter("option") if item.get("disabled") is None]
    chosen = [item for item in options if item.get("selected") is not None]
    if select.get("multiple") is None:
        chosen = chosen[-1:] or options[:1]
    return [text if (text := item.get("value")) is not None else "".join(item.itertext()).strip() for item in chosen]
