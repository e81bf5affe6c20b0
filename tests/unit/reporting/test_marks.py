"""Hostile text in Markdown and in workflow commands: whatever it holds, it stays text."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from chaoscheck.reporting.marks import block, code, in_html, prose

NASTY = st.text(alphabet=st.sampled_from([*"`|<>&@#!~$%*_[]()\\/:.-+=\n\r\t \"'a1wgh", "\x1b", "\u202e", "\u2028"]))
HOSTILE = st.one_of(NASTY, st.text())


def outside_code(text: str) -> str:
    """What is left of a line when its code spans are taken out, as CommonMark finds them."""
    left, at = [], 0
    while (start := text.find("`", at)) >= 0:
        fence = re.match("`+", text[start:])
        assert fence is not None
        end = re.search(rf"(?<!`){fence[0]}(?!`)", text[start + len(fence[0]) :])
        assert end is not None, "a fence is left open"
        left.append(text[at:start])
        at = start + len(fence[0]) + end.end()
    return "".join([*left, text[at:]])


@settings(deadline=None, max_examples=150)
@given(HOSTILE)
@example("a `b`` c")
@example("x|y @me #1 <img> http://evil www.evil.com :smile: %1 ~bug GH-12 deadbeef00 ![a](b) /close")
def test_prose_leaves_nothing_outside_of_code_that_means_anything(text: str) -> None:
    """No markup, tag, link, mention, reference, emoji or quick action, on GitHub or GitLab."""
    made = prose(text)
    quiet = outside_code(made)
    assert "\n" not in made and "|" not in made
    assert not set(quiet) & set("`<>&@#!~$*_[]\\|{}^")
    assert not re.search(r"://|\bwww\.|\bGH-\d|\b[0-9a-f]{7,64}\b|:\w+:|%\w|(^|\s)/", quiet, re.IGNORECASE)


@settings(deadline=None, max_examples=150)
@given(HOSTILE)
@example("a\\|b")
@example("\\")
def test_prose_and_code_are_text_to_a_parser_of_markdown(text: str) -> None:
    """In a line and in a cell: nothing but text and code, and as many cells as were meant."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    cells = f"| a | b |\n|---|---|\n| x {prose(text)} | {code(text)} |\n"
    for source, lines in ((f"x {prose(text)} y {code(text)} z", 1), (cells, 4)):
        tokens = [token for token in parser.parse(source) if token.type == "inline"]
        assert len(tokens) == lines
        inner = {child.type for token in tokens for child in token.children or ()}
        assert inner <= {"text", "code_inline"}, (source, inner)


@settings(deadline=None, max_examples=150)
@given(HOSTILE)
def test_code_is_one_span(text: str) -> None:
    """A text of any backticks stays within its own fence, in a cell of a table too."""
    made = code(text)
    assert outside_code(made) == "" and "|" not in made and "\n" not in made


@settings(deadline=None, max_examples=150)
@given(st.lists(HOSTILE, max_size=5))
@example(["a", "```"])
@example(["`````` x"])
def test_block_ends_where_it_should(lines: list[str]) -> None:
    """No line of it closes the fence."""
    first, *body, last = block(lines)
    fence = first.removesuffix("text")
    assert last == fence and set(fence) == {"`"}
    assert not any(fence in line for line in body)


@settings(deadline=None, max_examples=150)
@given(HOSTILE)
def test_html_holds_no_tag_of_the_text(text: str) -> None:
    """Within a summary element Markdown means nothing, and HTML does."""
    inner = in_html(text).removeprefix("<code>").removesuffix("</code>")
    assert not set(inner) & set("<>\"'\n")


@pytest.mark.parametrize(
    "text",
    ["345 logins lost: sessions live in memory (or on the disk) of web-1.1", "0.84 % of 299, +13 more", "a, b; c"],
)
def test_prose_of_our_own_words_is_left_as_it_is(text: str) -> None:
    """What reads like a sentence isn't riddled with code."""
    assert prose(text) == text
