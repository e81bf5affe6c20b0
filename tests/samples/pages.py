"""The project's documentation as tests read it: code blocks, code spans, tables, headings, links."""

from __future__ import annotations

import re
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("docs/**/*.md"))
TEXTS = sorted([*ROOT.glob("*.md"), *PAGES, *ROOT.glob("targets/**/README.md")])

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```", flags=re.S | re.M)
_COMMAND = re.compile(r"(?:^|[\s$(;&|])chaoscheck +(?P<words>[a-z-][^\n`|;&#)]*)")


class Block(NamedTuple):
    """A fenced block: `line` is where its text begins."""

    language: str
    text: str
    line: int


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(text: str, *languages: str) -> list[Block]:
    """Fenced blocks of those languages (all without any), without their indentation."""
    found = []
    for match in _FENCE.finditer(text):
        indent = len(match["indent"])
        lines = [line[indent:] for line in match["text"].splitlines()]
        line = text.count("\n", 0, match.start("text")) + 1
        found.append(Block(match["language"], "\n".join(lines) + "\n", line))
    return [block for block in found if not languages or block.language in languages]


def prose(text: str) -> str:
    """All but the fenced blocks."""
    return _FENCE.sub("", text)


def spans(text: str) -> list[str]:
    """Code spans of the prose."""
    return re.findall(r"`([^`\n]+)`", prose(text))


def commands(text: str) -> list[str]:
    """What stands after `chaoscheck` wherever code calls it: in spans, and in blocks of the shell and of CI files."""
    places = [block.text for block in blocks(text) if block.language in ("console", "sh", "yml", "groovy", "yaml")]
    indented = re.findall(r"^ {4}(chaoscheck .*)$", prose(text), flags=re.M)
    whole = [re.sub(r"\\\n\s*", "", place) for place in [*places, *spans(text), *indented]]
    found = [match["words"] for place in whole for match in _COMMAND.finditer(place)]
    return [_closed(words.partition(" > ")[0].strip()) for words in found]


def _closed(words: str) -> str:
    """Without the quote that ends what the call itself stands in."""
    return words[:-1] if words[-1:] in ("'", '"') and words.count(words[-1]) % 2 else words


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.+?)\s*$", prose(text), flags=re.M)


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    made: set[str] = set()
    for heading in headings(text):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        slug, number = plain, 0
        while slug in made:
            number += 1
            slug = f"{plain}-{number}"
        made.add(slug)
    return made


def section(text: str, heading: str) -> str:
    """What stands under that heading (with its marks), up to the next of the same rank or higher."""
    rank = heading.index(" ")
    begins = re.search(rf"^{re.escape(heading)}\s*$", text, flags=re.M)
    assert begins, f"no heading '{heading}'"
    rest = text[begins.end() :]
    ends = re.search(rf"^#{{1,{rank}}} ", rest, flags=re.M)
    return rest[: ends.start()] if ends else rest


def rows(text: str) -> list[list[str]]:
    """The cells of the first table in it, without head and rule; empty without a table."""
    lines = list(dropwhile(lambda line: not line.startswith("|"), text.splitlines()))
    table = list(takewhile(lambda line: line.startswith("|"), lines))
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in table[2:]]


def links(text: str) -> list[str]:
    """Targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))
