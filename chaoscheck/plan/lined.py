"""YAML with the line of every key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from chaoscheck.errors import PlanError

_QUOTE = "is a bracket, a quote or an indent missing? A text with `: `, `#`, `*` or `@` at its head wants quotes"


def parse(text: str, path: Path, what: tuple[str, str]) -> tuple[dict[str, Any], dict[str, int]]:
    """The mapping of that text, and dotted path of a key -> its line. `what` says, and hints, that it must be one."""
    try:
        node = tree(text, path)
        raw = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlanError(f"this is not YAML: {error.problem}", place=f"{path.name}:{line}", hint=_QUOTE) from None
    except yaml.YAMLError as error:
        raise PlanError(f"this is not YAML: {error}", place=path.name, hint=_QUOTE) from None
    except ValueError as error:
        # A date such as 2026-02-30, of which the library doesn't say where it stands.
        raise PlanError(f"a value in it can't be: {error}", place=path.name, hint="is each date a real one?") from None
    if not isinstance(raw, dict):
        raise PlanError(what[0], place=f"{path.name}:1", hint=what[1])
    lines: dict[str, int] = {}
    mark(node, (), lines, path)
    return raw, lines


def tree(text: str, path: Path) -> yaml.Node | None:
    """The nodes of that text. Raises PlanError for one that aliases or nesting blow up beyond what anybody wrote."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        size = _size(node, {})
    except RecursionError:
        raise PlanError("it is nested too deeply", place=path.name, hint=_SMALLER) from None
    if size > MOST_NODES:
        raise PlanError(f"its aliases make it larger than {MOST_NODES} values", place=path.name, hint=_SMALLER)
    return node


MOST_NODES = 200_000
_SMALLER = "write out what its aliases (*name) stand for, as far as it is needed"


def _size(node: yaml.Node | None, sizes: dict[int, int]) -> int:
    """Values in it, each alias counted as what it stands for; too many for one that stands for itself."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in sizes:
        sizes[id(node)] = MOST_NODES + 1
        pairs = isinstance(node, yaml.MappingNode)
        sizes[id(node)] = 1 + sum(_size(part, sizes) for each in node.value for part in (each if pairs else (each,)))
    return sizes[id(node)]


def mark(node: yaml.Node | None, keys: tuple[str, ...], lines: dict[str, int], path: Path) -> None:
    """Note the line of every key; a key written twice is a mistake that YAML itself lets pass."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*keys, str(key.value))
            if ".".join(place) in lines:
                raise PlanError(
                    f"'{key.value}' stands twice here, first at line {lines['.'.join(place)]}",
                    place=f"{path.name}:{key.start_mark.line + 1}",
                    hint="keep one of them, or give each a name of its own",
                )
            lines[".".join(place)] = key.start_mark.line + 1
            mark(value, place, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[".".join((*keys, str(index)))] = value.start_mark.line + 1
            mark(value, (*keys, str(index)), lines, path)
