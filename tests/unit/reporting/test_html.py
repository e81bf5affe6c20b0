"""report.html: one file, safe, whole, in the order in which a reader wants it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import lxml.html
import pytest
from samples import results, story

from chaoscheck.model.verdict import Level, Verdict
from chaoscheck.plan.load import load_plan
from chaoscheck.plugins import load as load_plugins
from chaoscheck.reporting.assets import report_assets
from chaoscheck.reporting.base import REPORTERS
from chaoscheck.reporting.html import html
from chaoscheck.reporting.page import ASKED, grouped
from chaoscheck.store import RunFolder


def page(tmp_path: Path, verdict: Verdict) -> str:
    run = story.write(tmp_path)
    return html(results.result(verdict), run.events(), run.path)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_page_leads_with_the_verdict_and_its_reason(tmp_path: Path, verdict: Verdict) -> None:
    """The first heading is why; the verdict stands before it; seed and command come before anything else."""
    tree = lxml.html.fromstring(page(tmp_path, verdict))
    made = results.result(verdict)
    assert tree.xpath("//h1")[0].text_content() == made.reason
    assert verdict.value in tree.xpath("//section[1]")[0].text_content()
    assert made.command in tree.xpath("//dl[1]")[0].text_content()
    assert tree.xpath("//title")[0].text_content().startswith(verdict.value)


def test_page_has_its_parts_in_order(tmp_path: Path) -> None:
    """In the order in which a reader asks; the plan comes last."""
    tree = lxml.html.fromstring(page(tmp_path, Verdict.FAIL))
    assert tree.xpath("//h2/@id") == [
        "gates",
        "findings",
        "timeline",
        "kills",
        "matrix",
        "sessions",
        "phases",
        "outcomes",
        "routing",
        "generator",
        "evidence",
        "warnings",
        "plan",
    ]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_page_links_lead_somewhere_inside(tmp_path: Path, verdict: Verdict) -> None:
    """Every link is an anchor of the page, and no id stands twice."""
    tree = lxml.html.fromstring(page(tmp_path, verdict))
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in tree.xpath("//a/@href")} - {""} <= set(ids)


def test_page_needs_nothing_from_outside_and_runs_nothing_but_its_own(tmp_path: Path) -> None:
    """No external address in anything that a browser would load, no script but the two of ours, and a policy for it."""
    text = page(tmp_path, Verdict.FAIL)
    tree = lxml.html.fromstring(text)
    assert not tree.xpath("//iframe | //object | //embed | //form | //base | //*[@style]")
    data, script = tree.xpath("//script")
    assert (data.get("type"), script.text_content()) == ("application/json", report_assets().script)
    assert not tree.xpath("//@*[starts-with(name(), 'on')]")
    assert all(value.startswith(("#", "data:")) for value in tree.xpath("//@href | //@src"))
    assert "url(" not in text.replace("url(#", "") and "@import" not in text
    assert tree.xpath("//meta[@http-equiv]/@content")[0] == report_assets().policy


def test_page_shows_hostile_answers_as_text(tmp_path: Path) -> None:
    """What a service answered is escaped, and its invisible characters are shown."""
    text = page(tmp_path, Verdict.FAIL)
    assert text.count("<script") == 2 and "&lt;script&gt;alert(1)&lt;/script&gt;⟨ESC⟩[31mred⟨RLO⟩" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_page_shows_each_finding_with_chain_blame_and_fix(tmp_path: Path) -> None:
    """curl lines, instance and status, the strike that did it, what to do."""
    tree = lxml.html.fromstring(page(tmp_path, Verdict.FAIL))
    card = tree.get_element_by_id("finding-1")
    text = " ".join(card.text_content().split())
    for part in (
        "login: LOST, lost with the instance",
        "because of strike #",
        "curl -X POST",
        "401 from web-1.1",
        "Fix.",
        "187",
        "⟨ESC⟩[31mPOST /login",
    ):
        assert part in text
    assert card.xpath(".//a[starts-with(@href, '#mark-')]") and card.xpath(".//a[starts-with(@href, '#kill-')]")


def test_page_draws_each_strike_by_its_kind(tmp_path: Path) -> None:
    """Six kills and two shams, each with a shape of its kind and a letter: colour isn't needed."""
    tree = lxml.html.fromstring(page(tmp_path, Verdict.PASS))
    signs = tree.xpath("//a[starts-with(@id, 'strike-')]")
    letters = [sign.xpath("string(text)") for sign in signs]
    assert sorted(letters) == sorted(mode[0].upper() for mode in story.MODES)
    shapes = {sign.xpath("string(text)"): sign.xpath("name(*[contains(@class, 'sign')])") for sign in signs}
    assert shapes == {"B": "path", "I": "path", "P": "rect", "S": "circle"}


def test_page_draws_the_matrix_with_marks_and_words(tmp_path: Path) -> None:
    """Failing pairs are told from others without colour; what they have in common and what one saw stand below."""
    tree = lxml.html.fromstring(page(tmp_path, Verdict.FAIL))
    drawn = tree.xpath("//section[contains(@class, 'matrix')]")
    assert [one.xpath("string(h3)") for one in drawn] == [
        "login 3 of 9 pairs hold",
        "profile all 9 pairs hold",
        "review all 9 pairs hold",
    ]
    marks = ["".join(row.xpath("td/text()")).split() for row in drawn[0].xpath(".//tbody/tr")]
    assert ["".join(row) for row in marks] == ["·✗✗", "✗·✗", "✗✗·"]
    assert drawn[0].xpath("count(.//td[contains(@class, 'own')])") == 3
    assert " ".join(drawn[0].xpath("string(p)").split()) == (
        "✗ LOST between every two different instances (6 pairs)0→1: 401 from web-1.1"
    )
    assert not drawn[1].xpath("p")


def test_page_of_twenty_instances_draws_only_what_words_do_not_say(tmp_path: Path) -> None:
    """400 cells that hold, or that follow a rule, are a line; an odd pattern is drawn whole, one that scrolls."""
    run, made = story.write(tmp_path), results.result()
    patterns = (("all", lambda i, j: True), ("own", lambda i, j: i == j), ("odd", lambda i, j: bool(i * j % 7)))
    cells = [
        replace(made.matrix[0], promise=name, writer=i, reader=j, holds=holds(i, j), anomaly="LOST" * (not holds(i, j)))
        for name, holds in patterns
        for i in range(1, 21)
        for j in range(1, 21)
    ]
    tree = lxml.html.fromstring(html(replace(made, matrix=tuple(cells)), run.events(), run.path))
    drawn = tree.xpath("//section[contains(@class, 'matrix')]")
    assert [one.xpath("count(.//td)") for one in drawn] == [0, 0, 400]
    assert "all 400 pairs hold" in drawn[0].text_content()
    assert "between every two different instances (380 pairs)" in drawn[1].text_content()


def test_page_tells_of_routing_in_words_and_per_instance(tmp_path: Path) -> None:
    """Pinning with its yardstick, the test with what it counted, each instance with its share."""
    tree = lxml.html.fromstring(page(tmp_path, Verdict.PASS))
    text = " ".join(tree.text_content().split())
    for part in (
        "Sessions are pinned (97 % stay on one instance); sessions begin on 3 instances, even (p = 0.41).",
        "routed evenly, 0.40 % would",
        "χ² = 1.2 with 4 degrees of freedom, p = 0.41",
        "This is information, no verdict.",
    ):
        assert part in text
    row = tree.xpath("//tr[th = 'web-0.1'][count(td) = 6]")[0]
    assert row.xpath("td/text()") == ["2,304", "30 %", "108", "71", "68.0", "1.04"]


def test_page_of_a_run_without_traffic_says_so(tmp_path: Path) -> None:
    """Nothing that was not measured looks like a measurement; what stopped the run is on top, with its log."""
    made, events = results.stillborn()
    run = story.write(tmp_path, events=events, traffic=False)
    text = lxml.html.fromstring(html(made, run.events(), run.path)).text_content()
    for part in (
        "was not ready within 60 s",
        "KeyError: 'REDIS_URL'",
        "look at its log",
        "no request was recorded",
        "Nothing was struck",
        "The matrix was not reached",
        "No property was judged",
        "No promise was tried",
    ):
        assert part in text
    assert "went well" not in text


def test_page_of_a_damaged_history_says_so(tmp_path: Path) -> None:
    """The report is written all the same, and doesn't pass an empty strip off as a quiet one."""
    run = story.write(tmp_path)
    (run.history / "w2.ndjson").write_text("no history\n")
    text = html(results.result(), run.events(), run.path)
    assert "history can&#39;t be read" in text


def test_page_with_huge_answers_and_500_findings_stays_small(tmp_path: Path) -> None:
    """At most 1.5 MB, whatever a service answers."""
    run = story.write(tmp_path)
    made = results.result(Verdict.FAIL)
    huge = replace(made.findings[0], seen="x" * 10_000_000, summary="y" * 1_000_000)
    many = tuple(replace(made.findings[1], at_ns=index, count=1) for index in range(499))
    text = html(replace(made, findings=(huge, *many)), run.events(), run.path)
    assert len(text.encode()) < 1_500_000
    assert 'id="finding-500"' in text and "characters more" in text


def test_page_masks_the_secrets_of_its_plan(tmp_path: Path) -> None:
    """Passwords and what the plan lists as secret aren't in a page that is passed around."""
    source = tmp_path / "secret.yaml"
    plan = story.PLAN.replace("password: pw", "password: hunter2-long") + "secrets: [open-sesame-42]\n"
    source.write_text(plan.replace("SESSIONS: memory", "SESSIONS: open-sesame-42"))
    run = RunFolder.create(tmp_path / "reports", "secret", load_plan(source, environment={}))
    text = html(results.result(), [], run.path)
    assert "hunter2" not in text and "open-sesame" not in text and "healthz" in text


def test_kill_that_lost_nothing_is_not_marked(tmp_path: Path) -> None:
    """Zero losses, written out as zeros, are none; one is a loss."""
    run = story.write(tmp_path)
    made = results.result()
    first, *others = (replace(row, lost={"login": 0, "review": 0}) for row in made.kills)
    kills = (replace(first, lost={"login": 0, "review": 1}), *others)
    tree = lxml.html.fromstring(html(replace(made, kills=kills), run.events(), run.path))
    marked = tree.xpath("//tr[starts-with(@id, 'kill-')][contains(@class, 'FAIL')]/@id")
    assert marked == ["kill-0"]


def test_phase_without_users_has_no_latency_row(tmp_path: Path) -> None:
    """A row of zeros for the matrix would look like a measurement."""
    run = story.write(tmp_path)
    made = results.result()
    idle = replace(made.phases[0], phase="matrix", requests=0)
    tree = lxml.html.fromstring(html(replace(made, phases=(idle, *made.phases)), run.events(), run.path))
    rows = tree.xpath("//h2[@id='phases']/following::table[1]/tbody/tr/th")
    assert [row.text_content() for row in rows] == ["baseline", "chaos", "settle"]


def test_gates_worst_group_first_then_as_readers_ask() -> None:
    """The gate that decided is at the top of the table; in a PASS the promises are."""
    assert grouped(results.result(Verdict.INVALID).gates)[0].name == "assumptions"
    assert [group.name for group in grouped(results.result().gates)] == list(ASKED)
    group = grouped(results.result(Verdict.FAIL).gates)[0]
    assert (group.name, group.verdict, group.gates[0].verdict) == ("promises", Verdict.FAIL, Verdict.FAIL)


def test_gate_that_only_warns_does_not_make_its_group_fail() -> None:
    """It is shown, after those that count; one that is off wasn't judged, and isn't among those that pass."""
    first, *others = (gate for gate in results.result().gates if gate.group == "coverage")
    warned = replace(first, verdict=Verdict.FAIL, level=Level.WARN)
    (group,) = grouped([warned, *others])
    assert (group.verdict, group.passed, group.gates[-1]) == (Verdict.PASS, len(others), warned)
    assert group.open and warned in group.shown and set(group.quiet) == set(others)
    (idle,) = grouped([replace(first, level=Level.OFF), *others])
    assert len(idle.judged) == len(others) and idle.open


def test_reporters_are_registered_and_write_their_files(tmp_path: Path) -> None:
    """json, junit and html each leave the file they name in the run's folder."""
    load_plugins(["reporting"])
    run = story.write(tmp_path)
    for name in ("json", "junit", "html"):
        reporter = REPORTERS.get(name)()
        path = reporter.write(results.result(), run.events(), run.path)
        assert path == run.path / reporter.file and path.stat().st_size > 500
