"""Text that anybody may have written, made harmless in Markdown: no markup, no HTML, no link, no mention, no command.

A word that has nothing but letters, digits and quiet punctuation stands as it is; whatever could mean something to
Markdown, GitHub or GitLab stands in a code span, in which nothing means anything.
"""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from chaoscheck.reporting.text import one_line, visible

# Letters and digits with quiet punctuation: no `a://b`, no `:smile:`, no `%1`, no `/close`; and shares, signed numbers.
_QUIET = re.compile(r"[(\"']*[^\W_]+(?:[.,'’/=+-][^\W_]+)*[%.,;:?)\"']*|[-+]?\d[\d.,]*[;)]*|%[.,;)]*|[-+–·=]|…")
_LINKED = re.compile(r"\bwww\.|\bGH-\d|\b[0-9a-f]{7,64}\b", re.IGNORECASE)


def prose(text: str, limit: int = 0) -> str:
    """`text` on one line, to stand within a line of prose or a cell of a table."""
    words = one_line(text, limit).split(" ")
    runs = [(quiet, " ".join(run)) for quiet, run in groupby(words, _is_quiet)]
    return " ".join(run if quiet else code(run) for quiet, run in runs if run)


def code(text: str, limit: int = 0) -> str:
    """`text` on one line as a code span, to stand in a table too: a bar would end its cell, and is broken."""
    flat = one_line(text, limit).replace("|", "¦")
    if not flat:
        return ""
    fence = "`" * (_longest_run(flat) + 1)
    return f"{fence} {flat} {fence}" if flat[0] == "`" or flat[-1] == "`" else f"{fence}{flat}{fence}"


def block(lines: list[str]) -> list[str]:
    """The lines in a fence that none of them can close."""
    body = [line for text in lines for line in visible(text).split("\n")]
    fence = "`" * max(3, _longest_run("\n".join(body)) + 1)
    return [f"{fence}text", *body, fence]


def in_html(text: str, limit: int = 0) -> str:
    """`text` on one line, to stand within an HTML element of Markdown."""
    flat = escape(one_line(text, limit))
    return f"<code>{flat}</code>" if flat else ""


def _is_quiet(word: str) -> bool:
    return _QUIET.fullmatch(word) is not None and not _LINKED.search(word)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
