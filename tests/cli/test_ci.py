"""What a CI job sees of a run: fail-fast by default, annotations and a step's summary on GitHub, clean --json."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from samples import results
from simulate.conftest import PLAN

from chaoscheck.cli.ci import STEP_BYTES, in_ci, no_commands, tell_github
from chaoscheck.model.verdict import Verdict
from tests.cli.conftest import Command

PLANS = {"plans/memory.yaml": PLAN.replace("[stateless]", "[memory]")}


@pytest.fixture
def job(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`run` of the memory plan in a repository: exit code, output, errors; `environment` is all that CI sets."""
    (tmp_path / "plans").mkdir()
    for name, text in PLANS.items():
        (tmp_path / name).write_text(text)
    for name in ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)

    def go(*words: str, **environment: str) -> tuple[int, str, str]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return command("run", "plans/memory.yaml", *words)

    return go


@pytest.mark.parametrize(
    ("value", "is_ci"), [("true", True), ("1", True), ("woodpecker", True), ("", False), ("0", False), ("False", False)]
)
def test_ci_is_what_its_variable_says(value: str, is_ci: bool) -> None:
    """Set and not denied."""
    assert in_ci({"CI": value}) is is_ci
    assert in_ci({}) is False


@pytest.mark.parametrize(
    ("words", "ci", "early"),
    [([], "true", True), ([], "", False), (["--no-fail-fast"], "true", False), (["--fail-fast"], "", True)],
)
def test_fail_fast_is_the_default_of_ci_and_a_flag_wins(job: Command, words: list[str], ci: str, early: bool) -> None:
    """The first confirmed FAIL ends the run: here the matrix, before any kill."""
    code, out, _ = job("--json", *words, CI=ci)
    result = json.loads(out)
    assert (code, result["verdict"]) == (1, "FAIL")
    assert (result["kills"] == []) is early
    assert result["findings"][0]["chain"]


def test_github_gets_annotations_at_the_plans_lines_and_a_summary(job: Command, tmp_path: Path) -> None:
    """A finding stands at its promise, in the plan as the repository names it; nothing shown before is a command."""
    page = tmp_path / "step.md"
    page.write_text("from another tool\n")
    github = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(page),
    }
    code, out, _ = job(**github)
    assert code == 1
    lines = out.splitlines()
    token = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", lines[0])
    assert token is not None
    after = lines[lines.index(f"::{token[1]}::") + 1 :]
    assert [
        re.match(r"::error file=plans/memory.yaml,line=(\d+),title=FAIL (\w+)%3A LOST", line).groups()
        for line in after[:2]
    ] == [  # type: ignore[union-attr]
        ("4", "login"),
        ("13", "reviews"),
    ]
    assert page.read_text().startswith("from another tool\n## ❌ chaoscheck: FAIL")
    assert not any(line.startswith("::") for line in lines[1 : lines.index(f"::{token[1]}::")])


def test_json_on_github_leaves_standard_output_to_the_data(job: Command, tmp_path: Path) -> None:
    """A program reads it; the annotations are beside it."""
    code, out, err = job("--json", CI="true", GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(tmp_path))
    assert (code, json.loads(out)["verdict"]) == (1, "FAIL")
    assert "::error file=plans/memory.yaml,line=4," in err


def test_other_places_get_no_commands(job: Command) -> None:
    """They would only be noise there."""
    _, out, err = job(CI="true")
    assert "::error" not in out + err and "::stop-commands" not in out + err


def test_summary_that_no_longer_fits_is_left_out_whole(tmp_path: Path) -> None:
    """GitHub drops the page of a step that is larger than a MiB, with all that others wrote to it."""
    page, folder = tmp_path / "step.md", tmp_path / "run"
    folder.mkdir()
    (folder / "summary.md").write_text("x" * 1000)
    page.write_text("y" * (STEP_BYTES - 500))
    tell_github(
        results.result(),
        folder,
        tmp_path / "p.yaml",
        lambda line: None,
        {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)},
    )
    assert page.stat().st_size == STEP_BYTES - 500


def test_plan_outside_of_the_repository_marks_no_file(tmp_path: Path) -> None:
    """A path that the repository doesn't have would mark nothing, or something else."""
    told: list[str] = []
    workspace = tmp_path / "repository"
    workspace.mkdir()
    result = replace(results.result(Verdict.FAIL), warnings=())
    tell_github(
        result,
        tmp_path,
        tmp_path / "p.yaml",
        told.append,
        {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(workspace)},
    )
    assert told and not any("file=" in line for line in told)


def test_commands_are_taken_again_after_a_crash() -> None:
    """Whatever ends the run, later steps' lines are read."""
    told: list[str] = []
    with pytest.raises(RuntimeError), no_commands(told.append, {"GITHUB_ACTIONS": "true"}):
        raise RuntimeError
    assert told[1] == f"::{told[0].removeprefix('::stop-commands::').strip()}::\n"
