"""report.html: one file that needs nothing but a browser, readable without script or style, and on paper."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment
from markupsafe import Markup

from chaoscheck.model.events import Event
from chaoscheck.model.verdict import Result
from chaoscheck.reporting import units
from chaoscheck.reporting.assets import environment, report_assets
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.reporting.cards import LONGEST
from chaoscheck.reporting.chain import happened, is_request
from chaoscheck.reporting.page import page
from chaoscheck.reporting.text import visible


@REPORTERS.add("html")
class HtmlReporter:
    """Renders the page. Whatever a service answered is text in it: escaped, its control characters made visible."""

    name: ClassVar[str] = "html"
    file: ClassVar[str] = "report.html"

    def write(self, result: Result, events: list[Event], folder: Path) -> Path:
        path = folder / self.file
        path.write_text(html(result, events, folder), encoding="utf-8")
        return path


def html(result: Result, events: list[Event], folder: Path) -> str:
    """The whole page."""
    shown = page(result, events, folder)
    made = _environment().get_template("report.html.j2")
    return made.render({name: getattr(shown, name) for name in shown.__slots__})


@functools.cache
def _environment() -> Environment:
    times = (units.clock, units.span, units.millis, units.between)
    made = environment(_safe, (*times, units.percent, units.count, units.plural, units.chance))
    made.globals |= {"is_request": is_request, "happened": happened, "seen_on": units.seen_on}
    ours = report_assets()
    made.globals |= {"style": Markup(ours.style), "script": Markup(ours.script), "policy": Markup(ours.policy)}
    return made


def _safe(text: str) -> str:
    return visible(text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST:,} characters more)")
