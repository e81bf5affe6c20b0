"""Routes that stand in a service's own source: Express, Flask and FastAPI as they are usually written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from chaoscheck.drafting import words
from chaoscheck.drafting.endpoints import Endpoint, Field

MOST_FILES = 200
MOST_BYTES = 300_000
MOST_FOLDERS = 500
DEEPEST = 5
SOURCES = (".js", ".mjs", ".cjs", ".ts", ".py")
_SKIPPED = re.compile(
    r"^(node_modules|bower_components|vendor|venv|env|dist|build|site-packages|__pycache__|tests?|spec|docs?)$"
    r"|[._](test|spec|min)\.|^(test_|conftest)"
)

_ROUTE = re.compile(
    r"""(?:@?\b\w+)\.(get|post|put|patch|delete|route)\(\s*["'`](/[^"'`\s]*)["'`]([^\n]*)""", re.IGNORECASE
)
_COMPARED = re.compile(r"""(?:==|\bcase)\s*["'`](/[^"'`\s]*)["'`]""")
_METHODS = re.compile(r"""methods\s*=\s*[\[(]([^\])]*)""")
_UNPACKED = re.compile(r"\{([^{}]*)\}\s*=\s*(?:await\s+)?req(?:uest)?\.body")
_MEMBER = re.compile(
    r"""(?:req(?:uest)?\??\.(?:body|json|form|get_json\(\))|\b(?:data|payload|form|body))\??"""
    r"""(?:\.get\(\s*["'](\w+)["']|\[\s*["'](\w+)["']\s*\]|\??\.(\w+))"""
)
_FORM = re.compile(r"request\.form|urlencoded")
_SHOWN = re.compile(r"(?:\.json\(|return|jsonify\(|JSONResponse\()\s*(?:\(?\s*)(?:dict\()?\{?\s*([^;\n]*)")
_KEY = re.compile(r"""["']?\b([A-Za-z_]\w*)["']?\s*[:=,}]""")
_STATUS = re.compile(r"(?:sendStatus|\bstatus)\((\d{3})\)|(?:return|,)\s*[^\n]*?,\s*(20\d)\b|status_code\s*=\s*(2\d\d)")
_OWN = frozenset({"get", "json", "form", "body", "user_id", "length", "trim"})


def read(folder: Path) -> tuple[Endpoint, ...]:
    """The routes of the sources in that folder; what no pattern knows is left out."""
    return tuple(endpoint for path in sources(folder) for endpoint in _routes(path, folder))


def sources(folder: Path) -> list[Path]:
    """Files of source code, those of others (libraries, tests) left out; so many at most, and none far down."""
    found: list[Path] = []
    for seen, (top, folders, names) in enumerate(os.walk(folder)):
        depth = len(Path(top).relative_to(folder).parts)
        folders[:] = sorted(
            name for name in folders if not _SKIPPED.search(name) and name[:1] != "." and depth < DEEPEST
        )
        found += [Path(top, name) for name in sorted(names) if name.endswith(SOURCES) and not _SKIPPED.search(name)]
        if len(found) >= MOST_FILES or seen >= MOST_FOLDERS:
            break
    return found[:MOST_FILES]


def _routes(path: Path, folder: Path) -> Iterator[Endpoint]:
    try:
        if path.stat().st_size > MOST_BYTES:
            return
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    found = list(_ROUTE.finditer(text))
    for index, route in enumerate(found):
        end = found[index + 1].start() if index + 1 < len(found) else len(text)
        handler = text[route.start() : min(end, route.start() + 3000)]
        line = text.count("\n", 0, route.start()) + 1
        for method in _methods(route):
            whole = _holes(route[2])
            where = f"{method.upper()} {whole} in {path.relative_to(folder).as_posix()}:{line}"
            yield _endpoint(method, whole, handler, where)
    for compared in _COMPARED.finditer(text):
        if words.HEALTH.search(compared[1]):
            line = text.count("\n", 0, compared.start()) + 1
            where = f"{compared[1]} is compared with in {path.relative_to(folder).as_posix()}:{line}"
            yield Endpoint(method="get", path=compared[1], where=where)


def _methods(route: re.Match[str]) -> list[str]:
    if route[1].lower() != "route":
        return [route[1].lower()]
    said = _METHODS.search(route[3])
    return re.findall(r"[a-z]+", said[1].lower()) if said else ["get"]


def _holes(path: str) -> str:
    """`:id` and `<int:id>` as `{id}`."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
    return re.sub(r":(\w+)", r"{\1}", path)


def _endpoint(method: str, path: str, handler: str, where: str) -> Endpoint:
    names = _fields(handler) if method != "get" else []
    shown = [key for said in _SHOWN.findall(handler) for key in _KEY.findall(said) if key not in _OWN]
    statuses = [int(code) for each in _STATUS.findall(handler) for code in each if code.startswith("2")]
    return Endpoint(
        method=method,
        path=path,
        where=where,
        body="form" if _FORM.search(handler) else "json" if names else "",
        fields=tuple(Field(path=name, required=True) for name in names),
        shows=tuple(Field(path=key) for key in dict.fromkeys(shown)),
        statuses=tuple(dict.fromkeys(statuses)) if len(set(statuses)) == 1 else (),
        secured=None if method != "get" else bool(words.IDENTITY.search(path)) or None,
    )


def _fields(handler: str) -> list[str]:
    unpacked = [name for said in _UNPACKED.findall(handler) for name in re.findall(r"(\w+)\s*(?:[,:=]|$)", said)]
    members = [name for each in _MEMBER.findall(handler) for name in each if name and name not in _OWN]
    return list(dict.fromkeys(unpacked + members))
