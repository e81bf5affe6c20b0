"""plan.yaml, environment and flags -> one frozen, validated plan, or a sentence that names the line."""

from __future__ import annotations

import json
import os
import re
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from chaoscheck.errors import PlanError
from chaoscheck.model.secrecy import MASK, secrets_in
from chaoscheck.plan.compose import composed
from chaoscheck.plan.lined import mark, parse, tree
from chaoscheck.plan.plan import LoadedPlan, Plan
from chaoscheck.registry import nearest

PREFIX = "CHAOSCHECK_"
OVERRIDES = {
    "ENGINE": ("engine",),
    "INSTANCES": ("instances",),
    "SEED": ("seed",),
    "IMAGE": ("target", "image"),
    "BALANCER": ("balancer", "kind"),
    "BALANCER_IMAGE": ("balancer", "image"),
    "URL": ("balancer", "url"),
    "PUBLISH": ("addresses", "publish"),
    "HOST": ("addresses", "host"),
    "USERS": ("traffic", "users"),
    "RATE": ("traffic", "rate"),
    "WORKERS": ("traffic", "workers"),
    "ROUNDS": ("chaos", "rounds"),
    "SHAMS": ("chaos", "shams"),
    "AT_MOST": ("chaos", "at_most"),
    "BASELINE": ("chaos", "baseline"),
    "MAX_LOSS": ("evidence", "max_loss"),
}
"""CHAOSCHECK_<name> -> the key of the plan that it overrides."""

_PLAN = ("a plan is a mapping of sections", "it needs at least target and promises")
_INTERPOLATED = ("target", "stores", "accounts", "secrets")
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load_plan(
    path: Path, *, overrides: Mapping[tuple[str, ...], Any] | None = None, environment: Mapping[str, str] | None = None
) -> LoadedPlan:
    """The plan of that file; `overrides` (key path -> value) win over the environment, which wins over the file.

    Raises PlanError with `file:line`, what is wrong there, and the nearest known name.
    """
    environment = os.environ if environment is None else environment
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PlanError(f"can't read the plan {path}: {error.strerror}", hint="give the path of a plan.yaml") from None
    except UnicodeDecodeError:
        raise PlanError(f"the plan {path} is not UTF-8 text", hint="save it as UTF-8") from None
    raw, lines = parse(text, path, _PLAN)
    for keys, value in _from_environment(environment).items():
        _set(raw, keys, value)
    for keys, value in (overrides or {}).items():
        _set(raw, keys, value)
    filled = {name: environment[name] for name in sorted(_named(raw) & environment.keys())}
    for section in _INTERPOLATED:
        if section in raw:
            raw[section] = _interpolate(raw[section], environment, f"{path.name}:{lines.get(section, 1)}")
    taken = composed(raw, path, lines, environment)
    plan = _validate(raw, path, lines, _Discreet(filled))
    return LoadedPlan(
        plan=plan,
        path=path.resolve(),
        text=text,
        lines=lines,
        taken=taken.taken,
        doubts=taken.doubts,
        filled=filled,
    )


def key_lines(text: str, path: Path) -> dict[str, int]:
    """The line of each key and item of a plan's text, by its dotted path; empty for what is no YAML mapping."""
    lines: dict[str, int] = {}
    try:
        mark(tree(text, path), (), lines, path)
    except (yaml.YAMLError, PlanError):
        return {}
    return lines


def unset_names(path: Path, environment: Mapping[str, str]) -> list[str]:
    """Variables that the plan needs and the environment lacks; none of a file that can't be read, as loading will say.

    Raises PlanError for what is no YAML.
    """
    try:
        raw, _ = parse(path.read_text(encoding="utf-8"), path, _PLAN)
    except (OSError, UnicodeDecodeError):
        return []
    return sorted(_named(raw, without_default=True) - environment.keys())


def _named(raw: Mapping[str, Any], *, without_default: bool = False) -> set[str]:
    """Variables of the environment that stand in it."""
    text = json.dumps([raw.get(section) for section in _INTERPOLATED], default=str)
    return {found[1] for found in _ENV.finditer(text) if not (without_default and found[2] is not None)}


def as_written(keys: Sequence[str], lines: Mapping[str, int]) -> list[str]:
    """Without what a short form left out: `accounts: [ann, 5]` has no `names`, and a step that is no list no number."""
    written: list[str] = []
    for key, then in zip(keys, [*keys[1:], ""], strict=False):
        skipped = ".".join([*written, key]) not in lines and ".".join([*written, then]) in lines
        if not (then and skipped):
            written.append(key)
    return written


def _from_environment(environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    return {keys: environment[PREFIX + name] for name, keys in OVERRIDES.items() if environment.get(PREFIX + name)}


def _set(raw: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        child = raw.setdefault(key, {})
        if not isinstance(child, dict):
            return
        raw = child
    raw[keys[-1]] = value
    if keys == ("image",) or keys[-1] == "image":
        raw.pop("build", None)


def _interpolate(value: Any, environment: Mapping[str, str], place: str) -> Any:
    if isinstance(value, dict):
        return {key: _interpolate(item, environment, place) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolate(item, environment, place) for item in value]
    if not isinstance(value, str):
        return value

    def fill(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if name in environment:
            return environment[name]
        if default is not None:
            return default
        raise PlanError(
            f"${{{name}}} is not set in the environment",
            place=place,
            hint=f"export {name}=... or write ${{{name}:-default}}",
        )

    return _ENV.sub(fill, value)


class _Discreet:
    """Shows what a user wrote, without what variables named like a secret filled in: mistakes are told in CI's logs."""

    def __init__(self, filled: Mapping[str, str]) -> None:
        secrets = set(secrets_in(filled))
        forms = sorted(secrets | {repr(text)[1:-1] for text in secrets}, key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, forms))) if forms else None

    def __call__(self, text: str) -> str:
        return self._secret.sub(MASK, text) if self._secret is not None else text


def _validate(raw: dict[str, Any], path: Path, lines: dict[str, int], discreet: _Discreet) -> Plan:
    try:
        return Plan.model_validate(raw)
    except ValidationError as error:
        first = min(error.errors(), key=lambda item: _rank(item))
        raise _as_plan_error(first, path, lines, discreet) from None


def _rank(item: Any) -> tuple[int, int]:
    """Unknown keys first: they are most often the reason for what else is amiss."""
    return (0 if item["type"] == "extra_forbidden" else 1, -len(item["loc"]))


def _as_plan_error(item: Any, path: Path, lines: dict[str, int], discreet: _Discreet) -> PlanError:
    loc = [str(part) for part in item["loc"] if not str(part).startswith(("function-", "literal[", "list[", "tuple["))]
    keys = as_written(loc, lines)
    place = _place(keys, path, lines)
    dotted = ".".join(keys)
    match item["type"]:
        case "extra_forbidden":
            known = _fields_at(Plan, loc[:-1])
            where = f" in {'.'.join(keys[:-1])}" if len(keys) > 1 else ""
            return PlanError(
                f"unknown key '{keys[-1]}'{where}", place=place, hint=nearest(keys[-1], known) if known else _SCHEMA
            )
        case "missing":
            where = f" in {'.'.join(keys[:-1])}" if len(keys) > 1 else ""
            return PlanError(
                f"missing key '{keys[-1]}'{where}", place=_place(keys[:-1], path, lines), hint=_hint(loc[:-1])
            )
        case "value_error":
            reason = discreet(str(item["ctx"]["error"]))
            if not keys:
                # What is wrong between sections begins with the name of one.
                place = _place(re.findall(r"\w+", reason)[:1], path, lines)
            return PlanError(f"{dotted}: {reason}" if dotted else reason, place=place, hint=_SCHEMA)
        case _ if item["input"] is None and dotted in _EMPTY:
            message, hint = _EMPTY[dotted]
            return PlanError(message, place=place, hint=hint)
        case _:
            given = discreet(repr(item["input"]))
            shown = given if len(given) <= 60 else given[:57] + "..."
            said = _WORDS.get(item["type"], discreet(item["msg"][:1].lower() + item["msg"][1:]))
            return PlanError(f"{dotted}: {said}, not {shown}", place=place, hint=_hint(loc))


_EMPTY = {
    "promises": ("no promise yet: nothing stands below `promises:`", "uncomment one and fill it in, or write one"),
    "target": ("nothing to run yet: nothing stands below `target:`", "say image, build or command there"),
}
"""Sections of which a plan that was just begun has no more than the name."""

_SCHEMA = "`chaoscheck schema` tells what may stand there"


def _hint(loc: list[str]) -> str:
    """The keys that a mapping there may have; else where to find out."""
    known = sorted(_fields_at(Plan, loc))
    return f"its keys: {', '.join(known)}" if 0 < len(known) <= 12 else _SCHEMA


_WORDS = {
    "model_type": "must be a mapping of keys",
    "dict_type": "must be a mapping of keys",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
    "string_type": "must be a text",
}
"""Where the library's own sentence speaks of its classes."""


def _place(keys: list[str], path: Path, lines: dict[str, int]) -> str:
    for size in range(len(keys), 0, -1):
        line = lines.get(".".join(keys[:size]))
        if line is not None:
            return f"{path.name}:{line}"
    return f"{path.name}:1"


def _fields_at(model: type[BaseModel], keys: list[str]) -> set[str]:
    """Names of the keys allowed at that place of the plan; empty when any are."""
    current: Any = model
    for key in keys:
        current = _child(current, key)
        if current is None:
            return set()
    if isinstance(current, type) and issubclass(current, BaseModel):
        return {field.alias or name for name, field in current.model_fields.items()}
    return set()


def _child(kind: Any, key: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if key in (name, field.alias):
                return _model_in(field.annotation)
        return None
    arguments = typing.get_args(kind)
    return _model_in(arguments[-1] if typing.get_origin(kind) is dict else arguments[0]) if arguments else None


def _model_in(annotation: Any) -> Any:
    """The model, dict or tuple inside Annotated and Optional."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _model_in(typing.get_args(annotation)[0])
    if origin in (dict, tuple, list):
        return annotation
    for argument in typing.get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
