"""The page's own style and script, and the policy that lets a browser run these and nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "assets"
STYLES = ("uPlot.min.css", "report.css", "sessions.css")
SCRIPTS = ("uPlot.iife.min.js", "report.js")
LICENCE = "uPlot.LICENSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """What stands between the tags, and the page's content security policy."""

    style: str
    script: str
    policy: str


@functools.cache
def assets() -> Assets:
    """Every style in one element and every script in another, each allowed by its hash."""
    style = _joined(STYLES)
    # Every page is a copy of the library, so its licence goes along.
    script = f"/*!\n{_joined((LICENCE,))}\n*/\n{_joined(SCRIPTS)}"
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return Assets(style=style, script=script, policy=policy)


def _joined(names: tuple[str, ...]) -> str:
    text = "\n".join((_FOLDER / name).read_text(encoding="utf-8").strip() for name in names)
    if "</script" in text or "</style" in text or "\r" in text:
        raise ValueError(f"one of {', '.join(names)} would end its element, or be changed by a parser")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
