"""Variables in compose files: each way to write one means what the specification says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.plan.interpolate import BadTemplate, interpolate, read_env

VALUES = {"A": "a", "EMPTY": "", "_x1": "under"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$A ${A} $_x1!", "a a under!"),
        ("$$A $${A}", "$A ${A}"),
        ("${NONE:-d} ${NONE-d} ${EMPTY:-d} [${EMPTY-d}]", "d d d []"),
        ("[${A:+p}${A+p}][${EMPTY:+p}${EMPTY+p}][${NONE+p}]", "[pp][p][]"),
        ("${A:?no} ${A?no} [${EMPTY?no}]", "a a []"),
        ("${NONE:-${A}-${OTHER:-$$5}}", "a-$5"),
        ("redis://${NONE:-u:p@h:6379/0}", "redis://u:p@h:6379/0"),
        ("${NONE:-}", ""),
        ("no variable", "no variable"),
    ],
)
def test_each_form_is_filled_in(text: str, filled: str) -> None:
    assert interpolate(text, VALUES) == filled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${NONE:?say it}", "NONE must be set: say it"),
        ("${EMPTY:?}", "EMPTY must be set"),
        ("${NONE?for ${A}}", "NONE must be set: for a"),
        ("costs 5$", "begins no name"),
        ("$1", "begins no name"),
        ("${A", "never closed"),
        ("${}", "no way to write"),
        ("${A!x}", "no way to write"),
    ],
)
def test_what_can_not_be_filled_in_says_why(text: str, said: str) -> None:
    with pytest.raises(BadTemplate, match=said):
        interpolate(text, VALUES)


def test_unset_names_are_nothing_and_are_told() -> None:
    """Compose goes on with nothing; whoever reads its file should know."""
    told: list[str] = []
    assert interpolate("[$NONE][${NONE}][${NONE:-}]", {}, told.append) == "[][][]"
    assert told == ["NONE", "NONE"]


@given(st.text())
def test_text_with_its_dollars_doubled_comes_back(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), {}) == text


def test_env_file_is_filled_in_but_for_single_quotes() -> None:
    """The shell's word wins over the file's within values, as compose has it."""
    text = "A=1\nexport B=\"x ${A} $S\"\nC='$A'\nD=$A # said\nBARE\nEMPTY=\n# no\nODD=pa$$w$\nS=file\n"
    assert read_env(text, {"S": "shell"}) == {
        "A": "1",
        "B": "x 1 shell",
        "C": "$A",
        "D": "1",
        "BARE": None,
        "EMPTY": "",
        "ODD": "pa$$w$",
        "S": "file",
    }
    assert read_env("A=$B", {"B": "1"}, raw=True) == {"A": "$B"}
