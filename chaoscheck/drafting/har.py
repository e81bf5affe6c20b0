"""A recording (HAR 1.2) as exchanges of one site, in their order."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chaoscheck.drafting.draft import Json
from chaoscheck.errors import PlanError
from chaoscheck.steps.base import Answer, Trouble
from chaoscheck.steps.read import Page

_STATIC = re.compile(r"^(image|font|audio|video)/|css|javascript|wasm")
_HINT = (
    "record one in the browser: developer tools, Network, log in, look, change something, look again, log out; "
    'then "Save all as HAR with content"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request of the recording and its answer. `path` has its query; `fields` are a form's, `document` a JSON
    body's; `page` reads the answer as a plan's step would."""

    at: int
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    media: str
    body: str
    fields: tuple[tuple[str, str], ...]
    document: Json
    page: Page = field(repr=False)

    @property
    def status(self) -> int:
        return self.page.answer.status

    @property
    def text(self) -> str:
        return self.page.text

    @property
    def is_html(self) -> bool:
        return "html" in self.page.headers.get("content-type", "")

    @property
    def where(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"

    def header(self, name: str) -> str:
        return next((text for key, text in self.headers if key.lower() == name.lower()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one site was asked; `origin` is its scheme, host and port."""

    origin: str
    exchanges: tuple[Exchange, ...]


def read(text: str, where: str) -> Recording:
    """The recording in that text; what other sites were asked and what shows nothing (pictures, scripts) left out.

    Raises PlanError when it is none.
    """
    try:
        entries = list(json.loads(text)["log"]["entries"])
    except (ValueError, KeyError, TypeError):
        raise PlanError(f"{where} is no HAR: it has no log.entries", hint=_HINT) from None
    able = [entry for entry in entries if isinstance(entry, dict) and _url(entry)]
    if not able:
        raise PlanError(f"{where} has no requests", hint=_HINT)
    origin = _origin(able)
    asked = [entry for entry in able if _url(entry).startswith(f"{origin}/")]
    made = [_exchange(at, entry, origin) for at, entry in enumerate(asked)]
    shown = tuple(each for each in made if each.status > 0 and not _STATIC.search(_media(each)))
    return Recording(origin=origin, exchanges=shown)


def _media(each: Exchange) -> str:
    return each.page.headers.get("content-type", "")


def _url(entry: Mapping[str, Any]) -> str:
    url = _map(entry.get("request")).get("url")
    return url if isinstance(url, str) and url.startswith(("http://", "https://")) else ""


def _origin(entries: list[Any]) -> str:
    """The site that was written to most, else asked most."""
    counted: Counter[str] = Counter()
    for entry in entries:
        parts = urlsplit(_url(entry))
        writes = str(entry["request"].get("method") or "GET").upper() not in ("GET", "HEAD", "OPTIONS")
        counted[f"{parts.scheme}://{parts.netloc}"] += 1000 if writes else 1
    return counted.most_common(1)[0][0]


def _exchange(at: int, entry: Mapping[str, Any], origin: str) -> Exchange:
    request, response = _map(entry["request"]), _map(entry.get("response"))
    posted = _map(request.get("postData"))
    media, body = str(posted.get("mimeType") or ""), str(posted.get("text") or "")
    return Exchange(
        at=at,
        method=str(request.get("method") or "GET").upper(),
        path=_url(entry).removeprefix(origin),
        headers=tuple(_pairs(request.get("headers"))),
        media=media,
        body=body,
        fields=tuple(_fields(media, body, posted)),
        document=_document(media, body),
        page=Page(_answer(response)),
    )


def _map(raw: Any) -> dict[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def _pairs(raw: Any) -> Iterator[tuple[str, str]]:
    for each in raw if isinstance(raw, list) else []:
        if isinstance(each, dict) and "name" in each:
            yield str(each["name"]), str(each.get("value") or "")


def _answer(response: Mapping[str, Any]) -> Answer:
    content = _map(response.get("content"))
    text = str(content.get("text") or "")
    body = _unpacked(text) if content.get("encoding") == "base64" else text.encode("utf-8", "replace")
    dropped = ("content-encoding", "content-length", "content-type")
    headers = [(name, value) for name, value in _pairs(response.get("headers")) if name.lower() not in dropped]
    media = str(content.get("mimeType") or "").partition(";")[0]
    if response.get("redirectURL") and not any(name.lower() == "location" for name, _ in headers):
        headers.append(("Location", str(response["redirectURL"])))
    status = response.get("status")
    return Answer(
        status=status if isinstance(status, int) else 0,
        headers=(*headers, ("content-type", media)),
        body=body,
        trouble=Trouble.NONE,
        sent=True,
        sent_ns=0,
        done_ns=0,
    )


def _document(media: str, body: str) -> Json:
    if "json" not in media:
        return None
    try:
        made: Json = json.loads(body)
    except ValueError:
        return None
    return made


def _fields(media: str, body: str, posted: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if media.startswith("multipart/form-data"):
        whole = f"Content-Type: {media}\r\n\r\n{body}".encode("utf-8", "surrogateescape")
        for part in list(message_from_bytes(whole).walk())[1:]:
            name, payload = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
            if isinstance(name, str) and part.get_filename() is None and isinstance(payload, bytes):
                yield name, payload.decode("utf-8", "replace").removesuffix("\r\n")
    elif "urlencoded" in media:
        yield from parse_qsl(body, keep_blank_values=True) if body else _pairs(posted.get("params"))
