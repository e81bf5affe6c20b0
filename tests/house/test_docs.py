"""What the README says is true: its plan loads, its commands and exit codes exist, its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

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
