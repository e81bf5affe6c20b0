"""What a recording's requests carry that only this recording could know: who, secrets, ids. They become names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_plus, urlsplit

from chaoscheck.drafting import places, words
from chaoscheck.drafting.draft import Json
from chaoscheck.drafting.har import Exchange
from chaoscheck.steps.forms import Form, NoForm, find_form
from chaoscheck.steps.mask import looks_secret

SHORTEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The user of the recording. Neither word ever stands in a plan."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def hidden(self, text: str) -> str:
        """The text with both as names."""
        made = text
        for secret, name in ((self.password, "$password"), (self.user, "$user")):
            if secret and len(secret) >= SHORTEST:
                # `$p` means nothing in a replacement, so that the name stands for itself.
                made = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", name, made)
            elif secret and made == secret:
                made = name
        return made


def sent(exchange: Exchange) -> list[tuple[str, str]]:
    """Every member that its body sends, by its path or name, as text."""
    if exchange.document is not None:
        return [(path, str(value)) for path, value in places.leaves(exchange.document) if isinstance(value, str | int)]
    return list(exchange.fields)


def last(path: str) -> str:
    """The name of a member at the end of a path."""
    return re.split(r"[.\[\]@]", path.rstrip("]"))[-1] or path


def passwords(exchange: Exchange) -> list[str]:
    return [value for path, value in sent(exchange) if words.PASSWORD.search(path) and value]


def who(login: Exchange) -> Who | None:
    """Who logs in there: the member that is named so, else the first other text."""
    secret = passwords(login)
    others = [(path, value) for path, value in sent(login) if value and value not in secret and value[:1] != "-"]
    others = [pair for pair in others if not words.CSRF.search(last(pair[0]))]
    named = [value for path, value in others if words.USER.search(last(path))]
    plain = [value for value in named if "@" not in value]
    user = next(iter([*plain, *named, *(value for _, value in others)]), "")
    return Who(user=user, password=secret[0]) if secret and user else None


def form_of(exchange: Exchange, before: Sequence[Exchange], origin: str) -> tuple[Exchange, Form] | None:
    """The page whose form was posted there, and the form; the newest page that has one with these fields."""
    names = {name for name, _ in exchange.fields}
    for page in reversed(before):
        if page.method != "GET" or not page.is_html or not 200 <= page.status < 300:
            continue
        try:
            form = find_form(page.page, origin + page.path, names - _added(page, exchange))
        except NoForm:
            continue
        if urlsplit(form.path).path == urlsplit(exchange.path).path:
            return page, form
    return None


def _added(page: Exchange, exchange: Exchange) -> set[str]:
    """Fields that a script put in, which no form of the page has."""
    held = {item.get("name") for root in page.page.tree for item in root.iter("input", "select", "textarea", "button")}
    return {name for name, _ in exchange.fields if name not in held}


def typed(exchange: Exchange, form: Form) -> dict[str, str]:
    """The fields whose text isn't what the form would have sent by itself, hidden one-time tokens left out."""
    default = dict(form.fields)
    return {
        name: text
        for name, text in exchange.fields
        if text and default.get(name) != text and not (words.CSRF.search(name) and looks_secret(text))
    }


def held(document: Json, hide: Who, values: dict[str, str]) -> Json:
    """A JSON body with names in the place of who, secrets and values."""
    if isinstance(document, dict):
        return {key: _member(key, each, hide, values) for key, each in document.items()}
    if isinstance(document, list):
        return [held(each, hide, values) for each in document]
    return _word("", document, hide, values) if isinstance(document, str) else document


def _member(key: str, each: Json, hide: Who, values: dict[str, str]) -> Json:
    return _word(key, each, hide, values) if isinstance(each, str) else held(each, hide, values)


def _word(key: str, text: str, hide: Who, values: dict[str, str]) -> str:
    if text in values:
        return values[text]
    return "$password" if words.PASSWORD.search(key) else hide.hidden(text.replace("$", "$$"))


def filled(fields: Iterable[tuple[str, str]], hide: Who, values: dict[str, str]) -> dict[str, Json]:
    """The same of a form's fields."""
    return {name: _word(name, text, hide, values) for name, text in fields}


def ids(path: str) -> Iterator[str]:
    """What in a path names one object: segments and query values with a digit in them."""
    parts = urlsplit(path)
    for segment in parts.path.split("/"):
        if segment and words.is_id(segment):
            yield segment


def without_message(seen: Exchange, ident: str) -> Exchange:
    """The page of an object, without what a redirect had it say of this one time: `?message=note%205%20was%20made`."""
    parts = urlsplit(seen.path)
    number = re.sub(r"^\D+", "", ident) or ident
    said = [unquote_plus(each.partition("=")[2]) for each in parts.query.split("&")]
    kept = [
        each
        for each, text in zip(parts.query.split("&"), said, strict=True)
        if " " not in text and not re.search(rf"(?<!\w){re.escape(number)}(?!\w)", text)
    ]
    return replace(seen, path=parts.path + ("?" + "&".join(kept) if any(kept) else ""))
