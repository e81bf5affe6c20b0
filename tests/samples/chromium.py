"""A real browser that notes what a page says, asks for and shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LIMIT_MS = 20_000
CANARY = "canary.invalid"
BAIT = (
    f'<script>document.title = "owned"; fetch("http://{CANARY}/js")</script>'
    f'<img src="http://{CANARY}/img" onerror="x()">'
    f"\"'></script></style><svg onload=\"fetch('http://{CANARY}/on')\">\x1b[31m\u202egnp.exe\u2066\x07"
)
SECRET = "hunter2-very-secret-42"
VIEWS = ["gates", "findings", "timeline", "kills", "matrix", "sessions", "phases", "outcomes", "generator"]
VIEWS += ["evidence", "plan"]
LAID_OUT = """ids => ids.filter(id => {
  const box = document.getElementById(id)?.getBoundingClientRect();
  return !box || box.width < 40 || box.height < 10;
})"""


@dataclass(slots=True)
class Shown:
    """An open page; `said` is its console with its errors, `asked` every address that it wanted."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def go(self, address: Path | str) -> Page:
        """Load that file or address; what was noted before is forgotten."""
        self.said.clear()
        self.asked.clear()
        self.page.goto(address.as_uri() if isinstance(address, Path) else address)
        return self.page

    def all(self, script: str) -> Any:
        """What that JavaScript comes to in the page."""
        return self.page.evaluate(script)


@contextmanager
def chromium() -> Iterator[Browser]:
    """This machine's Chromium; without one the test is skipped, and says so."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("NO BROWSER: install chromium to test the HTML report in one")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: Path | str = "about:blank", **context: Any) -> Iterator[Shown]:
    """That file or address, loaded; `context` are playwright's settings of a browser context."""
    made = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    try:
        page = made.new_page()
        page.set_default_timeout(LIMIT_MS)
        shown = Shown(page)
        page.on("console", lambda message: shown.said.append(message.text))
        page.on("pageerror", lambda error: shown.said.append(str(error)))
        page.on("request", lambda request: shown.asked.append(request.url))
        shown.go(address)
        yield shown
    finally:
        made.close()


def missing(shown: Shown, ids: Sequence[str] = VIEWS) -> list[str]:
    """Views that have no place on the page."""
    return list(shown.page.evaluate(LAID_OUT, list(ids)))


def assert_harmless(browser: Browser, report: Path, words: str) -> None:
    """Nothing ran, nothing was asked for, nothing leaked, nothing is out of shape, and the words are there to read."""
    text = report.read_text(encoding="utf-8")
    assert SECRET not in text
    with opened(browser, report) as shown:
        page = shown.page
        assert page.title().endswith("· chaoscheck")
        assert shown.said == [] and shown.asked == [report.as_uri()]
        assert page.locator("script").count() == 2 and page.locator("img, [onload], [onerror]").count() == 0
        seen = page.evaluate("document.body.textContent")
        assert words in seen
        assert not set("\x1b\x07\u202e\u2066") & set(seen)
        assert missing(shown) == []
        assert shown.all("document.documentElement.scrollWidth") <= 1280
