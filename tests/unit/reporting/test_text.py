"""Hostile text: nothing that steers a terminal or a reader's eyes comes through."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoscheck.reporting.text import one_line, visible
from chaoscheck.reporting.units import between, clock, count, millis, percent, span


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_text_of_any_kind_becomes_harmless(text: str) -> None:
    """No control, direction or surrogate character survives, and it can be written as UTF-8."""
    safe = visible(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cs") or char in "\n\t" for char in safe)
    turning = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    assert not any(unicodedata.bidirectional(char) in turning for char in safe)
    safe.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "⟨ESC⟩[31m"),
        ("a\u202eb", "a⟨RLO⟩b"),
        ("\x00", "⟨NUL⟩"),
        ("\x90", "⟨U+0090⟩"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("\ud800", "⟨U+D800⟩"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("grüße שלום", "grüße שלום"),
    ],
)
def test_text_marks_name_what_was_there(text: str, shown: str) -> None:
    """A reader sees that something was hidden there; ordinary words of any language stay."""
    assert visible(text) == shown


def test_one_line_is_one_line_and_no_longer_than_asked() -> None:
    """Line ends become spaces; a cut is marked."""
    assert one_line(" a\n b\tc ") == "a b c"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"


def test_units_never_turn_nothing_into_zero() -> None:
    """What wasn't seen is a dash, not 0."""
    times = [clock(-1), millis(-1.0), millis(float("nan")), between(-1, 5), between(5, -1), span(-1)]
    assert {*times, count(-1)} == {"–"}


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.00001, "< 0.01 %"),
        (0.99999, "> 99.99 %"),
        (0.0097, "0.97 %"),
        (0.393, "39.3 %"),
        (0.999, "99.90 %"),
    ],
)
def test_percent_never_rounds_to_none_or_all(share: float, shown: str) -> None:
    """1 in 100,000 isn't 0 %."""
    assert percent(share) == shown


@pytest.mark.parametrize(("ns", "shown"), [(0, "0.000 s"), (15_025_000_000, "15.025 s"), (184_500_000_000, "3:04.5")])
def test_clock_reads_as_a_time(ns: int, shown: str) -> None:
    """Milliseconds matter near a kill; minutes in a long run."""
    assert clock(ns) == shown
