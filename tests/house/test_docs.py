"""What the README says is true: its plan loads, its commands and exit codes exist, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest
from typer.testing import CliRunner

from chaoscheck import plugins
from chaoscheck.balancers.base import BALANCERS
from chaoscheck.cli.app import app
from chaoscheck.engines.base import ENGINES
from chaoscheck.model.verdict import Verdict
from chaoscheck.phases.validate import validate
from chaoscheck.plan.load import OVERRIDES, PREFIX, load_plan
from chaoscheck.plan.plan import Plan
from chaoscheck.promises.base import KINDS

plugins.load()
ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


HEAD = """target: {image: service}
promises:
  login:
    kind: session
    do: {post: /login, json: {user: $user}, expect: 200, take: {token: "json:token"}}
    see: {get: /me, headers: {Authorization: Bearer $token}, value: "json:user", expect: {value: $user}}
"""
KINDS_KNOWN = sorted(KINDS)
PAGES = sorted(ROOT.glob("docs/**/*.md"))


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


def rows(header: str) -> list[list[str]]:
    """Cells of the table whose header row begins so, without its rule."""
    lines = README[README.index(f"| {header} |") :].splitlines()
    taken = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        taken.append([cell.strip() for cell in line.strip("|").split("|")])
    return taken


def test_the_plan_in_the_readme_loads(tmp_path: Path) -> None:
    """Whoever copies it gets a plan that is accepted."""
    plugins.load()
    plans = [text for text in blocks("yaml") if "promises:" in text]
    assert plans
    for text in plans:
        path = tmp_path / "plan.yaml"
        path.write_text(text)
        validate(load_plan(path, environment={}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_plans_in_the_docs_load(page: Path, tmp_path: Path) -> None:
    """A block with `promises:` is a whole plan; one that begins with a kind's own is put into one."""
    plugins.load()
    for text in blocks("yaml", page.read_text(encoding="utf-8")):
        path = tmp_path / "plan.yaml"
        head = HEAD[: HEAD.index("  login:")] if "kind: session" in text else HEAD
        path.write_text(text if "promises:" in text else f"{head}{indent(text, '  ')}")
        validate(load_plan(path, environment={}))


@pytest.mark.parametrize("kind", KINDS_KNOWN)
def test_every_kind_has_its_page(kind: str) -> None:
    """What a kind promises, and how it is broken, is written down."""
    page = ROOT / "docs" / "kinds" / f"{kind}.md"
    text = page.read_text(encoding="utf-8")
    assert f"kind: {kind}" in text
    assert {name for name in KINDS.get(kind).words.broken if f"`{name}`" not in text} == set()


def test_commands_of_the_readme_exist_and_none_is_missing() -> None:
    """The table and the program name the same commands."""
    told = {re.search(r"chaoscheck (\w+)", row[0])[1] for row in rows("command")}  # type: ignore[index]
    assert told == {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_exit_codes_of_the_readme_are_the_program_s(verdict: Verdict) -> None:
    """A CI job is written by that table."""
    told = {row[0]: int(row[1]) for row in rows("verdict")}
    assert told[verdict.value] == verdict.exit_code


def test_help_names_every_exit_code() -> None:
    """`--help` is where people look."""
    said = CliRunner().invoke(app, ["run", "--help"]).output
    for code in ("0 PASS", "1 FAIL", "2 ", "3 INCONCLUSIVE", "4 INVALID", "130 "):
        assert code in " ".join(said.split())


def test_sections_of_the_readme_are_the_plan_s() -> None:
    """Every section but those of calibration plans stands in the table."""
    told = {row[0].strip("`") for row in rows("section")}
    assert told == {"target", *Plan.model_fields} - {"engine", "secrets", "expect", "because"}


def test_names_in_the_readme_exist() -> None:
    """Kinds, balancers, engines and variables that it mentions are there."""
    plugins.load()
    promises = next(row[1] for row in rows("section") if row[0] == "`promises`")
    assert set(re.findall(r"`(\w+)`", promises)) == set(KINDS)
    balancers = next(row[1] for row in rows("section") if row[0] == "`balancer`")
    for name in ("haproxy", "direct", "external"):
        assert name in balancers
        assert name in BALANCERS
    for name in ("docker", "process", "fake"):
        assert f"`{name}`" in README
        assert name in ENGINES
    for name in re.findall(rf"{PREFIX}(\w+)", README):
        assert name in OVERRIDES


def test_links_of_the_readme_lead_somewhere() -> None:
    """Relative links and pictures."""
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert "://" in target or (ROOT / target).exists(), target
