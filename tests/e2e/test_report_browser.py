"""report.html in a real browser: every defect's, full of bait, with scripts, without, and without any style."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from samples import results, story
from samples.chromium import BAIT, SECRET, Shown, assert_harmless, chromium, missing, opened

from chaoscheck import plugins
from chaoscheck.checkers.judge import judge
from chaoscheck.model.verdict import Result, Verdict
from chaoscheck.reporting.html import html
from chaoscheck.store import RunFolder, load
from scripts.record import defects, unpacked

DEFECTS = [path.stem for path in defects()]
JENKINS = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';"
SHOWN = "output#shown"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def pages(browser: Browser) -> Iterator[tuple[Shown, Shown]]:
    """One with scripts and one without, to go to many reports."""
    with opened(browser) as alive, opened(browser, java_script_enabled=False) as plain:
        yield alive, plain


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


def defect_report(name: str, place: Path) -> Path:
    """The recorded run of that defect, judged and reported now."""
    plugins.load()
    folder = load(unpacked(name, place) if not (place / name).exists() else place / name)
    result = judge(folder.plan(), folder.events(), folder.histories(), list(folder.balancer()))
    assert result.verdict is Verdict.FAIL
    return written(folder, result)


def written(folder: RunFolder, result: Result) -> Path:
    path = folder.path / "report.html"
    path.write_text(html(result, folder.events(), folder.path), encoding="utf-8")
    return path


def told(place: Path, name: str, verdict: Verdict = Verdict.FAIL, **changes: object) -> Path:
    """The tale's report, with those fields of its result changed."""
    (place / name).mkdir()
    return written(story.write(place / name), replace(results.result(verdict), **changes))  # type: ignore[arg-type]


def test_every_defect_is_recorded(place: Path) -> None:
    """A defect without a recording would have no report here: `python -m scripts.record NAME` makes one."""
    recorded = {path.name.removesuffix(".tar.xz") for path in (Path(__file__).parents[1] / "recordings").iterdir()}
    assert recorded == set(DEFECTS)


@pytest.mark.parametrize("name", DEFECTS)
def test_report_of_a_defect_is_whole_alive_and_readable_without_scripts(
    pages: tuple[Shown, Shown], place: Path, name: str
) -> None:
    """No complaint, no request, each view; jumps go and come back, zoom is linked; without scripts it is all there."""
    report = defect_report(name, place)
    alive, plain = pages
    page = alive.go(report)
    assert missing(alive) == []
    assert page.locator("#plots canvas").count() >= 2
    assert not page.locator("#strips").is_visible()
    whole = page.inner_text(SHOWN)
    page.locator("#finding-1 a[href='#mark-1']").click()
    page.wait_for_function("document.activeElement.id === 'mark-1'")
    assert page.inner_text(SHOWN) != whole and page.locator("#mark-1").is_visible()
    page.keyboard.press("0")
    assert page.inner_text(SHOWN) == whole
    page.locator("#back").click()
    page.wait_for_function("location.hash === '#finding-1'")
    assert page.locator("#finding-1").evaluate("node => Math.abs(node.getBoundingClientRect().top) < 300")
    assert (alive.said, alive.asked) == ([], [report.as_uri()])
    page = plain.go(report)
    assert missing(plain) == []
    assert "FAIL" in page.inner_text("header") and "Fix." in page.inner_text("#finding-1")
    assert page.locator("#strips").is_visible() and not page.locator("button").count()
    assert (plain.said, plain.asked) == ([], [report.as_uri()])


def test_every_strip_and_the_lanes_show_the_same_stretch(browser: Browser, place: Path) -> None:
    """Dragging over one strip zooms all of them, keys and buttons move it, reset brings back what was."""
    with opened(browser, told(place, "zoomed")) as shown:
        page = shown.page
        whole, before = page.inner_text(SHOWN), page.locator("#lanes rect.serving").first.get_attribute("width")
        strip = page.locator("#plots .u-over").nth(2)
        strip.scroll_into_view_if_needed()
        box = strip.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20, steps=4)
        page.mouse.up()
        start, end = (float(part.removesuffix(" s")) for part in page.inner_text(SHOWN).split(" to "))
        assert end - start == pytest.approx((63.2 - 1.5) * 0.2, rel=0.1)
        strips = page.locator("#plots .uplot").evaluate_all("nodes => nodes.map(node => node.dataset.shown.split(' '))")
        assert len(strips) == 3
        assert all([float(at) for at in part] == pytest.approx([start, end], abs=0.01) for part in strips)
        assert page.locator("#lanes rect.serving").first.get_attribute("width") != before
        assert page.locator("#lanes .ticks text").first.text_content() != "5 s"
        dragged = page.inner_text(SHOWN)
        page.locator("#time").focus()
        page.keyboard.press("ArrowRight")
        assert page.inner_text(SHOWN) not in (dragged, whole)
        page.get_by_role("button", name="show the whole run").click()
        assert page.inner_text(SHOWN) == whole
        assert page.locator("#lanes rect.serving").first.get_attribute("width") == before
        assert shown.said == []


def test_copying_gives_the_command_the_request_and_the_whole_chain(browser: Browser, place: Path) -> None:
    """Each on its own button, as text that a shell takes."""
    with opened(browser, told(place, "copied"), permissions=["clipboard-read", "clipboard-write"]) as shown:
        page = shown.page

        def copied(button: str) -> str:
            page.locator(button).first.click()
            page.wait_for_function("text => document.querySelector(text).textContent === 'copied'", arg=button)
            return str(page.evaluate("navigator.clipboard.readText()"))

        assert copied(".again button.copy") == story.COMMAND
        assert copied("#finding-1 li button.copy").startswith("curl -X POST")
        chain = copied("#finding-1 .whole-chain").splitlines()
        assert sum(line.startswith("curl ") for line in chain) == 2
        assert all(line.startswith(("curl ", "# ")) for line in chain)
        assert any("killed" in line for line in chain)


def test_hostile_words_anywhere_are_text(browser: Browser, place: Path) -> None:
    """In findings, gates, warnings, the matrix, names and events: every way from an answer onto the page."""
    made = results.result(Verdict.FAIL)
    bad = f"{BAIT} password={SECRET}".replace(SECRET, "***")
    link = replace(made.findings[0].chain[0], curl=bad, note=bad, instance=bad)
    report = told(
        place,
        "baited",
        reason=bad,
        command=bad,
        warnings=(bad, "x" * 10_000_000),
        environment={bad: bad},
        findings=tuple(
            replace(one, seen=bad, summary=bad, fix=bad, anomaly=bad, session=bad, obj=bad, known=bad, chain=(link,))
            for one in made.findings
        ),
        gates=tuple(replace(one, name=bad, actual=bad, detail=bad, margin=bad) for one in made.gates),
        matrix=tuple(replace(one, note=bad, anomaly=bad, holds=False) for one in made.matrix),
        kills=tuple(replace(one, victim=bad, replacement=bad) for one in made.kills),
    )
    assert_harmless(browser, report, words='document.title = "owned"')


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_page_does_not_scroll_sideways(browser: Browser, place: Path, width: int) -> None:
    """A phone and a wide screen alike: only figures and wide tables scroll, in boxes of their own."""
    report = told(place, f"wide-{width}")
    with opened(browser, report, viewport={"width": width, "height": 800}) as shown:
        shown.all("document.querySelectorAll('details').forEach(node => (node.open = true))")
        assert shown.all("document.documentElement.scrollWidth") <= width


def test_page_is_read_and_steered_by_keyboard(browser: Browser, place: Path) -> None:
    """The first key leads past the contents; whatever has the focus is seen to have it; landmarks are named."""
    with opened(browser, told(place, "keys")) as shown:
        page = shown.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the gates"
        unmarked = []
        for _ in range(60):
            page.keyboard.press("Tab")
            focus = page.evaluate(
                "(() => { const at = document.activeElement, style = getComputedStyle(at);"
                "return [at.outerHTML.slice(0, 80), style.outlineStyle, parseFloat(style.outlineWidth)] })()"
            )
            unmarked += [focus] if focus[1] == "none" or focus[2] < 1 else []
        assert unmarked == []
        for role in ("banner", "navigation", "main", "contentinfo"):
            assert page.get_by_role(role).count() == 1, role  # type: ignore[arg-type]
        assert not page.locator(".scroll:not([role=region][aria-label][tabindex])").count()


def test_page_on_paper_is_light_and_unfolded(browser: Browser, place: Path) -> None:
    """Printed from a dark screen: ink on white, strips as drawings, nothing left folded, no buttons."""
    with opened(browser, told(place, "paper"), color_scheme="dark") as shown:
        page = shown.page
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("#strips").is_visible() and not page.locator("#plots").is_visible()
        assert not page.locator("button").first.is_visible()
        folded = page.locator("details:not([open]) table, details:not([open]) pre")
        assert folded.count() and folded.first.evaluate("node => node.getBoundingClientRect().height") > 10


class Strict(http.server.SimpleHTTPRequestHandler):
    """Serves files as a CI server does that trusts no report: no script, no style of the page's own."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", JENKINS)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[str]:
    def handler(*words: object) -> Strict:
        return Strict(*words, directory=str(place))  # type: ignore[arg-type]

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_address[1]}"
    served.shutdown()
    served.server_close()


def test_page_under_a_strict_policy_is_plain_but_readable(browser: Browser, place: Path, server: str) -> None:
    """Without its style and script order, tables and pictures stand: nothing is blank, nothing a black blot."""
    report = told(place, "strict")
    with opened(browser, f"{server}/{report.relative_to(place).as_posix()}") as shown:
        assert any("Content Security Policy" in line for line in shown.said), "the policy must have been in force"
        assert shown.all("getComputedStyle(document.querySelector('.verdict')).borderLeftWidth") == "0px"
        assert missing(shown) == []
        assert shown.page.inner_text("h1") == results.result(Verdict.FAIL).reason
        blots = shown.all(
            """[...document.querySelectorAll('svg rect, svg path, svg circle, svg line, svg polygon')].filter(node => {
              const style = getComputedStyle(node), box = node.getBBox();
              return style.fill === 'rgb(0, 0, 0)' && box.width * box.height > 30 && !node.closest('defs');
            }).map(node => node.outerHTML.slice(0, 120))"""
        )
        assert blots == []
        assert shown.page.locator("#lanes").bounding_box()["width"] > 400  # type: ignore[index]
        icons = shown.all("Math.max(...[...document.querySelectorAll('figcaption svg')].map(one => one.clientWidth))")
        assert icons <= 40
        unseen = shown.all(
            """[...document.querySelectorAll('svg line, svg path')].filter(node => {
              const style = getComputedStyle(node), box = node.getBBox();
              return style.stroke === 'none' && (style.fill === 'none' || !box.width || !box.height)
                && !node.closest('defs');
            }).map(node => node.outerHTML.slice(0, 120))"""
        )
        assert unseen == []
