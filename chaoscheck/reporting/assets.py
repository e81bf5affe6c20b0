"""What pages are made of: templates, style and script, and the policy that lets a browser run nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

_FOLDER = Path(__file__).parent / "assets"
_STYLES = ("uPlot.min.css", "report.css", "sessions.css")
_SCRIPTS = ("uPlot.iife.min.js", "report.js")
_LICENCE = "uPlot.LICENSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """What stands between the tags, and the page's content security policy, which allows each by its hash."""

    style: str
    script: str = ""

    @property
    def policy(self) -> str:
        script = f"script-src '{_hash(self.script)}'; " if self.script else ""
        return (
            f"default-src 'none'; {script}style-src '{_hash(self.style)}'; img-src data:; "
            "base-uri 'none'; form-action 'none'"
        )


@functools.cache
def report_assets() -> Assets:
    """Every style in one element and every script in another."""
    # Every page is a copy of the library, so its licence goes along.
    return Assets(style=_joined(_STYLES), script=f"/*!\n{_joined((_LICENCE,))}\n*/\n{_joined(_SCRIPTS)}")


@functools.cache
def index_assets() -> Assets:
    return Assets(style=_joined(("index.css",)))


def environment(safe: Callable[[str], str], measures: Iterable[Callable[..., str]]) -> Environment:
    """Templates in which every text passes `safe`, but what they themselves made; `measures` are their filters."""

    def finalize(value: Any) -> Any:
        return safe(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(
        loader=PackageLoader("chaoscheck.reporting", "assets"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    made.filters |= {measure.__name__: measure for measure in measures}
    return made


def _joined(names: tuple[str, ...]) -> str:
    text = "\n".join((_FOLDER / name).read_text(encoding="utf-8").strip() for name in names)
    if "</script" in text or "</style" in text or "\r" in text:
        raise ValueError(f"one of {', '.join(names)} would end its element, or be changed by a parser")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
