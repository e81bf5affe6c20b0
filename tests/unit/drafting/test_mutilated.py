"""Files of other tools that are damaged, cut or made up: a sentence, or a guess, and never a crash."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import yaml
from samples.drafts import SAMPLES

from chaoscheck.drafting import endpoints, har, openapi, recorded
from chaoscheck.errors import PlanError

JUNK: list[Any] = [None, 1, -1, "", [], {}, "x", True, [1], {"a": 1}, "\x00\x1b[31m", "$ref", 3.5, [{}], {"$ref": "#/"}]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document that something could be put into."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in pairs:
        yield value, key
        yield from places(each)


def damaged(whole: Any, seed: int) -> Any:
    made, dice = copy.deepcopy(whole), random.Random(seed)
    for _ in range(dice.choice((1, 2, 5, 20))):
        holder, key = dice.choice(list(places(made)))
        holder[key] = copy.deepcopy(dice.choice(JUNK))
    return made


@pytest.mark.parametrize("name", ["node.har", "kinto.har"])
def test_damaged_recording_is_read_or_refused(name: str) -> None:
    """Whatever stands where."""
    whole = json.loads((SAMPLES / name).read_text())
    for seed in range(60):
        with suppress(PlanError):
            recorded.promises(har.read(json.dumps(damaged(whole, seed)), name), name)


def test_damaged_description_is_read_or_refused() -> None:
    """Whatever stands where, references included."""
    whole = yaml.safe_load((SAMPLES / "token-api.yaml").read_text())
    for seed in range(150):
        with suppress(PlanError):
            endpoints.promises(openapi.read(json.dumps(damaged(whole, seed)), "x").endpoints)
