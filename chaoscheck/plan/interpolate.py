"""${NAME} as compose files understand it, and the files that set such names.

| written | means |
|---|---|
| `$NAME` `${NAME}` | its value; nothing, with a warning, where it isn't set |
| `${NAME:-x}` `${NAME-x}` | x where it is unset or empty (without the colon: unset only) |
| `${NAME:?x}` `${NAME?x}` | an error that says x, in the same cases |
| `${NAME:+x}` `${NAME+x}` | x where it is set and not empty (without the colon: set), else nothing |
| `$$` | a dollar |

x may hold more of these.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping

from dotenv.parser import parse_stream

_DOLLAR = re.compile(r"\$(?:(?P<dollar>\$)|(?P<name>[A-Za-z_]\w*)|(?P<open>\{)|)")
_BRACED = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:(?P<colon>:?)(?P<sign>[-?+])(?P<rest>.*))?", re.DOTALL)


class BadTemplate(ValueError):
    """Not written as above, or a name that must be set isn't; the message is for the user."""


def interpolate(text: str, values: Mapping[str, str], missing: Callable[[str], None] = lambda name: None) -> str:
    """`text` with its names filled in; `missing` hears of those that are not set. Raises BadTemplate."""
    parts: list[str] = []
    at = 0
    while found := _DOLLAR.search(text, at):
        parts.append(text[at : found.start()])
        at = found.end()
        if found["dollar"]:
            parts.append("$")
        elif found["name"]:
            parts.append(_value(found["name"], values, missing))
        elif found["open"]:
            end = _closing(text, at)
            parts.append(_braced(text[at:end], values, missing))
            at = end + 1
        else:
            raise BadTemplate(f"a $ that begins no name in '{text}'; write $$ for a dollar")
    return "".join([*parts, text[at:]])


def _closing(text: str, at: int) -> int:
    depth = 1
    for place in range(at, len(text)):
        if text[place] == "{" and text[place - 1] == "$":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if not depth:
                return place
    raise BadTemplate(f"'{text}' has a ${{ that is never closed")


def _braced(inner: str, values: Mapping[str, str], missing: Callable[[str], None]) -> str:
    found = _BRACED.fullmatch(inner)
    if found is None:
        raise BadTemplate(f"'${{{inner}}}' is no way to write a variable")
    name, sign, rest = found["name"], found["sign"], found["rest"] or ""
    given = bool(values.get(name)) if found["colon"] else name in values
    if not sign:
        return _value(name, values, missing)
    if sign == "+":
        return interpolate(rest, values, missing) if given else ""
    if given:
        return values[name]
    if sign == "-":
        return interpolate(rest, values, missing)
    said = interpolate(rest, values, missing)
    raise BadTemplate(f"{name} must be set" + (f": {said}" if said else ""))


def _value(name: str, values: Mapping[str, str], missing: Callable[[str], None]) -> str:
    if name not in values:
        missing(name)
    return values.get(name, "")


def read_env(text: str, values: Mapping[str, str], *, raw: bool = False) -> dict[str, str | None]:
    """An env file's names and values; None for one that is only named. `values` win where it is interpolated.

    As compose has it: nothing is filled in between single quotes, nor in a `raw` file.
    """
    found: dict[str, str | None] = {}
    for row in parse_stream(io.StringIO(text)):
        if row.key is None:
            continue
        literal = raw or row.value is None or row.original.string.partition("=")[2].lstrip().startswith("'")
        found[row.key] = row.value if literal else _filled(row.value or "", found, values)
    return found


def _filled(text: str, found: Mapping[str, str | None], values: Mapping[str, str]) -> str:
    known = {**{name: value for name, value in found.items() if value is not None}, **values}
    try:
        return interpolate(text, known)
    except BadTemplate:
        return text  # A password may well have a dollar in it.
