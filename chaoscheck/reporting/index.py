"""reports/index.html: every run of a folder on one page, which works offline and without a script."""

from __future__ import annotations

import contextlib
import functools
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup

from chaoscheck.model.verdict import Verdict
from chaoscheck.reporting.assets import environment, index_assets
from chaoscheck.reporting.heads import Head, by_plan, heads
from chaoscheck.reporting.text import one_line
from chaoscheck.reporting.units import SYMBOL, count, plural, span

NAME = "index.html"
MARK = '<meta name="generator" content="chaoscheck">'
"""What tells our page from one of the user's own."""
SHOWN, OPEN, STRIP = 500, 20, 60
"""Runs on the page, rows of a plan that need no click, and verdicts in its strip."""
_AGAIN = 3
ORDER = (*(one.value for one in reversed(Verdict)), "no verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run as a row: `word` is its verdict or "no verdict", `link` leads to its report or is ""."""

    head: Head
    word: str
    symbol: str
    kind: str
    when: str
    said: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanGroup:
    """One plan's runs, newest first; `strip` are the newest of them, oldest first."""

    plan: str
    counts: str
    strip: tuple[Entry, ...]
    open: tuple[Entry, ...]
    rest: tuple[Entry, ...]


def write_index(reports: Path) -> Path | None:
    """Write it, whole or not at all; None where it can't be written or a page of somebody else's is in the way.

    A run that ends while this one looks is looked at again, so the last of several runs lists them all.
    """
    path = reports / NAME
    if not _ours(path):
        return None
    for _ in range(_AGAIN):
        before = _stamps(reports)
        part = reports / f".{NAME}-{os.getpid()}.part"
        try:
            part.write_text(index(heads(reports)), encoding="utf-8")
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            return None
        if _stamps(reports) == before:
            break
    return path


def refresh_index(reports: Path) -> None:
    """Write it again where there is one."""
    if (reports / NAME).exists():
        write_index(reports)


def index(listed: list[Head]) -> str:
    """The page of those runs, newest first."""
    entries = [_entry(one) for one in listed[:SHOWN]]
    byname = {entry.head.run: entry for entry in entries}
    groups = [
        _group(plan, [byname[one.run] for one in ones]) for plan, ones in by_plan(one.head for one in entries).items()
    ]
    words = Counter(entry.word for entry in entries)
    ours = index_assets()
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            groups=groups,
            total=len(listed),
            older=len(listed) - len(entries),
            words=", ".join(f"{words[word]} {word}" for word in ORDER if words[word]) or "Nothing was run yet",
            mark=Markup(MARK),
            style=Markup(ours.style),
            policy=Markup(ours.policy),
        )
    )


def _entry(one: Head) -> Entry:
    word = one.verdict.value if one.verdict else "no verdict"
    folder = quote(os.fsencode(one.run))
    return Entry(
        head=one,
        word=word,
        symbol=SYMBOL[one.verdict] if one.verdict else "·",
        kind=one.verdict.value if one.verdict else "none",
        when=one.started.replace("T", " ").removesuffix("Z"),
        said=one_line(one.reason or one.trouble, 240),
        link=f"{folder}/report.html" if one.report else "",
    )


def _group(plan: str, entries: list[Entry]) -> PlanGroup:
    words = Counter(entry.word for entry in entries)
    return PlanGroup(
        plan=plan,
        counts=", ".join(f"{number} {word}" for word, number in words.most_common()),
        strip=tuple(reversed(entries[:STRIP])),
        open=tuple(entries[:OPEN]),
        rest=tuple(entries[OPEN:]),
    )


def _ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as page:
            return MARK in page.read(2000)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _stamps(reports: Path) -> set[tuple[str, int]]:
    stamps = set()
    with contextlib.suppress(OSError):
        for path in reports.iterdir():
            with contextlib.suppress(OSError):
                stamps.add((path.name, (path / "result.json").stat().st_mtime_ns))
    return stamps


@functools.cache
def _environment() -> Environment:
    return environment(functools.partial(one_line, limit=1000), (span, count, plural))
