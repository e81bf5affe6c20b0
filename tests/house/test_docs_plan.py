"""docs/plan.md describes each key of each section with its default, and nothing that doesn't exist."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from samples.pages import ROOT, rows, section

from chaoscheck import plugins
from chaoscheck.plan.load import _INTERPOLATED, OVERRIDES, PREFIX
from chaoscheck.plan.plan import Plan
from chaoscheck.plan.units import seconds, share
from chaoscheck.promises.base import KINDS

plugins.load()
PAGE = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections inside Annotated, Optional, dict and tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models(argument)


def walked(model: type[BaseModel], seen: dict[str, type[BaseModel]]) -> dict[str, type[BaseModel]]:
    """That section and all within it, by name."""
    if model.__name__ not in seen:
        seen[model.__name__] = model
        for field in model.model_fields.values():
            for child in models(field.annotation):
                walked(child, seen)
    return seen


MODELS = walked(Plan, {})
PLACES = {model: heading for heading, model in re.findall(r"^(##+ .+?)\n<!-- (\w+) -->$", PAGE, flags=re.M)}


def table(model: str) -> dict[str, list[str]]:
    """key -> type, default, meaning."""
    return {row[0].strip("`"): row[1:] for row in rows(section(PAGE, PLACES[model]))}


def test_every_section_has_its_heading_and_no_other() -> None:
    """A comment under the heading says which section of the schema it describes."""
    assert set(PLACES) == set(MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_keys_of_the_section_are_the_schema_s(name: str) -> None:
    """Each is described, and none is invented."""
    fields = MODELS[name].model_fields
    assert set(table(name)) == {field.alias or key for key, field in fields.items()}


def _same(told: str, field: FieldInfo) -> bool:
    default = field.default
    if field.is_required():
        return told == "required"
    if default is None or default == () or default == {} or isinstance(default, BaseModel):
        # What is derived, or made of the section's own defaults, is told in words.
        return told != "required"
    text = told.strip("`")
    if isinstance(default, tuple):
        return text == f"[{', '.join(default)}]"
    if isinstance(default, bool) or not isinstance(default, int | float):
        return text == str(default).lower() if isinstance(default, bool) else text == str(default)
    return any(_read(unit, text) == default for unit in (float, seconds, share))


def _read(unit: Any, text: str) -> float | None:
    try:
        return float(unit(text))
    except ValueError:
        return None


@pytest.mark.parametrize("name", sorted(MODELS))
def test_defaults_of_the_section_are_the_schema_s(name: str) -> None:
    """Whoever leaves a key out knows what he gets."""
    told = table(name)
    wrong = {
        key: (told[field.alias or key][1], field.default)
        for key, field in MODELS[name].model_fields.items()
        if not _same(told[field.alias or key][1], field)
    }
    assert wrong == {}


def test_every_key_has_a_type_and_a_meaning() -> None:
    """A row with holes helps nobody."""
    assert [(name, key) for name in MODELS for key, cells in table(name).items() if not all(cells)] == []


def test_environment_overrides_are_all_there() -> None:
    """Each variable, with the key that it overrides."""
    told = {row[0].strip("`"): row[1].strip("`") for row in rows(section(PAGE, "## Environment"))}
    assert told == {PREFIX + name: ".".join(keys) for name, keys in OVERRIDES.items()}


def test_sections_that_read_the_environment_are_named() -> None:
    """`${NAME}` means something there and nowhere else."""
    text = section(PAGE, "## Names and variables")
    said = text[text.index("`${NAME}`") :].split(".")[0]
    assert set(re.findall(r"`(\w+)`", said)) == set(_INTERPOLATED)


def test_options_of_kinds_are_in_the_table_of_promises() -> None:
    """An option's row names each kind that takes it."""
    told = table("Promise")
    assert list(KINDS)
    for name in KINDS:
        for option in KINDS.get(name).options:
            assert f"[{name}](kinds/{name}.md)" in told[option][2], (name, option)
