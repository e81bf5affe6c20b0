"""report.html in a real browser: it asks for nothing, complains of nothing, and fits wide and narrow."""

from __future__ import annotations

import html as markup
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from samples import results, story

from chaoscheck.model.verdict import Verdict
from chaoscheck.reporting.html import html

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-logging=stderr"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps"),
)
CANARY = "canary.invalid"
BAIT = (
    f'<img src="http://{CANARY}/img"><script src="http://{CANARY}/js"></script>'
    f'<style>@import "http://{CANARY}/css"</style>'
    f"\"'><svg onload=\"fetch('http://{CANARY}/on')\">"
)
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def browser() -> str:
    """A Chromium of this machine; without one these tests are skipped, and say so."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("NO BROWSER: install chromium to test the HTML report in one", allow_module_level=True)
    return found


class Proxy:
    """Notes the host of every request that a browser makes, and answers none."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                client.settimeout(5)
                self.asked.append(client.recv(4096).split(b"\r\n")[0].decode("latin-1"))


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.close()


def dom(browser: str, page: Path, profile: Path, *flags: str) -> tuple[str, list[str]]:
    """The page's DOM after it was loaded, and what the browser's console said."""
    command = [browser, *FLAGS, f"--user-data-dir={profile}", *flags, "--dump-dom", page.as_uri()]
    environment = {**os.environ, "HOME": str(profile)}
    done = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=True, env=environment)
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode("utf-8"), said


def report(folder: Path, verdict: Verdict = Verdict.FAIL) -> Path:
    """A report whose findings, gates and warnings carry bait of every sort."""
    run = story.write(folder)
    made = results.result(verdict)
    baited = replace(
        made,
        warnings=(BAIT,),
        findings=tuple(replace(finding, seen=BAIT, summary=BAIT, fix=BAIT) for finding in made.findings),
        gates=tuple(replace(gate, actual=BAIT, detail=BAIT) for gate in made.gates),
    )
    path = run.path / "report.html"
    path.write_text(html(baited, run.events(), run.path), encoding="utf-8")
    return path


def test_browser_asks_a_proxy_for_what_a_page_wants(browser: str, proxy: Proxy, tmp_path: Path) -> None:
    """The control: a page that does load something is noticed, so the next test can fail."""
    page = tmp_path / "page.html"
    page.write_text(f"<p>x</p>{BAIT}")
    dom(browser, page, tmp_path / "profile", f"--proxy-server=127.0.0.1:{proxy.port}")
    assert any(CANARY in line for line in proxy.asked)


def test_report_full_of_bait_asks_for_nothing_and_complains_of_nothing(
    browser: str, proxy: Proxy, tmp_path: Path
) -> None:
    """Whatever a service answered, the page neither runs nor loads it, and the console stays empty."""
    shown, said = dom(browser, report(tmp_path), tmp_path / "profile", f"--proxy-server=127.0.0.1:{proxy.port}")
    assert not [line for line in proxy.asked if CANARY in line]
    assert said == []
    assert "<script" not in shown and "<svg onload" not in shown


@pytest.mark.parametrize("verdict", list(Verdict))
def test_report_has_every_view_in_the_browser(browser: str, tmp_path: Path, verdict: Verdict) -> None:
    """The parsed page has its headings, lanes, signs and tables, made by no script."""
    shown, said = dom(browser, report(tmp_path, verdict), tmp_path / "profile")
    assert said == []
    parts = "gates findings timeline kills matrix phases outcomes routing evidence plan"
    for part in parts.split():
        assert f'id="{part}"' in shown
    assert len(re.findall(r'id="strike-\d+"', shown)) == len(story.MODES)
    assert len(re.findall(r'<rect class="serving"', shown)) >= 9


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_report_does_not_scroll_sideways(browser: str, tmp_path: Path, width: int) -> None:
    """The page itself fits a phone: only figures and wide tables scroll, in boxes of their own."""
    inner = re.sub(r"<meta http-equiv=[^>]*>", "", report(tmp_path).read_text(encoding="utf-8"))
    outer = tmp_path / "outer.html"
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{markup.escape(inner)}" onload="'
    measure = 'document.body.dataset.wide = this.contentDocument.documentElement.scrollWidth"></iframe>'
    outer.write_text('<meta charset="utf-8">' + frame + measure, encoding="utf-8")
    shown, _ = dom(browser, outer, tmp_path / "profile")
    found = re.search(r'data-wide="(\d+)"', shown)
    assert found is not None and int(found[1]) <= width
