"""A registry takes what fits, once, and names what it refuses."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import pytest

from chaoscheck.errors import PlanError, PluginRefused
from chaoscheck.registry import Registry


class Tool(Protocol):
    """Two methods, a property and a name."""

    name: ClassVar[str]

    @property
    def weight(self) -> int: ...

    def lift(self) -> None: ...

    def _hidden(self) -> None: ...


class Hammer:
    name: ClassVar[str] = "hammer"
    weight = 2

    def lift(self) -> None:
        """Nothing."""


@pytest.fixture
def tools() -> Registry[Any]:
    return Registry("tool", Tool)


def test_plug_in_with_all_parts_is_registered(tools: Registry[Any]) -> None:
    """What a protocol keeps to itself isn't asked for."""
    assert tools.add("hammer")(Hammer) is Hammer
    assert tools.get("hammer") is Hammer
    assert list(tools) == ["hammer"]


def test_second_of_a_name_is_refused_and_the_first_stays(tools: Registry[Any]) -> None:
    tools.add("hammer")(Hammer)
    with pytest.raises(PluginRefused, match="two plug-ins of sort tool are named 'hammer'"):
        tools.add("hammer")(type("Other", (Hammer,), {}))
    assert tools.get("hammer") is Hammer


@pytest.mark.parametrize(
    ("parts", "missing"), [({"name": "saw"}, "lift, weight"), ({"name": "saw", "lift": print}, "weight")]
)
def test_plug_in_without_a_part_is_refused_by_the_part(
    tools: Registry[Any], parts: dict[str, Any], missing: str
) -> None:
    """At registration, not in the middle of a run."""
    with pytest.raises(PluginRefused, match=f"^the tool 'saw' has no {missing}$") as refused:
        tools.add("saw")(type("Saw", (), parts))
    assert __name__ in refused.value.hint
    assert "saw" not in tools


def test_plug_in_that_calls_itself_otherwise_is_refused(tools: Registry[Any]) -> None:
    """A report would name what no plan can."""
    with pytest.raises(PluginRefused, match="the tool registered as 'mallet' calls itself 'hammer'"):
        tools.add("mallet")(Hammer)


def test_registry_without_a_protocol_takes_functions() -> None:
    made: Registry[Any] = Registry("maker")
    made.add("print")(print)
    assert "print" in made


def test_unknown_name_is_answered_with_the_nearest(tools: Registry[Any]) -> None:
    tools.add("hammer")(Hammer)
    with pytest.raises(PlanError, match="no tool is named 'hamer'") as unknown:
        tools.get("hamer")
    assert unknown.value.hint == "did you mean 'hammer'?"
