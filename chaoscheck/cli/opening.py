"""A page shown in the user's browser, where there is one to show it in."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

from chaoscheck.cli.consoles import talk


def open_page(path: Path, opener: Callable[[str], bool] = webbrowser.open) -> bool:
    """Open it; where that can't be done the path was printed, and this says why nothing opened."""
    if not _has_display():
        talk().print("there is no display here, so nothing was opened: open that file in a browser", soft_wrap=True)
        return False
    try:
        opened = opener(path.resolve().as_uri())
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        talk().print("no browser could be started: open that file in one", soft_wrap=True)
    return opened


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32") or os.environ.get("BROWSER"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
