"""report.html: one file that needs nothing but a browser, readable without script or style, and on paper."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from chaoscheck.model.events import Event
from chaoscheck.model.verdict import Result
from chaoscheck.reporting import units
from chaoscheck.reporting.assets import assets
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
    made = Environment(
        loader=PackageLoader("chaoscheck.reporting", "assets"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_safe,
    )
    measures = (units.clock, units.span, units.millis, units.between, units.percent, units.count, units.plural)
    for measure in (*measures, units.chance):
        made.filters[measure.__name__] = measure
    made.globals |= {"is_request": is_request, "happened": happened, "seen_on": units.seen_on}
    ours = assets()
    made.globals |= {"style": Markup(ours.style), "script": Markup(ours.script), "policy": Markup(ours.policy)}
    return made


def _safe(value: Any) -> Any:
    """Every text on its way into the page; what templates themselves made is left as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    cut = value if len(value) <= LONGEST else f"{value[:LONGEST]} … ({len(value) - LONGEST:,} characters more)"
    return visible(cut)
