"""Frozen dataclasses to plain JSON values and back, by their annotations."""

from __future__ import annotations

import functools
import math
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Unreadable(ValueError):
    """A value that doesn't fit its annotation; says where."""


def encode(value: Any) -> Json:
    """Dataclasses as mappings in their fields' order; a number that isn't finite becomes null, which JSON can say."""
    if is_dataclass(value):
        return {item.name: encode(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Enum):
        return encode(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return typing.cast(Json, value)


def decode(kind: type[T], raw: Any) -> T:
    """A `kind` (a dataclass) of what `encode` made. Unknown keys are left out; raises Unreadable for a misfit."""
    return typing.cast(T, _decode(kind, raw, kind.__name__))


def _decode(kind: Any, raw: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind, raw, where)
    if origin is tuple:
        _must(isinstance(raw, list), where, "a list", raw)
        return tuple(_decode(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(raw))
    if origin is dict:
        _must(isinstance(raw, dict), where, "a mapping", raw)
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in raw.items()}
    if origin is types.UnionType:
        return None if raw is None else _decode(next(arm for arm in arguments if arm is not type(None)), raw, where)
    return _plain(kind, raw, where)


def _dataclass(kind: Any, raw: Any, where: str) -> Any:
    _must(isinstance(raw, dict), where, "a mapping", raw)
    hints = _hints(kind)
    given = {
        item.name: _decode(hints[item.name], raw[item.name], f"{where}.{item.name}")
        for item in fields(kind)
        if item.name in raw
    }
    for item in fields(kind):
        has_default = item.default is not MISSING or item.default_factory is not MISSING
        _must(item.name in given or has_default, where, f"something with '{item.name}'", raw)
    return kind(**given)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _plain(kind: Any, raw: Any, where: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(raw)
        except ValueError:
            raise Unreadable(f"{where} is {raw!r}, which is no {kind.__name__}") from None
    if kind is float:
        _must(raw is None or (isinstance(raw, (int, float)) and not isinstance(raw, bool)), where, "a number", raw)
        return math.nan if raw is None else float(raw)
    _must(isinstance(raw, kind) and (kind is bool or not isinstance(raw, bool)), where, kind.__name__, raw)
    return raw


def _must(holds: bool, where: str, wanted: str, raw: Any) -> None:
    if not holds:
        raise Unreadable(f"{where} should be {wanted}, not {str(raw)[:40]!r}")
