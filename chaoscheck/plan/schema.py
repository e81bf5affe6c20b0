"""The plan's JSON Schema, for editors."""

from __future__ import annotations

from typing import Any

from chaoscheck.plan.plan import Plan


def schema() -> dict[str, Any]:
    """The plan's JSON Schema as draft-07, which YAML editors read."""
    made = Plan.model_json_schema(mode="validation", by_alias=True)
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_draft7(made), "title": "chaoscheck plan"}


def _draft7(value: Any) -> Any:
    """Pydantic writes 2020-12; draft-07 says definitions and array items otherwise."""
    if isinstance(value, dict):
        renamed = {("definitions" if key == "$defs" else key): _draft7(item) for key, item in value.items()}
        if "prefixItems" in renamed:
            renamed["items"] = renamed.pop("prefixItems")
        return renamed
    if isinstance(value, list):
        return [_draft7(item) for item in value]
    return value.replace("#/$defs/", "#/definitions/") if isinstance(value, str) else value
